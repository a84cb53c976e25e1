"""Checks from raw orders to features: nothing lost, nothing twice, nothing from the future."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg
import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.landing import (
    LandedFile,
    describe_errors,
    describe_unread,
    outside_calendar,
)
from forecasting_assets.orchestration.checks.factory import Check, weekly_checks
from forecasting_assets.orchestration.factory import Weekly
from forecasting_assets.orders.checks import (
    VOLUME_WEEKS,
    check_calendar,
    check_conservation,
    check_dates,
    check_line_numbers,
    check_names,
    check_present,
    check_rejections,
    check_unique,
    check_volume,
)
from forecasting_assets.orders.quality import STATISTICS_DDL, CleanStatistics, clean_statistics
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    CLEAN_ORDERS,
    ORDER_FILE_SUMMARY,
    RAW_ORDERS,
    REJECTED_ORDERS,
    WEEKLY_DEMAND,
)
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.weeks import add_weeks, format_weeks, weeks_between

_NAMES = ["part_id", "part_category", "region"]


def landing_findings(
    settings: Settings, week: date, files: Sequence[LandedFile], unread: Sequence[str]
) -> list[Finding]:
    """Of the landing zone as a whole, whichever week is made."""
    broken = [file for file in files if file.error or file.fault]
    strays = outside_calendar(files, settings.calendar.first_week)
    return [
        Finding(
            not broken,
            describe_errors(broken) or "every order file can be read",
            {"unreadable_files": len(broken)},
        ),
        Finding(
            not unread,
            "; ".join(describe_unread(unread)) or "every file is an order file or known to be none",
            {"unread_files": len(unread)},
        ),
        check_calendar(strays, settings.calendar.first_week, format_weeks(strays)),
    ]


def order_findings(settings: Settings, week: date, statistics: CleanStatistics | None) -> list[Finding]:
    lake = Lake(path=settings.lake_path)
    rejected, summary = lake.read_landed(REJECTED_ORDERS, week), lake.read_pandas(ORDER_FILE_SUMMARY, [week])
    return [
        check_conservation(
            *(lake.rows(table, week) for table in (RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS))
        ),
        check_unique(statistics),
        check_dates(statistics, week),
        check_present(statistics),
        check_rejections(summary, rejected, settings.orders.landed_names, settings.checks.rejection_limit),
        check_line_numbers(rejected),
    ]


def demand_findings(
    settings: Settings, week: date, units: pd.Series, names: Mapping[str, Sequence[str]]
) -> list[Finding]:
    demand = Lake(path=settings.lake_path).read_pandas(WEEKLY_DEMAND, [week])
    return [
        check_contract(demand, WEEKLY_DEMAND),
        check_volume(units, week, settings.checks.volume_limit),
        check_names(names),
    ]


def feature_findings(settings: Settings, week: date) -> list[Finding]:
    features = feature_columns(settings.calendar.horizon_weeks)
    return [check_contract(Lake(path=settings.lake_path).read_pandas(features, [week]), features)]


def order_checks(weekly: Weekly) -> list[dg.AssetChecksDefinition]:
    def statistics(resources, weeks: Sequence[date]) -> dict[date, tuple]:
        spark = resources.spark.spark_session
        with resources.lake.unreadable_told():
            rows = resources.lake.map_weeks(spark, CLEAN_ORDERS, weeks, clean_statistics, STATISTICS_DDL)
            facts = rows.toArrow().to_pylist()
        found = {row.pop("week"): CleanStatistics(**row) for row in facts}
        return {week: (found.get(week),) for week in weeks}

    def volumes(resources, weeks: Sequence[date]) -> dict[date, tuple]:
        past = weeks_between(add_weeks(weeks[0], -VOLUME_WEEKS), weeks[-1])
        known = resources.lake.existing(WEEKLY_DEMAND, past)
        demand = resources.lake.read_pandas(WEEKLY_DEMAND, known, [*_NAMES, "quantity"])
        every_week = pd.DatetimeIndex([pd.Timestamp(week) for week in known])
        units = demand.groupby("week")["quantity"].sum().reindex(every_week, fill_value=0.0)
        # Parts come and go: a name is compared with those of the same weeks.
        names = {column: sorted(demand[column].unique()) for column in _NAMES}
        return {week: (units[str(add_weeks(week, -VOLUME_WEEKS)) : str(week)], names) for week in weeks}

    def landed(resources, weeks: Sequence[date]) -> dict[date, tuple]:
        landing = resources.landing
        return dict.fromkeys(weeks, (landing.files(), landing.unread_files()))

    return [
        weekly_checks(
            weekly,
            RAW_ORDERS,
            [
                Check("files_readable", "Every file of the landing zone can be read.", blocking=False),
                Check("files_recognised", "Every file of the landing zone is read.", blocking=False),
                Check("inside_calendar", "No order is of a week that is never planned.", blocking=False),
            ],
            landing_findings,
            landed,
            frozenset({"landing"}),
        ),
        weekly_checks(
            weekly,
            CLEAN_ORDERS,
            [
                Check("conservation", "Raw rows = clean rows + rejected rows."),
                Check("unique_orders", "No order line counts twice."),
                Check("no_future_data", "Every order is dated within the week."),
                Check("contract", "Parts, regions, quantities and prices are present and positive."),
                Check("few_rejections", "Few rows and units of each file are rejected.", blocking=False),
                Check(
                    "line_numbers_unique",
                    "No order line is replaced by one for another part or region.",
                    blocking=False,
                ),
            ],
            order_findings,
            statistics,
            frozenset({"lake", "spark"}),
        ),
        weekly_checks(
            weekly,
            WEEKLY_DEMAND,
            [
                Check("contract", "One row a series, with positive units."),
                Check("usual_volume", "Units are in line with past weeks.", blocking=False),
                Check("names_consistent", "No names differ only by case or white space.", blocking=False),
            ],
            demand_findings,
            volumes,
            frozenset({"lake"}),
        ),
        weekly_checks(
            weekly,
            feature_columns(weekly.settings.calendar.horizon_weeks),
            [Check("contract", "One row a living series, every feature present and finite.")],
            feature_findings,
        ),
    ]
