"""Checks of the forecasts: complete, possible, ordered, and better than the naive alternative."""

from collections.abc import Mapping
from datetime import date
from functools import partial

import dagster as dg
import numpy as np
import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.checks.factory import Check, weekly_checks
from forecasting_assets.orchestration.factory import Weekly
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    BACKTEST_REPORT,
    DEMAND_FORECAST,
    QUANTILES,
    SARIMAX_MODEL,
    SERIES,
    XGB_MODEL,
    Table,
)
from forecasting_assets.tables.contract import check_contract

#: Rows of a forecast table that are checked at once.
_ROWS_AT_ONCE = 200_000


def check_forecast(forecast: pd.DataFrame, alive: pd.DataFrame, table: Table, horizon: int) -> Finding:
    """Every series alive has all horizons once; values are finite and ≥ 0; quantiles do not cross.

    alive: part_id, region of the series alive at the origin.
    """
    contract = check_contract(forecast, table)
    if not contract.passed:
        return contract
    counts = forecast.groupby(SERIES)["horizon"].agg(["nunique", "min", "max"])
    whole = counts[(counts["nunique"] == horizon) & (counts["min"] == 1) & (counts["max"] == horizon)]
    missing = len(alive) - len(alive[SERIES].drop_duplicates().merge(whole.reset_index(), on=SERIES))
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


def _numbers(metadata: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in metadata.items())


def check_beats_naive(report: pd.DataFrame) -> Finding:
    """The combined forecast has a lower WAPE than seasonal naive, over all segments and horizons."""
    overall = report[(report["segment"] == "all") & (report["horizon"] == 0) & (report["metric"] == "wape")]
    wape = overall.set_index("model")["value"].dropna()
    if not {"combined", "seasonal_naive"} <= set(wape.index):
        return Finding(True, "no forecast of an earlier week has met its week yet")
    ours, naive = float(wape["combined"]), float(wape["seasonal_naive"])
    said = f"WAPE {ours:.1%}, seasonal naive {naive:.1%}"
    return Finding(ours < naive, said, {"wape": ours, "wape_seasonal_naive": naive})


def _forecast_findings(settings: Settings, week: date, table: Table) -> list[Finding]:
    """Of a few parts at a time, so that no more than those are in memory."""
    lake, horizon = Lake(path=settings.lake_path), settings.calendar.horizon_weeks
    groups = 1 + lake.rows(table, week) // _ROWS_AT_ONCE
    found = []
    for group in range(groups):
        made, alive = (
            pd.concat([_of_group(rows, group, groups) for rows in lake.batches(of, [week], columns)])
            for of, columns in ((table, None), (feature_columns(horizon), SERIES))
        )
        found.append(check_forecast(made, alive, table, horizon))
    return [_together(found)]


def _of_group(rows: pd.DataFrame, group: int, groups: int) -> pd.DataFrame:
    """The rows of one in `groups` parts."""
    return rows[pd.util.hash_array(rows["part_id"].to_numpy(object)) % groups == group]


def _together(found: list[Finding]) -> Finding:
    """One finding from those of groups: the first that did not pass speaks, and numbers are added up."""
    bad = [finding for finding in found if not finding.passed]
    telling = bad or found
    metadata = {name: sum(f.metadata.get(name, 0) for f in telling) for name in telling[0].metadata}  # type: ignore[misc]
    return Finding(not bad, bad[0].description if bad else _numbers(metadata), metadata)


def report_findings(settings: Settings, week: date) -> list[Finding]:
    report = Lake(path=settings.lake_path).read_pandas(BACKTEST_REPORT, [week])
    return [check_contract(report, BACKTEST_REPORT), check_beats_naive(report)]


def model_checks(weekly: Weekly) -> list[dg.AssetChecksDefinition]:
    complete = Check(
        "forecast_contract",
        "Every living series has every horizon; values are finite and not negative, quantiles in order.",
    )
    return [
        *(
            weekly_checks(weekly, table, [complete], partial(_forecast_findings, table=table))
            for table in (SARIMAX_MODEL, XGB_MODEL, DEMAND_FORECAST)
        ),
        weekly_checks(
            weekly,
            BACKTEST_REPORT,
            [
                Check("contract", "Metrics are declared and stand once."),
                Check(
                    "beats_seasonal_naive",
                    "The combined forecast is better than repeating last year.",
                    blocking=False,
                ),
            ],
            report_findings,
        ),
    ]
