"""Checks from raw orders to weekly demand: no order line is lost, counted twice, misdated or silently ignored."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.findings import Finding
from forecasting_assets.orders.cleaning import INTENDED
from forecasting_assets.orders.moved_lines import MOVED_WEEKS, MovedLines
from forecasting_assets.orders.quality import CleanStatistics
from forecasting_assets.orders.raw import raw_name
from forecasting_assets.orders.text import normalise_spelling
from forecasting_assets.weeks import add_weeks
from forecasting_assets.wording import count, listed

NO_ORDERS = Finding(True, "no orders in the week")
#: Number of earlier weeks that the volume and the names of a week are compared with.
VOLUME_WEEKS = 26
#: Fewer earlier weeks than this are not enough to judge the volume of a week.
_MINIMUM_WEEKS = 8
#: Number of reasons shown for each file, the most common first.
_REASONS_SHOWN = 3
#: Column that is wrong in a row rejected for a reason.
_COLUMN_OF_REASON = {
    "bad_date": "order_date",
    "bad_due_date": "due_date",
    "bad_quantity": "quantity",
    "non_positive_quantity": "quantity",
    "bad_price": "unit_price",
    "non_positive_price": "unit_price",
    "rounded_id": "part_id",
}


def check_conservation(raw: int, clean: int, rejected: int) -> Finding:
    """Check that every raw row is either clean or rejected, exactly once."""
    lost = raw - clean - rejected
    description = (
        "every row is clean or rejected"
        if not lost
        else f"{count(abs(lost), 'row')} {'lost' if lost > 0 else 'too many'}"
    )
    return Finding(lost == 0, description, {"raw_rows": raw, "clean_rows": clean, "rejected_rows": rejected})


def check_unique(statistics: CleanStatistics | None) -> Finding:
    """Check that no landed row and no (order_id, line_id) counts twice."""
    if statistics is None:
        return NO_ORDERS
    repeated = statistics.rows - statistics.lines
    metadata = {"rows": statistics.rows, "repeated": repeated}
    return Finding(repeated == 0, f"{count(repeated, 'order line')} counted more than once", metadata)


def check_dates(statistics: CleanStatistics | None, week: date) -> Finding:
    """Check that all order dates lie within the week."""
    if statistics is None:
        return NO_ORDERS
    earliest, latest = statistics.earliest, statistics.latest
    inside = week <= earliest.date() and latest.date() < add_weeks(week, 1)
    metadata = {"earliest": str(earliest), "latest": str(latest)}
    return Finding(inside, f"orders are dated {earliest} to {latest}", metadata)


def check_present(statistics: CleanStatistics | None) -> Finding:
    """Check that no value is missing and that all quantities and prices are positive."""
    if statistics is None:
        return NO_ORDERS
    broken = statistics.broken
    description = f"{count(broken, 'row')} with a missing or non-positive value"
    return Finding(broken == 0, description, {"broken_rows": broken})


def check_due_dates(statistics: CleanStatistics | None) -> Finding:
    """Check that no order is wanted on a day before it was ordered; such orders count in the week of the order."""
    if statistics is None:
        return NO_ORDERS
    early = statistics.due_before_ordered
    description = (
        f"{count(early, 'order line')} with a due date before the order date, such as {statistics.due_example}: "
        "counted as wanted in the week of the order. Correct the dates, or map another column to due_date in "
        "[orders.columns]"
        if early
        else "no order is wanted before it was ordered"
    )
    return Finding(early == 0, description, {"order_lines": early})


def check_moved(moved: MovedLines) -> Finding:
    """Check that no order line of the week is in another week nearby as well."""
    if moved.problem:
        return Finding(False, f"order lines could not be compared with those of other weeks: {moved.problem}")
    if not moved.count:
        return Finding(
            True, f"no order line is in another of the {MOVED_WEEKS} weeks before and after as well"
        )
    return Finding(
        False,
        f"{count(moved.count, 'order line')} also in another week, so that both count: {'; '.join(moved.examples)}. "
        "Where an order date was corrected, land the line with its old date and the quantity 0",
        {"order_lines": moved.count},
    )


def check_not_due(book: pd.DataFrame, week: date) -> Finding:
    """Check that the order book at the end of `week` holds no units that were due by then."""
    due = book["due_week"] <= pd.Timestamp(week)
    units = float(book.loc[due, "quantity"].sum())
    description = f"{units:,.0f} units that were due by {week} are still in the order book"
    if not due.any():
        description = "all units in the order book are due in later weeks"
    return Finding(not due.any(), description, {"units": units})


def check_volume(units: pd.Series, week: date, limit: float) -> Finding:
    """Compare the week's units with the median of earlier weeks, in robust standard deviations (1.4826 MAD).

    Parameters
    ----------
    units
        Total units, indexed by week, including the checked week; weeks without orders are zero.
    week
        Week to check.
    limit
        Number of robust standard deviations above which the check fails.
    """
    past = units[units.index < pd.Timestamp(week)].to_numpy(float)
    now = float(units.get(pd.Timestamp(week), 0.0))
    if len(past) < _MINIMUM_WEEKS:
        description = (
            f"only {count(len(past), 'earlier week')}: at least {_MINIMUM_WEEKS} are needed to judge"
        )
        return Finding(True, description, {"units": now})
    median = float(np.median(past))
    # The deviation of a steady series is almost zero; within 5 % of its level nothing is unusual.
    deviation = max(1.4826 * float(np.median(np.abs(past - median))), 0.05 * median)
    score = (now - median) / deviation if deviation else 0.0
    usual = f"the median of {len(past)} weeks ({median:,.0f})"
    description = f"{count(now, 'unit')}, {score:+.1f} robust standard deviations from {usual}"
    metadata = {"units": now, "median_units": median, "robust_deviations": score}
    return Finding(abs(score) <= limit, description, metadata)


def check_rejections(
    summary: pd.DataFrame, rejected: pd.DataFrame, landed_names: Mapping[str, str], limit: float
) -> Finding:
    """Check that in no file more than a small share of the rows or units is rejected.

    Duplicates and cancellations do not count. The limit for rows is raised by three standard deviations of the
    binomial distribution, so that a single bad row in a short file does not fail the check.

    Parameters
    ----------
    summary
        ORDER_FILE_SUMMARY of the week.
    rejected
        REJECTED_ORDERS of the week.
    landed_names
        Platform name -> landed name of the columns of an order line.
    limit
        Share of the rows or units of a file.
    """
    rows, lost = summary["rows"], summary["rejected_rows"]
    units = summary["units"] + summary["rejected_units"]
    share_of_units = (summary["rejected_units"] / units.where(units > 0)).fillna(0.0)
    many = lost > limit * rows + 3 * np.sqrt(limit * (1 - limit) * rows)
    # Few rows with many of the units: large orders are written in another format than small ones.
    heavy = (share_of_units > limit) & (share_of_units > 3 * lost / rows)
    metadata = {
        "rejected_rows": int(lost.sum()),
        "rejected_share": float(lost.sum() / max(rows.sum(), 1)),
        "rejected_units": float(summary["rejected_units"].sum()),
    }
    failed = summary.assign(share_of_units=share_of_units)[many | heavy]
    if failed.empty:
        description = f"{int(lost.sum()):,} of {count(int(rows.sum()), 'row')} rejected"
        return Finding(True, description, metadata)
    lines = [
        f"{file.source_file}: {file.rejected_rows:,} of {count(file.rows, 'row')} rejected, with about "
        f"{100 * file.share_of_units:.0f} % of the units: "
        + _reasons(rejected[rejected["source_file"] == file.source_file], landed_names)
        for file in failed.sort_values("rejected_rows", ascending=False).itertuples()
    ]
    remedy = "See the table rejected_orders; set the format of dates and numbers in [orders.format]"
    return Finding(False, "\n".join([*lines[:10], remedy]), metadata | {"files": len(failed)})


def _reasons(rejected: pd.DataFrame, landed_names: Mapping[str, str]) -> str:
    """List the most common reasons of a file, each with an example."""
    rejected = rejected[~rejected["reason"].isin(INTENDED)]
    counts = rejected["reason"].value_counts()
    shown = []
    for reason, rows in counts.head(_REASONS_SHOWN).items():
        example = rejected[rejected["reason"] == reason].iloc[0]
        column = raw_name(landed_names.get(_COLUMN_OF_REASON.get(str(reason), ""), ""))
        value = f"{example[column]!r} in " if column in rejected.columns else ""
        shown.append(f"{reason} in {count(rows, 'row')} (such as {value}row {example['source_row']:,})")
    return "; ".join(shown)


def check_names(names: Mapping[str, Sequence[str]]) -> Finding:
    """Check that no two names differ only by case, inner white space, or zeros before a number.

    Parameters
    ----------
    names
        Column -> the distinct names in it.
    """
    similar = []
    for column, distinct in names.items():
        spellings = pd.Series(sorted(distinct), dtype=object)
        # Spreadsheets drop the zeros at the beginning of a number.
        folded = normalise_spelling(spellings).str.replace(r"^0+(?=\d+$)", "", regex=True)
        groups = spellings.groupby(folded.to_numpy())
        similar += [f"{column} {' / '.join(map(repr, group))}" for _, group in groups if len(group) > 1]
    if not similar:
        return Finding(True, "no names differ only by case, white space or zeros before a number")
    return Finding(
        False,
        f"names differ only by case, white space or zeros before a number: {listed(similar, 10, '; ')}. If they mean "
        "the same, set [orders] fold_case = true for case and white space, and land lines without lost zeros",
        {"names": len(similar)},
    )


def check_line_numbers(rejected: pd.DataFrame) -> Finding:
    """Check that no order line was replaced by one with the same number for another part or region.

    Parameters
    ----------
    rejected
        REJECTED_ORDERS of the week.
    """
    differing = rejected[rejected["replaced_in"].notna()]
    if differing.empty:
        return Finding(True, "every repeated order line is for the same part and region")
    first = differing.iloc[0]
    return Finding(
        False,
        f"{count(len(differing), 'order line')} replaced by a newer line with the same order and line number but for "
        f"another part or region, such as {first['source_file']} row {first['source_row']} by {first['replaced_by']}. "
        "If each branch numbers its own orders, add the branch to order_id",
        {"order_lines": len(differing)},
    )


def check_calendar(strays: Mapping[date, Sequence[str]], first_week: date, described_weeks: str) -> Finding:
    """Check that no file holds orders of weeks without a partition: before the first week, or in the future.

    Parameters
    ----------
    strays
        Week without a partition -> names of the files with orders of that week.
    first_week
        First week of history.
    described_weeks
        The weeks of `strays`, as text.
    """
    names = sorted({name for files in strays.values() for name in files})
    description = (
        f"{listed(names, 5)}: orders of {described_weeks}, which have no partition. Correct their dates, or set an "
        f"earlier [calendar] first_week (now {first_week}) if the orders are that old"
        if strays
        else "every order belongs to a week with a partition"
    )
    return Finding(not strays, description, {"weeks": len(strays), "files": len(names)})
