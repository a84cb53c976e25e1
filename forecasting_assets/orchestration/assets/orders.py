"""From landed files to weekly demand and features: the part of the graph that runs on Spark."""

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from forecasting_assets.features.build import build_features, feature_columns
from forecasting_assets.features.window import LOOKBACK_WEEKS, FeatureWeeks
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.landed_files import files_by_week, touching
from forecasting_assets.lake.landing import Landing
from forecasting_assets.lake.spark_tables import read_weeks, transform_weeks, write_weeks
from forecasting_assets.lake.week_files import open_week
from forecasting_assets.orders.cleaning import CleaningRules, clean_week
from forecasting_assets.orders.demand import weekly_demand as demand_of
from forecasting_assets.orders.raw import LandingZone, read_raw_orders, weeks_by_columns
from forecasting_assets.runtime.spark import Spark
from forecasting_assets.settings import Settings
from forecasting_assets.spark_partitions import shuffle_tasks
from forecasting_assets.storage import StoreError, open_filesystem
from forecasting_assets.tables import (
    CLEAN_ORDERS,
    ORDER_FILE_SUMMARY,
    RAW_ORDERS,
    REJECTED_ORDERS,
    WEEKLY_DEMAND,
)
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.isolation import InputsChangedError
from forecasting_assets.workflows.order_book import books_with_rows, missing_book, roll_order_book
from forecasting_assets.workflows.week_result import WeekResult, WeekResults

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

#: Approximate rows of weekly_demand that a task makes features of; they are in memory together.
DEMAND_PER_TASK = 500_000
#: Error of Spark's workers that a file has caused; Spark reports no more than its name.
_ERROR_OF_FILE = "OrderFileError"
#: Files of a week that its metadata names.
_FILES_NAMED = 100


def raw_orders(
    weeks: list[date], settings: Settings, lake: Lake, landing: Landing, spark: Spark
) -> WeekResults:
    """Order lines of the week exactly as they were landed, with the file and row each came from."""
    files = touching(landing.readable_files(), weeks)
    zone = LandingZone(landing.path, settings.orders.landed_names, settings.orders.format)
    rows: dict[date, int] = {}
    try:
        for columns, group in weeks_by_columns(files, weeks).items():
            lines = read_raw_orders(spark.spark_session, zone, touching(files, group), columns, group)
            rows |= write_weeks(lines, lake, RAW_ORDERS, group)
    except Exception as error:
        withdrawn = isinstance(error, StoreError) and error.kind == "missing"
        if (withdrawn or _ERROR_OF_FILE in str(error)) and landing.recheck(files):
            raise InputsChangedError(f"order files have changed while they were read: {error}") from error
        raise
    by_week = files_by_week(files)
    for week in weeks:
        names = [file.name for file in by_week.get(week, ())]
        yield week, WeekResult(rows[week], {"files": len(names), "file_names": names[:_FILES_NAMED]})


def clean_orders(weeks: list[date], settings: Settings, lake: Lake, spark: Spark) -> WeekResults:
    """Valid order lines with typed columns. Every other line goes to the table rejected_orders with the reason."""
    orders = settings.orders
    rules = CleaningRules(orders.landed_names, orders.format, orders.fold_case)

    def separate(raw: "ParquetFile", week: date) -> tuple["pa.Table", ...]:
        cleaned = clean_week(raw.read(), week, rules)
        return cleaned.rejected, cleaned.summary, cleaned.clean

    counts = transform_weeks(
        spark.spark_session,
        lake,
        RAW_ORDERS,
        weeks,
        separate,
        [REJECTED_ORDERS, ORDER_FILE_SUMMARY, CLEAN_ORDERS],
    )
    rejected = lake.read_pandas(REJECTED_ORDERS, weeks, columns=["reason"])
    reasons_of = {str(week)[:10]: Counter(of_week) for week, of_week in rejected.groupby("week")["reason"]}
    for week in weeks:
        reasons = reasons_of.get(str(week), Counter())
        by_reason = {f"rejected/{name}": n for name, n in reasons.items()}
        yield week, WeekResult(counts[week][-1], {"rejected_rows": reasons.total()} | by_reason)


def order_book(weeks: list[date], settings: Settings, lake: Lake, spark: Spark) -> WeekResults:
    """Units that customers have ordered by the end of the week and want in later weeks.

    The book of the week before, less what was due in the week, plus new orders; empty if orders have no due dates.
    """
    yield from roll_order_book(weeks, settings.calendar.first_week, lake, lambda: spark.spark_session)


def weekly_demand(weeks: list[date], settings: Settings, lake: Lake, spark: Spark) -> WeekResults:
    """Units wanted in the week of each part in each region, with the number of orders and the mean price.

    Orders with a due date count in the week of that date, all others in the week of the order.
    """
    root, books = lake.path, books_with_rows(lake, [add_weeks(week, -1) for week in weeks])

    def add_up(clean: "ParquetFile", week: date) -> tuple["pa.Table"]:
        before = add_weeks(week, -1)
        if before not in books:
            return (demand_of(clean, week),)
        with open_week(open_filesystem(root)[0], books[before]) as file:
            book = file.read()
        # Not within the block, which would blame the book for damage of the clean orders.
        return (demand_of(clean, week, book),)

    counts = transform_weeks(spark.spark_session, lake, CLEAN_ORDERS, weeks, add_up, [WEEKLY_DEMAND])
    for week in weeks:
        yield week, WeekResult(counts[week][0], missing_book(lake, week, settings.calendar.first_week))


def feature_table(weeks: list[date], settings: Settings, lake: Lake, spark: Spark) -> WeekResults:
    """What is known of every active part and region at the end of the week.

    Recent and past demand, season, intermittency, price, holidays, and the demand of its category and region.
    """
    calendar, session = settings.calendar, spark.spark_session
    features = feature_columns(calendar.horizon_weeks)
    first = max(add_weeks(weeks[0], 1 - LOOKBACK_WEEKS), calendar.first_week)
    history = weeks_between(first, weeks[-1])
    demand = read_weeks(session, lake, WEEKLY_DEMAND, history)
    n_rows = lake.total_rows(WEEKLY_DEMAND, history)
    with lake.errors_of_workers():
        rows = build_features(
            demand,
            FeatureWeeks(weeks[0], weeks[-1], calendar.first_week, calendar.holiday_countries),
            calendar.horizon_weeks,
            max(shuffle_tasks(session), n_rows // DEMAND_PER_TASK),
        )
    for week, count in write_weeks(rows, lake, features, weeks).items():
        yield week, WeekResult(count)
