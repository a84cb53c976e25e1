"""Checks from raw orders to features: nothing lost, nothing twice, nothing from the future."""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.lake.files import DamagedWeekError
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.landed_files import (
    LandedFile,
    check_readable,
    check_recognised,
    outside_calendar,
)
from forecasting_assets.lake.landing import Landing
from forecasting_assets.lake.spark_tables import map_weeks
from forecasting_assets.orders.checks import (
    VOLUME_WEEKS,
    check_calendar,
    check_conservation,
    check_dates,
    check_due_dates,
    check_line_numbers,
    check_moved,
    check_names,
    check_not_due,
    check_present,
    check_rejections,
    check_unique,
    check_volume,
)
from forecasting_assets.orders.moved_lines import (
    HASHES_DDL,
    MOVED_WEEKS,
    MovedLines,
    examples,
    line_hashes,
    lines_in_two_weeks,
    moved_lines,
    places,
)
from forecasting_assets.orders.quality import STATISTICS_DDL, CleanStatistics, clean_statistics
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.settings import Settings
from forecasting_assets.spark_versions import to_arrow
from forecasting_assets.tables import (
    CLEAN_ORDERS,
    ORDER_BOOK,
    ORDER_FILE_SUMMARY,
    RAW_ORDERS,
    REJECTED_ORDERS,
    WEEKLY_DEMAND,
)
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.weeks import add_weeks, format_weeks, weeks_between

_NAMES = ["part_id", "part_category", "region"]


def gather_landed(
    weeks: Sequence[date], landing: Landing
) -> dict[date, tuple[Sequence[LandedFile], Sequence[str]]]:
    """List the order files, and the files that are not read, as of the last look at the landing zone."""
    return dict.fromkeys(weeks, (landing.files(), landing.unread_files()))


def raw_findings(
    settings: Settings, lake: Lake, week: date, files: Sequence[LandedFile], unread: Sequence[str]
) -> dict[str, Finding]:
    """Check the landing zone as a whole, whichever week is made."""
    outside = outside_calendar(files, settings.calendar.first_week)
    return {
        "files_readable": check_readable(files),
        "files_recognised": check_recognised(unread),
        "inside_calendar": check_calendar(outside, settings.calendar.first_week, format_weeks(outside)),
    }


def gather_clean(
    weeks: Sequence[date], lake: Lake, spark: Spark
) -> dict[date, tuple[CleanStatistics | None, MovedLines]]:
    """Compute statistics of the clean order lines of each week, and find those that are in another week as well.

    The statistics are None for a week without lines.
    """
    with lake.errors_of_workers():
        rows = map_weeks(spark.spark_session, lake, CLEAN_ORDERS, weeks, clean_statistics, STATISTICS_DDL)
        statistics = {row.pop("week"): CleanStatistics(**row) for row in to_arrow(rows).to_pylist()}
    try:
        moved = _find_moved(weeks, lake, spark)
    except DamagedWeekError as error:  # perhaps of another week, for which this one is not to blame
        moved = dict.fromkeys(weeks, MovedLines(problem=str(error)))
    return {week: (statistics.get(week), moved.get(week, MovedLines())) for week in weeks}


def _find_moved(weeks: Sequence[date], lake: Lake, spark: Spark) -> dict[date, MovedLines]:
    """Find the order lines of `weeks` that are in another week as well."""
    near = weeks_between(add_weeks(weeks[0], -MOVED_WEEKS), add_weeks(weeks[-1], MOVED_WEEKS))
    known = lake.existing(CLEAN_ORDERS, near)
    with lake.errors_of_workers():
        lines = to_arrow(map_weeks(spark.spark_session, lake, CLEAN_ORDERS, known, line_hashes, HASHES_DDL))
    found = lines_in_two_weeks(lines)
    found = found[found["week"].isin(weeks)]
    wanted: dict[date, list[int]] = {}
    for week, line, other in examples(found).itertuples(index=False):
        for of in (week, other):
            wanted.setdefault(of, []).append(line)
    named = {}
    for week, of_week in wanted.items():
        with lake.damage_as_error(CLEAN_ORDERS.name, week), lake.open_parquet(CLEAN_ORDERS, week) as clean:
            named[week] = places(clean, of_week)
    return moved_lines(found, named)


def clean_findings(
    settings: Settings, lake: Lake, week: date, statistics: CleanStatistics | None, moved: MovedLines
) -> dict[str, Finding]:
    """Check that cleaning lost nothing, and that clean order lines are valid."""
    rejected, summary = (
        lake.read_landed(REJECTED_ORDERS, week),
        lake.read_pandas(ORDER_FILE_SUMMARY, [week]),
    )
    rows = [lake.rows(table, week) for table in (RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS)]
    return {
        "conservation": check_conservation(*rows),
        "unique_orders": check_unique(statistics),
        "lines_in_one_week": check_moved(moved),
        "no_future_data": check_dates(statistics, week),
        "contract": check_present(statistics),
        "due_after_ordered": check_due_dates(statistics),
        "few_rejections": check_rejections(
            summary, rejected, settings.orders.landed_names, settings.checks.rejection_limit
        ),
        "line_numbers_unique": check_line_numbers(rejected),
    }


def gather_volumes(
    weeks: Sequence[date], lake: Lake
) -> dict[date, tuple[pd.Series, Mapping[str, Sequence[str]]]]:
    """Read the units, and the names of parts, categories and regions, of each week and the VOLUME_WEEKS before it."""
    past = weeks_between(add_weeks(weeks[0], -VOLUME_WEEKS), weeks[-1])
    known = lake.existing(WEEKLY_DEMAND, past)
    demand = lake.read_pandas(WEEKLY_DEMAND, known, [*_NAMES, "quantity"])
    every_week = pd.DatetimeIndex([pd.Timestamp(week) for week in known])
    units = demand.groupby("week")["quantity"].sum().reindex(every_week, fill_value=0.0)
    # Names of orders that wait for later weeks are in the book alone.
    before = lake.existing(ORDER_BOOK, [add_weeks(week, -1) for week in weeks])
    books = pd.concat([batch.drop_duplicates() for batch in lake.batches(ORDER_BOOK, before, _NAMES)])
    names, booked = _names_by_week(demand), _names_by_week(books)

    def compared(week: date) -> tuple[pd.Series, Mapping[str, Sequence[str]]]:
        since = add_weeks(week, -VOLUME_WEEKS)
        # Parts come and go: a name is compared with those of the same weeks.
        of_weeks = [*map(names.get, weeks_between(since, week)), booked.get(add_weeks(week, -1))]
        found = {
            column: sorted(set().union(*(of_week[column] for of_week in of_weeks if of_week)))
            for column in _NAMES
        }
        return units[str(since) : str(week)], found

    return {week: compared(week) for week in weeks}


def _names_by_week(rows: pd.DataFrame) -> dict[date, dict[str, set[str]]]:
    """Return week -> column -> the distinct names in it."""
    weeks: dict[date, dict[str, set[str]]] = {}
    for column in _NAMES:
        distinct = rows[["week", column]].drop_duplicates()
        for week, of_week in distinct.groupby(distinct["week"].dt.date)[column]:
            weeks.setdefault(week, {})[column] = set(of_week)
    return weeks


def book_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check the order book at the end of a week."""
    book = lake.read_pandas(ORDER_BOOK, [week])
    return {"contract": check_contract(book, ORDER_BOOK), "not_due_yet": check_not_due(book, week)}


def demand_findings(
    settings: Settings, lake: Lake, week: date, units: pd.Series, names: Mapping[str, Sequence[str]]
) -> dict[str, Finding]:
    """Check the demand of a week by itself and against the weeks before it."""
    demand = lake.read_pandas(WEEKLY_DEMAND, [week])
    return {
        "contract": check_contract(demand, WEEKLY_DEMAND),
        "usual_volume": check_volume(units, week, settings.checks.volume_limit),
        "names_consistent": check_names(names),
    }


def feature_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check the features of a week."""
    features = feature_columns(settings.calendar.horizon_weeks)
    return {"contract": check_contract(lake.read_pandas(features, [week]), features)}
