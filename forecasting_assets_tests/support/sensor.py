"""Ticks of the sensor over order files in a temporary home."""

import os
from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from forecasting_assets.features.build import feature_columns
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.lake.records import Record, fingerprint
from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.orchestration.run_tags import weeks_of_run
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BACKTEST_REPORT,
    BUSINESS_IMPACT,
    CLEAN_ORDERS,
    DEMAND_FORECAST,
    DEMAND_PLAN,
    KNOWN_COVARIATES,
    MANUFACTURER_NETWORK,
    ORDER_BOOK,
    RAW_ORDERS,
    SARIMAX_MODEL,
    WEEKLY_DEMAND,
    XGB_MODEL,
    Table,
)
from forecasting_assets.weeks import weeks_between

WEEKS = weeks_between(date(2024, 3, 4), date(2024, 4, 8))
W1, W2 = WEEKS[:2]
FEATURES = feature_columns(8)
PLANNING = (
    SARIMAX_MODEL,
    XGB_MODEL,
    BACKTEST_REPORT,
    DEMAND_FORECAST,
    MANUFACTURER_NETWORK,
    DEMAND_PLAN,
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
)
#: Marks a run of all assets.
PLAN = "to the plan"
ORDERS = "raw_orders, clean_orders, order_book, weekly_demand, feature_table, known_covariates"
MODELS = "feature_table, known_covariates, sarimax_model, xgb_model"
HEADER = "order_id,order_date,part_id,region,quantity,unit_price\n"


@pytest.fixture
def zone(tmp_path):
    (tmp_path / "forecasting.toml").write_text("[calendar]\nfirst_week = 2024-03-04\n")
    landing = tmp_path / "landing" / "orders"
    landing.mkdir(parents=True)
    return landing


def land(zone: Path, name: str, *days: str) -> None:
    file = zone / name
    before = file.stat().st_mtime if file.exists() else 0.0
    file.write_text(HEADER + "".join(f"o{i},{day},p,r,1,2\n" for i, day in enumerate(days)))
    os.utime(file, (before + 10, before + 10))


def tick(zone: Path, cursor: str | None = None):
    defs = build_defs(load_settings(zone.parents[1]))
    sensor = defs.resolve_sensor_def("new_orders_sensor")
    with dg.DagsterInstance.ephemeral() as instance:
        return sensor(dg.build_sensor_context(instance=instance, cursor=cursor))


def weeks_asked(result) -> list[date]:
    return sorted(week for request in result.run_requests or [] for week in weeks_of_run(request.tags))


def arrived(zone: Path, cursor: str | None = None):
    """Tick twice: the files that landed count as complete at the second tick, whose result is returned."""
    first = tick(zone, cursor)
    assert ranges(first) == []
    return tick(zone, first.cursor)


def ranges(result) -> list[tuple[str, ...]]:
    """Return first and last week of each requested run, and its assets."""
    asked: list[tuple[str, ...]] = []
    for request in result.run_requests or []:
        weeks = weeks_of_run(request.tags)
        names = [key.to_user_string() for key in request.asset_selection]
        scope = PLAN if len(names) == 6 + len(PLANNING) else ", ".join(names)
        asked.append((str(weeks[0]), str(weeks[-1]), scope))
    return asked


def made(zone: Path, weeks: list[date], *tables: Table) -> None:
    """Write records as if a run had made `weeks` of `tables`, in the order of the graph."""
    settings = load_settings(zone.parents[1])
    for table in tables or (RAW_ORDERS, CLEAN_ORDERS, ORDER_BOOK, WEEKLY_DEMAND, FEATURES, KNOWN_COVARIATES):
        freshness = freshness_of(settings)
        empty = pd.DataFrame({c.name: pd.Series(dtype=object) for c in table.columns if c.name != "week"})
        for week in weeks:
            freshness.home.lake.write_pandas(empty, table, week)
            inputs = freshness.inputs(table.name, week)
            identity = freshness.home.lake.records.identity(table, week)
            by_rows = freshness.pipeline[table.name].versioned_by_rows
            version = freshness.home.lake.rows_id(table, week) if by_rows else fingerprint(inputs)
            freshness.keep(table.name, week, Record(version, inputs, *identity))
