"""Turn the clean lines of a week into the rows that land: as text, with dirt, late rows and resent rows.

Every dirty row has exactly one known reason for rejection (`tables.REJECTION_REASONS`).
"""

import numpy as np
import pandas as pd

from forecasting_assets.demo.demand import MAX_UNITS
from forecasting_assets.demo.files import TYPED, file_plan
from forecasting_assets.demo.market import Marketplace

#: Reason for rejection -> the column that is spoiled, and the texts it may then hold.
SPOILED: dict[str, tuple[str, list[str | None]]] = {
    "bad_date": ("order_date", ["31/02/2024", "yesterday", "", "2024-13-45", "n/a"]),
    "bad_due_date": ("due_date", ["asap", "31/02/2024", "2024-13-45", "next week"]),
    "bad_quantity": ("quantity", ["two", "", "1,5", "12 pcs"]),
    "non_positive_quantity": ("quantity", ["0", "-1", "-25"]),
    "bad_price": ("unit_price", ["n/a", "", "on request", "1.234,50"]),
    "non_positive_price": ("unit_price", ["0", "0.00", "-9.90"]),
    "missing_part": ("part_id", ["", "  ", None]),
    "missing_region": ("region", ["", "  ", None]),
}
#: Reasons that need a column of text, and so cannot occur in files with typed columns.
UNTYPABLE = {"bad_date", "bad_due_date", "bad_quantity", "bad_price"}

#: Share of lines that are spoiled, for each reason.
SPOIL_RATE = 0.002
#: Share of lines that land in a later week.
LATE_RATE = 0.015
#: Share of clean lines that are sent again.
RESEND_RATE = 0.01
#: Share of spoiled lines that are sent again, corrected.
CORRECTION_RATE = 0.4
#: Weeks from an order to the last file that may hold it: up to 3 late, resent after up to 2, and after 1 more.
MAX_DELAY = 6

NOTES = np.array(
    [
        "",
        "rush, please",
        'mark as "sample"',
        "Größe prüfen, Tor 3",
        "至急, 納期厳守",
        "n° 5: façade",
        "call first",
    ],
    dtype=object,
)
CHANNELS = np.array(["web", "api", "sales"], dtype=object)


def landed_rows(lines: pd.DataFrame, market: Marketplace, week: int) -> pd.DataFrame:
    """Create the rows that land for the lines of a week, until the end of the history.

    Parameters
    ----------
    lines
        Result of `order_lines`.
    market
        The marketplace.
    week
        Number of the week, counted from 0.

    Returns
    -------
    DataFrame
        The order columns and two that the platform ignores (customer_note, sales_channel) as text, with

        - landing_week: number of the week in whose files the row lands
        - file: number of the file of that week (`files.file_plan`); -1 is the last
        - reason: reason for rejection, empty for clean rows

        Files keep this order of rows, so that of rows with the same (order_id, line_id) the newest comes last.
    """
    rng = market.rng("dirt", week)
    rows = _sent_first(lines, week, rng)
    again = _sent_again(rows, np.where(rows["reason"] == "", RESEND_RATE, CORRECTION_RATE), 3, rng)
    once_more = _sent_again(again, np.full(len(again), 0.15), 2, rng)
    rows = pd.concat([rows, again, once_more], ignore_index=True)

    text = _as_text(lines, rng).iloc[rows["line"]].reset_index(drop=True)
    corrected = rows["copy"] & (rng.random(len(rows)) < 0.5)
    quantity = lines["quantity"].to_numpy()[rows["line"]] + rng.integers(-5, 6, len(rows))
    text["quantity"] = text["quantity"].mask(corrected, pd.Series(quantity.clip(1, MAX_UNITS).astype(str)))
    if market.due_dates:
        _spoil_due_dates(rows, market, week)
    else:
        text = text.drop(columns="due_date")
    for reason, (column, texts) in SPOILED.items():
        at = np.flatnonzero(rows["reason"] == reason)
        if len(at):
            draws = market.rng(reason, week) if reason == "bad_due_date" else rng
            text.loc[at, column] = draws.choice(np.array(texts, dtype=object), len(at))

    # Rows beyond the history are dropped after all draws, so that the draws do not depend on where it ends.
    rows = rows[rows["landing_week"] < market.weeks]
    clean = rows[rows["reason"] == ""]
    rows.loc[clean.index[clean.duplicated("line", keep="last")], "reason"] = "duplicate"
    return text.join(rows[["landing_week", "file", "reason"]], how="inner").reset_index(drop=True)


def _sent_first(lines: pd.DataFrame, week: int, rng: np.random.Generator) -> pd.DataFrame:
    """Assign every line to a file, and spoil some."""
    n = len(lines)
    plan = file_plan(week)
    file = np.searchsorted([f.closing_day for f in plan], lines["order_date"].dt.dayofweek, side="right")
    # The first row of a file stays clean and on time, so that every file touches its own week.
    free = np.ones(n, dtype=bool)
    free[np.unique(file, return_index=True)[1]] = False
    typed = np.array([f.format in TYPED for f in plan])[file]
    reason = _reasons(free, typed, rng)
    # A row without a date belongs to the latest week of its file, so it must not be late.
    late = free & (reason != "bad_date") & (rng.random(n) < LATE_RATE)
    return pd.DataFrame(
        {
            "line": np.arange(n),
            "landing_week": week + np.where(late, rng.integers(1, 4, n), 0),
            "file": np.where(late, -1, file),
            "reason": reason,
            "copy": False,
        }
    )


def _sent_again(rows: pd.DataFrame, rate: np.ndarray, delays: int, rng: np.random.Generator) -> pd.DataFrame:
    """Copy some rows, clean, to the last file of the same week or of one of the next `delays - 1` weeks."""
    copies = rows[rng.random(len(rows)) < rate]
    landing_week = copies["landing_week"] + rng.integers(0, delays, len(copies))
    return copies.assign(landing_week=landing_week, file=-1, reason="", copy=True)


def _spoil_due_dates(rows: pd.DataFrame, market: Marketplace, week: int) -> None:
    """Spoil the due dates of some clean rows that are sent once, by draws of their own; see `_sent_first`."""
    rng = market.rng("due date dirt", week)
    on_time = rows["landing_week"] == week
    first_of_file = rows.index.isin(rows[on_time].drop_duplicates("file").index)
    typed = np.array([f.format in TYPED for f in file_plan(week)])[rows["file"]]
    free = (rows["reason"] == "") & ~rows.duplicated("line", keep=False) & ~first_of_file & ~typed
    rows.loc[free & (rng.random(len(rows)) < SPOIL_RATE), "reason"] = "bad_due_date"


def _reasons(free: np.ndarray, typed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw reasons for some of the free rows, at most one a row; the others have an empty text."""
    reason = np.full(len(free), "", dtype=object)
    for name in SPOILED:
        if name == "bad_due_date":  # see `_spoil_due_dates`
            continue
        possible = free & ~typed if name in UNTYPABLE else free
        pool = np.flatnonzero(possible & (reason == ""))
        count = min(rng.binomial(len(free), SPOIL_RATE), len(pool))
        reason[rng.choice(pool, count, replace=False)] = name
    return reason


def _as_text(lines: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    day = np.datetime_as_string(lines["order_date"].to_numpy(), "D")
    second = np.datetime_as_string(lines["order_date"].to_numpy(), "s")
    zulu = np.char.add(second, "Z")
    plain = pd.Series(second, dtype=object).str.replace("T", " ")
    with_time = np.where(rng.random(len(lines)) < 0.6, zulu, plain)
    has_note = rng.random(len(lines)) < 0.1
    text = {
        "order_id": lines["order_id"],
        "line_id": lines["line_id"].astype(str),
        "order_date": np.where(lines["date_only"], day, with_time),
        "due_date": lines["due_date"].dt.strftime("%Y-%m-%d").fillna(""),
        "part_id": lines["part_id"],
        "part_category": lines["part_category"],
        "region": lines["region"],
        "quantity": lines["quantity"].astype(str),
        "unit_price": np.char.mod("%.2f", lines["unit_price"].to_numpy()),
        "customer_note": NOTES[np.where(has_note, rng.integers(0, len(NOTES), len(lines)), 0)],
        "sales_channel": CHANNELS[rng.integers(0, len(CHANNELS), len(lines))],
    }
    return pd.DataFrame(text).astype(object)
