"""What planners say about past demand: weeks that count differently, and parts that take over from other parts.

Both are rows of the history with a `note`. Each has the week at whose end it became known, so that forecasts use only
what was known at their origin.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.cleaning import CategoryLimits, Corrections
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import weeks_apart, weeks_of, weeks_since

#: Columns of the rows of the history that are notes: `quantity` in units, `value` is a share, `known` the week at whose
#: end the note became known; of a succession also the other part, and the week at whose end the note no longer holds.
NOTE_COLUMNS = [
    *SERIES,
    "part_category",
    "week",
    "note",
    "quantity",
    "value",
    "known",
    "other_part_id",
    "until",
]
#: Notes of weeks, as planners enter them.
EXCLUDE, KEEP = "exclude", "keep"
#: Notes that follow from a succession: demand of the predecessor, in a row of its successor; and that a successor has
#: taken over, in a row of the predecessor.
INHERITED, SUCCEEDED = "inherited", "succeeded"
#: The share of its demand that a part keeps at least: it sets the scale of what is still ordered.
MIN_REMAINING = 0.01
#: Later orders of a part that keeps less than this share of its demand are no outliers: the limits of outliers come
#: from demand before its successors took over.
MOSTLY_SUCCEEDED = 0.5


@dataclass(frozen=True)
class NotedDemand:
    """The demand of some series with what planners say about it.

    Attributes
    ----------
    demand
        Demand that counts as that of the series, (series, weeks) in units: that of its predecessors is added before it
        takes over, and what its successors take over is left out. A series begins with the first week that is not
        excluded, so orders in excluded weeks before it are left out as well.
    corrections
        Weeks that count differently.
    """

    demand: np.ndarray
    corrections: Corrections


def split_notes(history: pd.DataFrame, last: date) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the rows that are no notes, and the notes known at the end of the week `last`, None if there are none."""
    if "note" not in history:
        return history, None
    noted = history["note"].notna()
    now = pd.Timestamp(last)
    notes = history[noted & (history["known"] <= now) & ~(history["until"] <= now)]
    return history[~noted], notes if len(notes) else None


def noted_rows(history: pd.DataFrame) -> pd.DataFrame | None:
    """Return the rows of demand that corrections are about, with `note` and `known` of these; None if there are none.

    `history` holds demand and corrections. A row has as many copies as corrections.
    """
    if "note" not in history:
        return None
    corrections = history.loc[history["note"].isin([EXCLUDE, KEEP]), [*SERIES, "week", "note", "known"]]
    demand = history.loc[history["note"].isna(), [*SERIES, "part_category", "week", "quantity"]]
    rows = demand.merge(corrections, on=[*SERIES, "week"])
    return rows if len(rows) else None


def by_knowledge(
    history: pd.DataFrame, origins: Sequence[date], noted: pd.DataFrame | None = None
) -> Iterator[tuple[list[date], pd.DataFrame]]:
    """Group origins that know the same notes, so that none of them uses what became known later.

    Parameters
    ----------
    history
        Demand and notes, see `Panel.from_history`.
    origins
        Weeks to forecast from.
    noted
        Further notes that the forecasts use, with the week `known`: those of the totals, which are about all series.

    Yields
    ------
    tuple
        Some of the origins, and the history without the notes that became known after them.
    """
    weeks, dates = np.array(sorted(origins), dtype="datetime64[ns]"), []
    is_note = history["note"].notna() if "note" in history else None
    if is_note is not None:
        notes = history.loc[is_note, [*SERIES, "note", "other_part_id", "known", "until"]]
        # A succession has many rows but becomes known once.
        once = notes["note"] == SUCCEEDED
        first = notes[once].sort_values("known").drop_duplicates([*SERIES, "other_part_id"])
        dates += [notes.loc[~once, "known"], first["known"], notes["until"].dropna()]
    if noted is not None:
        dates.append(noted["known"])
    known = np.unique(np.concatenate([np.empty(0, weeks.dtype), *(of.to_numpy(weeks.dtype) for of in dates)]))
    group = np.searchsorted(known[known > weeks[0]], weeks, side="right")
    for number in np.unique(group):
        of_group = weeks[group == number]
        earlier = history
        if is_note is not None:
            earlier = history[~(is_note & (history["known"] > of_group[-1]))]
        yield [pd.Timestamp(week).date() for week in of_group], earlier


def noted_demand(
    demand: np.ndarray,
    series: pd.DataFrame,
    first: date,
    notes: pd.DataFrame | None,
    limits: CategoryLimits | None,
) -> NotedDemand:
    """Apply notes to the demand of some series, and exclude absurd quantities.

    Parameters
    ----------
    demand
        (series, weeks), in units: the orders of each series.
    series
        part_id, region and part_category of each row of `demand`.
    first
        The first week of `demand`.
    notes
        Notes that are known, see `split_notes`; None if there are none.
    limits
        Limits above which demand does not count, unless planners keep it; None for no limits.
    """
    notes, n_weeks = _located(notes, series, first), demand.shape[1]

    def of(note: str) -> pd.DataFrame:
        return notes[notes["note"] == note]

    marked = {note: np.zeros(demand.shape, dtype=bool) for note in (EXCLUDE, KEEP)}
    weekly = notes[notes["note"].isin(list(marked)) & notes["column"].between(0, n_weeks - 1)]
    newest = weekly.sort_values("known", kind="stable").drop_duplicates(["row", "column"], keep="last")
    for note, where in marked.items():
        rows = newest[newest["note"] == note]
        where[rows["row"], rows["column"]] = True
    counted, kept = demand, marked[KEEP]
    if len(inherited := of(INHERITED)):
        counted = counted + _inherited(inherited, demand.shape)
    absurd = np.zeros(demand.shape, dtype=bool)
    if limits is not None:
        known = weeks_apart(first, limits.week)
        absurd = limits.exceeded(counted, series["part_category"].tolist(), known)
        absurd &= ~marked[KEEP] & ~marked[EXCLUDE]
    if len(successions := of(SUCCEEDED)):
        remaining = _remaining(successions, demand.shape)
        counted = counted * remaining
        # What is still ordered is out of proportion to what is left of earlier demand.
        kept = kept | ((remaining == 1) & (remaining.min(axis=1, keepdims=True) < MOSTLY_SUCCEEDED))
    excluded = marked[EXCLUDE]
    corrections = Corrections(excluded, kept & ~excluded & ~absurd, absurd if absurd.any() else None)
    begun = np.logical_or.accumulate((counted > 0) & ~corrections.not_counted, axis=1)
    return NotedDemand(np.where(begun, counted, 0.0), corrections)


def _located(notes: pd.DataFrame | None, series: pd.DataFrame, first: date) -> pd.DataFrame:
    """Return the notes of some series, with the `row` and the `column` that each is about."""
    if notes is None:
        return pd.DataFrame(columns=[*NOTE_COLUMNS, "row", "column"]).astype({"row": int, "column": int})
    keys = pd.MultiIndex.from_frame(series[SERIES])
    row = keys.get_indexer(pd.MultiIndex.from_frame(notes[SERIES].astype(object)))
    return notes.assign(row=row, column=weeks_since(first, notes["week"]))[row >= 0]


def _remaining(successions: pd.DataFrame, shape: tuple[int, ...]) -> np.ndarray:
    """Share of its demand that each series keeps as if its successors had been there all along, (series, weeks).

    It is one from the week in which the last of them has taken over. Orders after the first has taken over are already
    without its share.
    """
    taken, coming = np.zeros(shape), np.zeros(shape)
    for row, begun, share in zip(*(successions[c] for c in ("row", "column", "value")), strict=True):
        coming[row, : max(begun, 0)] += share
        taken[row, max(begun, 0) :] += share
    left = 1 - taken
    of_left = np.divide(coming, left, out=np.zeros(shape), where=left > 0)
    return np.asarray(np.clip(1 - of_left, MIN_REMAINING, 1.0))


def _inherited(rows: pd.DataFrame, shape: tuple[int, ...]) -> np.ndarray:
    """Units that each series inherits, (series, weeks)."""
    total = np.zeros(shape)
    rows = rows[rows["column"].between(0, shape[1] - 1)]
    np.add.at(total, (rows["row"].to_numpy(), rows["column"].to_numpy()), rows["quantity"].to_numpy(float))
    return total


def correction_notes(corrections: pd.DataFrame) -> pd.DataFrame:
    """Return rows of demand_corrections planning files as notes.

    Of several rows for the same part, region and week, the one that was entered last counts, then the later row.

    Parameters
    ----------
    corrections
        part_id, region, week, action and entered.

    Returns
    -------
    DataFrame
        NOTE_COLUMNS.
    """
    known = weeks_of(corrections["entered"]).astype("datetime64[ns]")
    rows = corrections.assign(known=known).sort_values("entered", kind="stable")
    rows = rows.drop_duplicates([*SERIES, "week", "known"], keep="last")
    notes = rows.assign(note=rows["action"], quantity=0.0)
    return notes.reindex(columns=NOTE_COLUMNS).astype({"until": "datetime64[ns]"})
