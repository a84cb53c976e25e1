"""clean_orders and rejected_orders: every raw row is one or the other, with the reason where it is rejected.

The rules are stated once, in `_broken_rule` and, for duplicates, in `duplicates.py`; what they do not reject is clean.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from forecasting_assets.orders.raw import raw_name
from forecasting_assets.partitions import by_week
from forecasting_assets.tables import CLEAN_ORDERS, ROW

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

DEFAULT_CATEGORY = "default"
_ISO_8601 = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


@contextmanager
def rejected(
    raw: "DataFrame", duplicates: "DataFrame", landed_names: Mapping[str, str]
) -> Iterator["DataFrame"]:
    """The raw rows that are rejected, with `reason`: the first rule that a row breaks. Once made they are kept in
    memory, as far as they fit, until the block ends.

    duplicates: week and ROW of the rows of `older_duplicates`; landed_names maps platform names to landed ones
    """
    from pyspark.sql import functions as F

    older = duplicates.withColumn("reason", F.lit("duplicate")).persist()
    told = raw.join(older, ["week", *ROW], "left")
    told = told.withColumn("reason", F.coalesce(_broken_rule(raw, landed_names), "reason"))
    found = told.where(F.col("reason").isNotNull())
    try:
        # Once Spark knows how few they are it hands them to all tasks, and need not move all rows to find theirs.
        older.count()
        yield found.persist()
    finally:
        found.unpersist()
        older.unpersist()


def rejected_orders(rejected: "DataFrame", columns: Sequence[str], weeks: Sequence[date]) -> "DataFrame":
    """Those of the rows of `rejected` that are of `weeks`, in the given columns of raw_orders, with their reason, and
    week."""
    from pyspark.sql import functions as F

    rows = rejected.where(F.col("week").isin(list(weeks)))
    return by_week(rows.select(*map(_landed, columns), "reason", "week"), weeks)


def clean_orders(
    raw: "DataFrame", rejected: "DataFrame", landed_names: Mapping[str, str], weeks: Sequence[date]
) -> "DataFrame":
    """The raw rows that are not among the `rejected` ones, with the columns of CLEAN_ORDERS, and week."""
    key = ["week", *ROW]
    value = _typed(_texts(raw, landed_names))
    columns = [value[name].alias(name) if name in value else name for name in CLEAN_ORDERS.names]
    return by_week(raw.join(rejected.select(*key), key, "left_anti").select(*columns, "week"), weeks)


def _broken_rule(raw: "DataFrame", landed_names: Mapping[str, str]) -> "Column":
    """The name of the first rule that a row breaks by itself; null if none."""
    from pyspark.sql import functions as F

    text = _texts(raw, landed_names)
    value = _typed(text)
    rules: dict[str, Column] = {
        # The partition was chosen by the reader of the file; a date that leads elsewhere was not understood.
        "bad_date": value["order_date"].isNull()
        | ~text["order_date"].rlike(_ISO_8601)
        | (F.to_date(F.date_trunc("week", value["order_date"])) != F.col("week")),
        "bad_quantity": _no_number(text["quantity"], value["quantity"]),
        "non_positive_quantity": value["quantity"] <= 0,
        "bad_price": _no_number(text["unit_price"], value["unit_price"]),
        "non_positive_price": value["unit_price"] <= 0,
        "missing_part": value["part_id"].isNull(),
        "missing_region": value["region"].isNull(),
    }
    return F.coalesce(*(F.when(rule, F.lit(reason)) for reason, rule in rules.items()))


def _typed(text: dict[str, "Column"]) -> dict[str, "Column"]:
    """ORDER_COLUMNS with their types, of their texts; null where Spark reads no value in one. It reads one in some,
    as 1d, that `_broken_rule` does not take."""
    from pyspark.sql import functions as F

    return text | {
        "order_date": _moment(text["order_date"]),
        "part_category": F.coalesce(text["part_category"], F.lit(DEFAULT_CATEGORY)),
        "quantity": text["quantity"].try_cast("double"),
        "unit_price": text["unit_price"].try_cast("double"),
    }


def _texts(raw: "DataFrame", landed_names: Mapping[str, str]) -> dict[str, "Column"]:
    """ORDER_COLUMNS as landed, without the spaces around; null where there is nothing else, or no such column."""
    return {name: _text(raw, raw_name(landed)) for name, landed in landed_names.items()}


def _text(raw: "DataFrame", name: str) -> "Column":
    from pyspark.sql import functions as F

    if name not in raw.columns:
        return F.lit(None).cast("string")
    trimmed = F.trim(_landed(name))
    return F.when(trimmed != "", trimmed)


def _landed(name: str) -> "Column":
    """A column by its landed name, which may hold dots and quotes."""
    from pyspark.sql import functions as F

    return F.col("`" + name.replace("`", "``") + "`")


def _moment(text: "Column") -> "Column":
    from pyspark.sql import functions as F

    # Spark wants seconds before a zone.
    with_seconds = F.regexp_replace(text, r"^(.{11}\d{2}:\d{2})(Z|[+-].*)$", "$1:00$2")
    return F.coalesce(F.try_to_timestamp(text), F.try_to_timestamp(with_seconds))


def _no_number(text: "Column", value: "Column") -> "Column":
    """Whether `text` with the `value` that Spark reads in it, as in 1d or Infinity, is anything but a number."""
    from pyspark.sql import functions as F

    return value.isNull() | ~text.rlike(_NUMBER) | (F.abs(value) == float("inf"))
