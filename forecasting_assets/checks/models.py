"""Checks of the forecasts: complete, possible, ordered, and better than the naive alternative."""

from datetime import date
from functools import partial

import dagster as dg
import numpy as np
import pandas as pd

from forecasting_assets.assets.weekly import Weekly
from forecasting_assets.checks.contract import check_contract
from forecasting_assets.checks.weekly import Check, weekly_checks
from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.resources.lake import Lake
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
    said = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in metadata.items())
    return Finding(not missing and not negative and not crossing, said, metadata)


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
    lake = Lake(path=settings.lake_path)
    horizon = settings.calendar.horizon_weeks
    alive = lake.read_pandas(feature_columns(horizon), [week], SERIES)
    return [check_forecast(lake.read_pandas(table, [week]), alive, table, horizon)]


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
