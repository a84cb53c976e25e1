"""clean_orders and rejected_orders: every raw row is one or the other, with the reason where it is rejected.

The rules are stated once, in `_judged`; both tables follow from the column `reason` that `classified` makes of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from forecasting_assets.orders.raw import raw_name
from forecasting_assets.partitions import by_week
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

DEFAULT_CATEGORY = "default"
_ISO_8601 = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_TYPED = {name: f"clean_{name}" for name in CLEAN_ORDERS.names if name not in RAW_ORDERS.names}
#: To tell suspects from so few rows would take longer than to suspect them all.
_ALL_SUSPECT = 200_000
#: What duplicates have in common: their number, or all they landed if they have none.
_SAID = (_TYPED["order_id"], _TYPED["line_id"], "unnumbered")


@contextmanager
def classified(
    raw: "DataFrame", n_rows: int, landed_names: Mapping[str, str], weeks: Sequence[date]
) -> Iterator[tuple["DataFrame", "DataFrame"]]:
    """The `n_rows` raw rows of `weeks` in two parts, with their typed values (`clean_…`) and `reason`: the first rule
    that a row breaks, null if none. Those of the first part break none; the few of the second, which are kept in
    memory as long as the block lasts, are looked at more closely.

    Of rows with the same (order_id, line_id) in a week only the one in the newest file (time of change, then
    name, then row) is no duplicate; rows without a line_id are duplicates if equal in every landed column.
    """
    from pyspark.sql import functions as F

    judged = _judged(raw, landed_names)
    repeated = judged.groupBy("week", "said").count().where("count > 1")
    repeated = repeated.select("week", "said", F.lit(True).alias("repeated"))
    if n_rows > _ALL_SUSPECT:
        # Once Spark knows how few they are it hands them to all tasks, and need not move all rows to find theirs.
        repeated.persist().count()
        marked = judged.join(repeated, ["week", "said"], "left")
    else:
        marked = judged.withColumn("repeated", F.lit(True))
    suspect = F.col("broken").isNotNull() | F.col("repeated").isNotNull()
    duplicate = F.when(_age_among_equals() > 1, F.lit("duplicate"))
    suspects = by_week(marked.where(suspect), weeks).withColumn("reason", F.coalesce("broken", duplicate))
    suspects = suspects.persist()
    try:
        yield marked.where(~suspect).withColumn("reason", F.col("broken")), suspects
    finally:
        suspects.unpersist()
        repeated.unpersist()


def clean_orders(unsuspected: "DataFrame", suspects: "DataFrame", weeks: Sequence[date]) -> "DataFrame":
    """The accepted rows of what `classified` gives, with the columns of CLEAN_ORDERS, and week."""
    from pyspark.sql import functions as F

    columns = [F.col(_TYPED.get(name, name)).alias(name) for name in CLEAN_ORDERS.names]
    accepted = suspects.where(F.col("reason").isNull())
    return by_week(unsuspected.select(*columns, "week").union(accepted.select(*columns, "week")), weeks)


def rejected_orders(suspects: "DataFrame", columns: Sequence[str], weeks: Sequence[date]) -> "DataFrame":
    """The rejected rows of `weeks` as they were landed, in the given columns of raw_orders, with their reason, and
    week."""
    from pyspark.sql import functions as F

    rejected = suspects.where(F.col("reason").isNotNull() & F.col("week").isin(list(weeks)))
    return rejected.select(*map(_landed, columns), "reason", "week")


def _judged(raw: "DataFrame", landed_names: Mapping[str, str]) -> "DataFrame":
    """Raw rows with what each tells by itself: its typed values (`clean_…`), the first rule that it breaks
    (`broken`, null if none), and a hash of what duplicates have in common (`said`)."""
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
    landed = [_landed(name) for name in raw.columns if name not in RAW_ORDERS.names and name != "week"]
    identified = value["order_id"].isNotNull() & value["line_id"].isNotNull()
    judged = rows.withColumns(
        {
            "broken": F.coalesce(*(F.when(rule, F.lit(reason)) for reason, rule in rules.items())),
            "unnumbered": F.when(~identified, F.struct(*landed)),
        }
    )
    return judged.withColumn("said", F.xxhash64(*_SAID))


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


def _age_among_equals() -> "Column":
    """1 for the newest of the rows that say the same thing, 2 for the next older, …"""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    # The hash comes first, as numbers are sorted faster than texts.
    equals = Window.partitionBy("said", "week", *_SAID)
    newest = [F.col(name).desc() for name in ("source_modified", "source_file", "source_row")]
    return F.row_number().over(equals.orderBy(*newest))
