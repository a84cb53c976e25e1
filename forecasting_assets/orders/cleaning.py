"""clean_orders and rejected_orders: every raw row is one or the other, with the reason where it is rejected.

The rules are stated once, in `_judged` and, for duplicates, in `duplicates.py`; both tables follow from the column
`reason` that `classified` makes of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from forecasting_assets.orders.duplicates import ROW
from forecasting_assets.orders.raw import raw_name
from forecasting_assets.partitions import by_week
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

DEFAULT_CATEGORY = "default"
_ISO_8601 = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
#: Names that no landed column has.
_BROKEN, _DUPLICATE = "clean_broken", "clean_duplicate"
_TYPED = {name: f"clean_{name}" for name in CLEAN_ORDERS.names if name not in RAW_ORDERS.names}


@contextmanager
def classified(
    raw: "DataFrame", duplicates: "DataFrame", landed_names: Mapping[str, str]
) -> Iterator["DataFrame"]:
    """Raw rows with their typed values (`clean_…`) and `reason`: the first rule that a row breaks, null if none.

    duplicates: week and ROW of the rows of `older_duplicates`, which are kept in memory as long as the block lasts
    """
    from pyspark.sql import functions as F

    duplicates = duplicates.withColumn(_DUPLICATE, F.lit("duplicate")).persist()
    # Once Spark knows how few they are it hands them to all tasks, and need not move all rows to find theirs.
    duplicates.count()
    try:
        judged = _judged(raw, landed_names).join(duplicates, ["week", *ROW], "left")
        yield judged.withColumn("reason", F.coalesce(_BROKEN, _DUPLICATE))
    finally:
        duplicates.unpersist()


def clean_orders(classified: "DataFrame", weeks: Sequence[date]) -> "DataFrame":
    """The accepted rows of what `classified` gives, with the columns of CLEAN_ORDERS, and week."""
    from pyspark.sql import functions as F

    columns = [F.col(_TYPED.get(name, name)).alias(name) for name in CLEAN_ORDERS.names]
    return by_week(classified.where(F.col("reason").isNull()).select(*columns, "week"), weeks)


def rejected_orders(classified: "DataFrame", columns: Sequence[str], weeks: Sequence[date]) -> "DataFrame":
    """The rejected rows of `weeks` as they were landed, in the given columns of raw_orders, with their reason, and
    week."""
    from pyspark.sql import functions as F

    rejected = classified.where(F.col("reason").isNotNull() & F.col("week").isin(list(weeks)))
    return by_week(rejected.select(*map(_landed, columns), "reason", "week"), weeks)


def _judged(raw: "DataFrame", landed_names: Mapping[str, str]) -> "DataFrame":
    """Raw rows with what each tells by itself: its typed values (`clean_…`) and the first rule that it breaks
    (_BROKEN, null if none)."""
    from pyspark.sql import functions as F

    text = {name: _text(raw, raw_name(landed)) for name, landed in landed_names.items()}
    typed = {
        "order_id": text["order_id"],
        "order_date": _timestamp(text["order_date"]),
        "part_id": text["part_id"],
        "part_category": F.coalesce(text["part_category"], F.lit(DEFAULT_CATEGORY)),
        "region": text["region"],
        "quantity": _number(text["quantity"]),
        "unit_price": _number(text["unit_price"]),
        "line_id": text["line_id"],
    }
    rows = raw.withColumns({_TYPED[name]: column for name, column in typed.items()})
    value = {name: F.col(column) for name, column in _TYPED.items()}
    rules: dict[str, Column] = {
        # The partition was chosen by the reader of the file; a date that leads elsewhere was not understood.
        "bad_date": value["order_date"].isNull()
        | (F.to_date(F.date_trunc("week", value["order_date"])) != F.col("week")),
        "bad_quantity": value["quantity"].isNull(),
        "non_positive_quantity": value["quantity"] <= 0,
        "bad_price": value["unit_price"].isNull(),
        "non_positive_price": value["unit_price"] <= 0,
        "missing_part": value["part_id"].isNull(),
        "missing_region": value["region"].isNull(),
    }
    return rows.withColumn(
        _BROKEN, F.coalesce(*(F.when(rule, F.lit(reason)) for reason, rule in rules.items()))
    )


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


def _timestamp(text: "Column") -> "Column":
    from pyspark.sql import functions as F

    return F.when(text.rlike(_ISO_8601), F.try_to_timestamp(text))


def _number(text: "Column") -> "Column":
    from pyspark.sql import functions as F

    number = F.when(text.rlike(_NUMBER), text.try_cast("double"))
    return F.when(F.abs(number) < float("inf"), number)
