"""clean_orders and rejected_orders: every raw row of a week goes to one of them.

The rules are defined in `_violations`; a row that violates none of them is clean.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial, reduce

import pyarrow as pa
import pyarrow.compute as pc

from forecasting_assets.orders.dates import parse_moments, weeks_of_moments
from forecasting_assets.orders.duplicates import newest_equal
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.numbers import parse_numbers
from forecasting_assets.orders.raw import raw_name
from forecasting_assets.orders.text import is_rounded_number, normalise_ids, normalise_names, trim
from forecasting_assets.tables import (
    CLEAN_ORDERS,
    RAW_ORDERS,
    REJECTION_REASONS,
    ROW,
    ROW_PROBLEMS,
)

DEFAULT_CATEGORY = "default"
#: Reasons of rows that are rejected as their sender wants it: nothing is wrong with them.
INTENDED = ["duplicate", "cancelled"]
_NUMBER_FORMATS = [
    OrderFormat(thousands=","),
    OrderFormat(decimal=",", thousands="."),
    OrderFormat(thousands=" "),
]
_IDS = ["order_id", "line_id", "part_id"]


@dataclass(frozen=True)
class CleaningRules:
    """Settings for cleaning raw rows.

    Attributes
    ----------
    landed_names
        Platform name -> landed name of every column of an order line.
    order_format
        Format of dates and numbers.
    fold_case
        Whether names that differ only by case or inner white space are the same name.
    """

    landed_names: Mapping[str, str]
    order_format: OrderFormat = field(default_factory=OrderFormat)
    fold_case: bool = False


@dataclass(frozen=True)
class CleanWeek:
    """Clean and rejected rows of a week, in the order of file and row.

    Attributes
    ----------
    clean
        Clean rows, with the columns of CLEAN_ORDERS.
    rejected
        All other rows, with the columns of raw_orders and those that REJECTED_ORDERS adds; the reason is the first of
        REJECTION_REASONS that applies.
    summary
        ORDER_FILE_SUMMARY of the week.
    """

    clean: pa.Table
    rejected: pa.Table
    summary: pa.Table


def clean_week(raw: pa.Table, week: date, rules: CleaningRules) -> CleanWeek:
    """Separate the raw rows of a week into clean and rejected ones.

    Parameters
    ----------
    raw
        Rows of raw_orders of the week.
    week
        Monday of the week.
    rules
        How to read the rows.
    """
    raw = raw.sort_by([(name, "ascending") for name in ROW]).combine_chunks()
    values = _values(raw, rules)
    landed = [name for name in raw.schema.names if name not in RAW_ORDERS.names]
    violations = _violations(raw, values, week) | {
        "bad_due_date": _unread(_landed(raw, rules.landed_names["due_date"]), values["due_date"]),
    }
    cancels = _cancels(values, violations)
    usable = pc.or_(cancels, pc.invert(reduce(pc.or_, violations.values())))
    newest_of = partial(newest_equal, raw, values["order_id"], values["line_id"], landed)
    newest = newest_of(usable)
    cancelled = _cancelled(cancels, newest_of(cancels)) if pc.any(cancels).as_py() else cancels
    violations |= {"cancelled": cancelled, "duplicate": newest.is_valid()}
    reason = pc.coalesce(
        *(pc.if_else(violations[name], name, pa.scalar(None, pa.string())) for name in REJECTION_REASONS)
    )
    rejected = pc.is_valid(reason)
    duplicate = pc.equal(reason, "duplicate").fill_null(False)
    intended = pc.is_in(reason, pa.array(INTENDED))
    details = {"reason": reason, **_replacements(values, pc.if_else(duplicate, newest, None))}
    clean = pa.table([values[name] for name in CLEAN_ORDERS.names], CLEAN_ORDERS.names)
    clean = clean.filter(pc.invert(rejected))
    return CleanWeek(
        clean,
        pa.table({**dict(zip(raw.schema.names, raw.columns, strict=True)), **details}).filter(rejected),
        _summary(raw, clean, pc.and_(rejected, pc.invert(intended)), rules),
    )


def _replacements(values: Mapping[str, pa.Array], newest: pa.Array) -> dict[str, pa.Array]:
    """Return for each row that repeats a newer one: the newer row, and which of its names differ."""
    file, number = (values[name].take(newest) for name in ROW)
    replaced_by = pc.binary_join_element_wise(file, number.cast(pa.string()), " row ")
    part, region = (
        pc.not_equal(values[name].take(newest), values[name]).fill_null(False)
        for name in ("part_id", "region")
    )
    differing = pc.case_when(
        pc.make_struct(pc.and_(part, region), part, region), "part_id, region", "part_id", "region"
    )
    return {"replaced_by": replaced_by, "replaced_in": differing.cast(pa.string())}


def _summary(raw: pa.Table, clean: pa.Table, rejected: pa.Array, rules: CleaningRules) -> pa.Table:
    """Compute ORDER_FILE_SUMMARY of a week; `rejected` is false for duplicates and cancellations."""
    lost = raw.filter(rejected)
    # A rough size of what is missing is enough, so any number format is accepted.
    formats = [rules.order_format, *_NUMBER_FORMATS]
    quantity = _landed(lost, rules.landed_names["quantity"])
    units = pc.coalesce(*(parse_numbers(quantity, known, prices=False) for known in formats), 0.0)
    lost = pa.table({"source_file": lost["source_file"], "units": pc.max_element_wise(units, 0.0)})
    files = raw["source_file"].value_counts()
    columns = {"source_file": files.field("values"), "rows": files.field("counts")}
    for name, aggregate, rows in (
        ("rejected_rows", ("units", "count"), lost),
        ("units", ("quantity", "sum"), clean),
        ("rejected_units", ("units", "sum"), lost),
    ):
        by_file = rows.group_by("source_file", use_threads=False).aggregate([aggregate])
        position = pc.index_in(columns["source_file"], by_file["source_file"].combine_chunks())
        columns[name] = by_file["_".join(aggregate)].combine_chunks().take(position).fill_null(0)
    return pa.table(columns)


def _values(raw: pa.Table, rules: CleaningRules) -> dict[str, pa.Array]:
    """Parse the columns of CLEAN_ORDERS in every row; null where a text cannot be read."""
    text = {name: _landed(raw, landed) for name, landed in rules.landed_names.items()}
    names = {
        name: (normalise_ids if name in _IDS else normalise_names)(
            text[name], rules.fold_case and name in ("part_id", "region", "part_category")
        )
        for name in (*_IDS, "region", "part_category")
    }
    return {
        **names,
        "part_category": names["part_category"].fill_null(DEFAULT_CATEGORY),
        "order_date": parse_moments(text["order_date"], rules.order_format.date),
        "due_date": parse_moments(text["due_date"], rules.order_format.date),
        "quantity": parse_numbers(text["quantity"], rules.order_format, prices=False),
        "unit_price": parse_numbers(text["unit_price"], rules.order_format, prices=True),
        **{name: raw[name].combine_chunks() for name in ROW},
    }


def _violations(raw: pa.Table, values: Mapping[str, pa.Array], week: date) -> dict[str, pa.Array]:
    """Return for each reason where a row is rejected for it."""
    problem = _column(raw, "row_problem")
    # Rows without a readable date are in the week of their file, so a date in another week was not read correctly.
    elsewhere = pc.not_equal(weeks_of_moments(values["order_date"]), pa.scalar(week, pa.date32()))
    rounded = [is_rounded_number(values[name]) for name in _IDS]
    return {
        **{name: pc.equal(problem, name).fill_null(False) for name in ROW_PROBLEMS},
        "bad_date": elsewhere.fill_null(True),
        "bad_quantity": values["quantity"].is_null(),
        "non_positive_quantity": pc.less_equal(values["quantity"], 0).fill_null(False),
        "bad_price": values["unit_price"].is_null(),
        "non_positive_price": pc.less_equal(values["unit_price"], 0).fill_null(False),
        "missing_part": values["part_id"].is_null(),
        "missing_region": values["region"].is_null(),
        "rounded_id": pc.or_(pc.or_(rounded[0], rounded[1]), rounded[2]),
    }


def _cancels(values: Mapping[str, pa.Array], violations: Mapping[str, pa.Array]) -> pa.Array:
    """Return which rows cancel the order line with their numbers: those with the quantity zero."""
    readable = [pc.invert(violations[name]) for name in (*ROW_PROBLEMS, "bad_date", "rounded_id")]
    numbered = [values[name].is_valid() for name in ("order_id", "line_id")]
    return reduce(pc.and_, [pc.equal(values["quantity"], 0).fill_null(False), *readable, *numbered])


def _cancelled(cancels: pa.Array, newest: pa.Array) -> pa.Array:
    """Return which rows cancel an order line that was landed before; a quantity of zero may also be a mistake.

    `newest` is the newest row with the quantity zero that is newer than each row and has its numbers.
    """
    cancelling = newest.filter(pc.invert(cancels)).drop_null()
    repeated = pc.coalesce(newest, pa.array(range(len(newest)), pa.int64()))
    return pc.and_(cancels, pc.is_in(repeated, cancelling))


def _unread(text: pa.Array, value: pa.Array) -> pa.Array:
    """Return where there is a text, but its value could not be read."""
    return pc.and_(trim(text).is_valid(), value.is_null())


def _landed(raw: pa.Table, landed: str) -> pa.Array:
    return _column(raw, raw_name(landed))


def _column(raw: pa.Table, name: str) -> pa.Array:
    """Return a column of raw_orders; nulls if there is no column of that name."""
    if name not in raw.schema.names:
        return pa.nulls(len(raw), pa.string())
    return raw[name].combine_chunks()
