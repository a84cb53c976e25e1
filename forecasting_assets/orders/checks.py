"""Checks from raw orders to weekly demand: nothing lost, nothing twice, nothing from the future, nothing in silence."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.findings import Finding
from forecasting_assets.orders.quality import CleanStatistics
from forecasting_assets.orders.raw import raw_name
from forecasting_assets.orders.text import normalise_spelling
from forecasting_assets.weeks import add_weeks
from forecasting_assets.wording import listed

NO_ORDERS = Finding(True, "no orders in the week")
#: Weeks before a week with which its volume and names are compared.
VOLUME_WEEKS = 26
#: Weeks that are too few to say what is usual.
_TOO_FEW = 8
#: Reasons shown of each file, the commonest first.
_REASONS_SHOWN = 3
#: The column that is wrong where a row is rejected for a reason.
_COLUMN_OF_REASON = {
    "bad_date": "order_date",
    "bad_quantity": "quantity",
    "non_positive_quantity": "quantity",
    "bad_price": "unit_price",
    "non_positive_price": "unit_price",
    "rounded_id": "part_id",
}


def check_conservation(raw: int, clean: int, rejected: int) -> Finding:
    """Every raw row is clean or rejected, once."""
    lost = raw - clean - rejected
    description = (
        "every row is clean or rejected"
        if not lost
        else f"{abs(lost):,} rows {'lost' if lost > 0 else 'too many'}"
    )
    return Finding(lost == 0, description, {"raw_rows": raw, "clean_rows": clean, "rejected_rows": rejected})


def check_unique(statistics: CleanStatistics | None) -> Finding:
    """No landed row and no (order_id, line_id) counts twice."""
    if statistics is None:
        return NO_ORDERS
    repeated = statistics.rows - statistics.lines
    metadata = {"rows": statistics.rows, "repeated": repeated}
    return Finding(repeated == 0, f"{repeated:,} order lines count twice", metadata)


def check_dates(statistics: CleanStatistics | None, week: date) -> Finding:
    """All order dates lie within the week."""
    if statistics is None:
        return NO_ORDERS
    earliest, latest = statistics.earliest, statistics.latest
    inside = week <= earliest.date() and latest.date() < add_weeks(week, 1)
    metadata = {"earliest": str(earliest), "latest": str(latest)}
    return Finding(inside, f"orders are dated {earliest} to {latest}", metadata)


def check_present(statistics: CleanStatistics | None) -> Finding:
    """No value is missing, no quantity or price zero or less."""
    if statistics is None:
        return NO_ORDERS
    broken = statistics.broken
    return Finding(
        broken == 0, f"{broken:,} rows with a missing or non-positive value", {"broken_rows": broken}
    )


def check_volume(units: pd.Series, week: date, limit: float) -> Finding:
    """The week's units against the median of earlier weeks, in robust standard deviations (1.4826 MAD).

    Parameters
    ----------
    units
        Total units, indexed by week, the checked one included; weeks without orders are zero.
    week
        The checked week.
    limit
        Robust standard deviations beyond which the check fails.
    """
    past = units[units.index < pd.Timestamp(week)].to_numpy(float)
    now = float(units.get(pd.Timestamp(week), 0.0))
    if len(past) < _TOO_FEW:
        return Finding(True, f"{len(past)} earlier weeks are too few to judge", {"units": now})
    median = float(np.median(past))
    # A steady series has no deviation to speak of; within 5 % of its level nothing is unusual.
    deviation = max(1.4826 * float(np.median(np.abs(past - median))), 0.05 * median)
    score = (now - median) / deviation if deviation else 0.0
    usual = f"the median of {len(past)} weeks ({median:,.0f})"
    description = f"{now:,.0f} units, {score:+.1f} robust deviations from {usual}"
    metadata = {"units": now, "median_units": median, "robust_deviations": score}
    return Finding(abs(score) <= limit, description, metadata)


def check_rejections(
    summary: pd.DataFrame, rejected: pd.DataFrame, landed_names: Mapping[str, str], limit: float
) -> Finding:
    """No file has more than a few rejected rows, nor rejected rows with more than a few of its units.

    Duplicates do not count. A small file may exceed the limit by three standard deviations of what chance does at the
    limit, so that a single bad row in a short file is no news.

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
    # Few rows with many of the units: the large orders are written in another way than the others.
    heavy = (share_of_units > limit) & (share_of_units > 3 * lost / rows)
    metadata = {
        "rejected_rows": int(lost.sum()),
        "rejected_share": float(lost.sum() / max(rows.sum(), 1)),
        "rejected_units": float(summary["rejected_units"].sum()),
    }
    failed = summary.assign(share_of_units=share_of_units)[many | heavy]
    if failed.empty:
        return Finding(True, f"{int(lost.sum()):,} of {int(rows.sum()):,} rows are rejected", metadata)
    lines = [
        f"{file.source_file}: {file.rejected_rows:,} of {file.rows:,} rows with about "
        f"{file.share_of_units:.0%} of its units are rejected: "
        + _reasons(rejected[rejected["source_file"] == file.source_file], landed_names)
        for file in failed.sort_values("rejected_rows", ascending=False).itertuples()
    ]
    remedy = "See the table rejected_orders; [orders.format] says how dates and numbers are written"
    return Finding(False, "\n".join([*lines[:10], remedy]), metadata | {"files": len(failed)})


def _reasons(rejected: pd.DataFrame, landed_names: Mapping[str, str]) -> str:
    """The commonest reasons of a file, each with an example."""
    rejected = rejected[rejected["reason"] != "duplicate"]
    counts = rejected["reason"].value_counts()
    shown = []
    for reason, count in counts.head(_REASONS_SHOWN).items():
        example = rejected[rejected["reason"] == reason].iloc[0]
        column = raw_name(landed_names.get(_COLUMN_OF_REASON.get(str(reason), ""), ""))
        value = f", as {example[column]!r}" if column in rejected.columns else ", as"
        times = "once" if count == 1 else f"{count:,} times"
        shown.append(f"{reason} {times}{value} in row {example['source_row']}")
    return "; ".join(shown)


def check_names(names: Mapping[str, Sequence[str]]) -> Finding:
    """No two names differ only by case or inner white space.

    Parameters
    ----------
    names
        Column -> the distinct names in it.
    """
    spelled = []
    for column, found in names.items():
        spellings = pd.Series(sorted(found), dtype=object)
        groups = spellings.groupby(normalise_spelling(spellings).to_numpy())
        spelled += [f"{column} {' / '.join(map(repr, group))}" for _, group in groups if len(group) > 1]
    if not spelled:
        return Finding(True, "no names differ only by case or white space")
    return Finding(
        False,
        f"names differ only by case or white space: {listed(spelled, 10, '; ')}. If they are one, set [orders] "
        "fold_case = true",
        {"names": len(spelled)},
    )


def check_line_numbers(rejected: pd.DataFrame) -> Finding:
    """No order line was replaced by one of the same number for another part or region.

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
        f"{len(differing):,} order lines were replaced by a newer line of the same order and line number, but for "
        f"another part or region, as {first['source_file']} row {first['source_row']} by {first['replaced_by']}. If "
        "branches number their orders by themselves, put the branch into order_id",
        {"order_lines": len(differing)},
    )


def check_calendar(strays: Mapping[date, Sequence[str]], first_week: date, described_weeks: str) -> Finding:
    """No file holds orders of weeks that are not planned: before the first week of history, or to come.

    Parameters
    ----------
    strays
        Such a week -> names of the files with orders of it.
    first_week
        First week of history.
    described_weeks
        The weeks of `strays`, as text.
    """
    names = sorted({name for files in strays.values() for name in files})
    description = (
        f"{listed(names, 5)}: orders of {described_weeks}, which no partition holds. Correct their dates, or set "
        f"[calendar] first_week (now {first_week}) if they are older orders"
        if strays
        else "every order is of a week that is planned"
    )
    return Finding(not strays, description, {"weeks": len(strays), "files": len(names)})
