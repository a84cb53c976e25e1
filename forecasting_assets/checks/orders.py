"""Checks from raw orders to features: nothing lost, nothing twice, nothing from the future."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg
import numpy as np
import pandas as pd

from forecasting_assets.assets.lineage import format_weeks
from forecasting_assets.assets.weekly import Weekly
from forecasting_assets.checks.contract import check_contract
from forecasting_assets.checks.weekly import Check, weekly_checks
from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.orders.quality import STATISTICS_DDL, CleanStatistics, clean_statistics
from forecasting_assets.resources.lake import Lake
from forecasting_assets.resources.landing import outside_calendar
from forecasting_assets.settings import Settings
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, REJECTED_ORDERS, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks, weeks_between

VOLUME_WEEKS = 26
NO_ORDERS = Finding(True, "no orders in the week")


def check_conservation(raw: int, clean: int, rejected: int) -> Finding:
    """Every raw row is clean or rejected, once."""
    lost = raw - clean - rejected
    said = (
        "every row is clean or rejected"
        if not lost
        else f"{abs(lost)} rows {'lost' if lost > 0 else 'too many'}"
    )
    return Finding(lost == 0, said, {"raw_rows": raw, "clean_rows": clean, "rejected_rows": rejected})


def check_unique(found: CleanStatistics | None) -> Finding:
    """No landed row and no (order_id, line_id) counts twice."""
    if found is None:
        return NO_ORDERS
    repeated = found.rows - found.lines
    return Finding(
        repeated == 0, f"{repeated} order lines count twice", {"rows": found.rows, "repeated": repeated}
    )


def check_dates(found: CleanStatistics | None, week: date) -> Finding:
    """All order dates lie within the week."""
    if found is None:
        return NO_ORDERS
    inside = week <= found.earliest.date() and found.latest.date() < add_weeks(week, 1)
    said = f"orders are dated {found.earliest} to {found.latest}"
    return Finding(inside, said, {"earliest": str(found.earliest), "latest": str(found.latest)})


def check_present(found: CleanStatistics | None) -> Finding:
    """No value is missing, no quantity or price zero or less."""
    if found is None:
        return NO_ORDERS
    said = f"{found.broken} rows with a missing or non-positive value"
    return Finding(found.broken == 0, said, {"broken_rows": found.broken})


def check_volume(units: pd.Series, week: date, limit: float) -> Finding:
    """The week's units against the median of earlier weeks, in robust standard deviations (1.4826 MAD).

    units: total units, indexed by week, the checked one included; weeks without orders are zero.
    """
    past = units[units.index < pd.Timestamp(week)].to_numpy(float)
    now = float(units.get(pd.Timestamp(week), 0.0))
    if len(past) < 8:
        return Finding(True, f"{len(past)} earlier weeks are too few to judge", {"units": now})
    median = float(np.median(past))
    # A steady series has no deviation to speak of; 5 % of its level is not yet news.
    spread = max(1.4826 * float(np.median(np.abs(past - median))), 0.05 * median)
    score = (now - median) / spread if spread else 0.0
    said = f"{now:,.0f} units, {score:+.1f} robust deviations from the median of {len(past)} weeks ({median:,.0f})"
    return Finding(
        abs(score) <= limit, said, {"units": now, "median_units": median, "robust_deviations": score}
    )


def check_readable(errors: Sequence[str]) -> Finding:
    """Every file of the landing zone can be read."""
    said = "\n".join(errors) or "every order file can be read"
    return Finding(not errors, said, {"unreadable_files": len(errors)})


def check_calendar(strays: Mapping[date, Sequence[str]], first_week: date) -> Finding:
    """No file holds orders of weeks that are not planned: before the first week of history, or to come.

    strays: such a week -> names of the files with orders of it
    """
    names = sorted({name for files in strays.values() for name in files})
    listed = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    said = (
        f"{listed} hold orders of {format_weeks(strays)}, which no partition holds: mend their dates, or set "
        f"[calendar] first_week (now {first_week}) if they are older orders"
        if strays
        else "every order is of a week that is planned"
    )
    return Finding(not strays, said, {"weeks": len(strays), "files": len(names)})


def landing_findings(
    settings: Settings, week: date, errors: Sequence[str], strays: Mapping[date, Sequence[str]]
) -> list[Finding]:
    return [check_readable(errors), check_calendar(strays, settings.calendar.first_week)]


def order_findings(settings: Settings, week: date, found: CleanStatistics | None) -> list[Finding]:
    lake = Lake(path=settings.lake_path)
    return [
        check_conservation(
            *(lake.rows(table, week) for table in (RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS))
        ),
        check_unique(found),
        check_dates(found, week),
        check_present(found),
    ]


def demand_findings(settings: Settings, week: date, units: pd.Series) -> list[Finding]:
    demand = Lake(path=settings.lake_path).read_pandas(WEEKLY_DEMAND, [week])
    return [
        check_contract(demand, WEEKLY_DEMAND, positive=["quantity"]),
        check_volume(units, week, settings.checks.volume_limit),
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
        demand = resources.lake.read_pandas(WEEKLY_DEMAND, known, ["quantity"])
        every_week = pd.DatetimeIndex([pd.Timestamp(week) for week in known])
        units = demand.groupby("week")["quantity"].sum().reindex(every_week, fill_value=0.0)
        return {week: (units[str(add_weeks(week, -VOLUME_WEEKS)) : str(week)],) for week in weeks}

    def landed(resources, weeks: Sequence[date]) -> dict[date, tuple]:
        files, first_week = resources.landing.files(), weekly.settings.calendar.first_week
        return dict.fromkeys(
            weeks, ([file.error for file in files if file.error], outside_calendar(files, first_week))
        )

    return [
        weekly_checks(
            weekly,
            RAW_ORDERS,
            [
                Check("files_readable", "Every file of the landing zone can be read.", blocking=False),
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
