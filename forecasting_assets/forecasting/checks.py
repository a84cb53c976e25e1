"""Checks of forecasts: complete, possible, ordered, and better than the naive alternative."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from forecasting_assets.findings import Finding
from forecasting_assets.forecasting.bias import FALSE_ALARMS, group_bias
from forecasting_assets.tables import QUANTILES, SERIES, Table
from forecasting_assets.tables.contract import check_contract

#: What `check_forecast` counts, in words.
_COUNTS = {
    "series": "series",
    "series_incomplete": "active series that lack a horizon",
    "rows_negative": "rows with a negative value",
    "rows_crossing": "rows with crossing quantiles",
}


def check_forecast(forecast: pd.DataFrame, active: pd.DataFrame, table: Table, horizon: int) -> Finding:
    """Check that every active series has all horizons once, and that values are possible and quantiles do not cross.

    Parameters
    ----------
    forecast
        Rows of a forecast table of one origin.
    active
        part_id and region of the series that are active at the origin.
    table
        The forecast table.
    horizon
        Number of horizons.
    """
    contract = check_contract(forecast, table)
    if not contract.passed:
        return contract
    counts = forecast.groupby(SERIES)["horizon"].agg(["nunique", "min", "max"])
    whole = counts[(counts["nunique"] == horizon) & (counts["min"] == 1) & (counts["max"] == horizon)]
    missing = len(active) - len(active[SERIES].drop_duplicates().merge(whole.reset_index(), on=SERIES))
    quantiles = forecast[list(QUANTILES)].to_numpy()
    negative = int((forecast[["mean", *QUANTILES]] < 0).any(axis=1).sum())
    crossing = int((np.diff(quantiles, axis=1) < 0).any(axis=1).sum())
    metadata = {
        "series": len(counts),
        "series_incomplete": missing,
        "rows_negative": negative,
        "rows_crossing": crossing,
    }
    return Finding(not missing and not negative and not crossing, _numbers(metadata), metadata)


def combined_finding(findings: Sequence[Finding]) -> Finding:
    """Combine the findings of `check_forecast` for parts of a table; their figures are added up.

    A part that breaks the contract of the table has no such figures: its finding stands for all.
    """
    for finding in findings:
        if not _COUNTS.keys() <= finding.metadata.keys():
            return finding
    metadata = {name: sum(int(finding.metadata[name]) for finding in findings) for name in _COUNTS}
    return Finding(all(finding.passed for finding in findings), _numbers(metadata), metadata)


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[name]:,} {words}" for name, words in _COUNTS.items())


def check_beats_naive(report: pd.DataFrame) -> Finding:
    """Check that the combined forecast has a lower WAPE than seasonal naive, over all segments and horizons.

    Parameters
    ----------
    report
        Rows of BACKTEST_REPORT of one week.
    """
    overall = report[(report["segment"] == "all") & (report["horizon"] == 0) & (report["metric"] == "wape")]
    wape = overall.set_index("model")["value"].dropna()
    if not {"combined", "seasonal_naive"} <= set(wape.index):
        return Finding(True, "no forecast of an earlier week can be compared with orders yet")
    combined, naive = float(wape["combined"]), float(wape["seasonal_naive"])
    description = f"WAPE {combined:.1%}, seasonal naive {naive:.1%}"
    return Finding(combined < naive, description, {"wape": combined, "wape_seasonal_naive": naive})


#: Points by which the share of weeks within the 80 % intervals may differ from 80 % without a warning.
_COVERAGE_TOLERANCE = 0.05
#: The quantiles that bound the 80 % intervals, with their levels.
_BOUNDS = {"q10": 0.1, "q90": 0.9}


def check_intervals(report: pd.DataFrame) -> Finding:
    """Check that about 80 % of the weeks lay within the 80 % intervals of the combined forecast.

    Over all series and horizons of the backtest. Narrower intervals are too sure of themselves, wider ones reserve more
    than is needed. A week whose orders equal a bound counts as inside or outside, whichever is closer to the promise:
    where many weeks have no orders, no quantile has exactly 10 % of the weeks below it.

    Parameters
    ----------
    report
        Rows of BACKTEST_REPORT of one week.
    """
    overall = (report["segment"] == "all") & (report["horizon"] == 0) & (report["model"] == "combined")
    share = report[overall].set_index("metric")["value"].dropna()
    if not {f"{kind}_{q}" for kind in ("below", "at_most") for q in _BOUNDS} <= set(share.index):
        return Finding(True, "no forecast of an earlier week can be compared with orders yet")
    below_low, below_high = (
        float(np.clip(level, share[f"below_{q}"], share[f"at_most_{q}"])) for q, level in _BOUNDS.items()
    )
    within, closest = float(share["at_most_q90"] - share["below_q10"]), below_high - below_low
    description = f"{within:.1%} of weeks had orders within the 80 % intervals"
    if within - closest >= 0.001:
        description += f"; {closest:.1%} if weeks with orders equal to a bound count where they fit best"
    metadata = {"coverage_80": within, "coverage_80_closest": closest}
    return Finding(abs(closest - 0.8) <= _COVERAGE_TOLERANCE, description, metadata)


#: Groups whose bias is checked.
_CHECKED_FOR_BIAS = ("total", "part_category", "region")


def check_unbiased(errors: pd.DataFrame) -> Finding:
    """Check that no forecasts of an aggregate, one week ahead, are off to one side by more than chance.

    A sign test of each group, together with a probability of false alarms of `bias.FALSE_ALARMS`.

    Parameters
    ----------
    errors
        Rows of FORECAST_ERRORS of one week.
    """
    if errors.empty:
        return Finding(True, "no forecast of an earlier week can be compared with orders yet")
    bias = group_bias(errors, _CHECKED_FOR_BIAS)
    one_sided = bias[bias["one_sided"]]
    groups = [
        f"{_group_in_words(grouping, name)}: {max(below, above)} of {origins} one-week forecasts "
        f"{'below' if below > above else 'above'} actual orders, {_bias_in_words(share)}"
        for grouping, name, origins, below, above, share in one_sided[
            ["grouping", "name", "origins", "below", "above", "bias"]
        ].itertuples(index=False)
    ]
    total = bias.iloc[0]
    within = (
        f"no group is off to one side; the total was below actual orders in {total['below']} of {total['origins']} "
        "weeks"
    )
    metadata = {
        "groups": len(bias),
        "groups_off": len(one_sided),
        "bias_of_total": float(total["bias"]),
        "false_alarm_rate": FALSE_ALARMS,
    }
    return Finding(not groups, "; ".join(groups) or within, metadata)


def _group_in_words(grouping: str, name: str) -> str:
    kinds = {"total": "total", "part_category": "category", "region": "region"}
    return f"{kinds[grouping]} {name}".strip()


def _bias_in_words(share: float) -> str:
    if np.isnan(share):
        return "which were zero"
    return f"{abs(share):.1%} too {'low' if share < 0 else 'high'} overall"
