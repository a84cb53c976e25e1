"""Parts that take over from other parts, as notes of the history (`planner_notes`).

A succession moves a share of the demand of a part to its successor. Until the successor takes over, this share of the
part's orders counts as the successor's; from then on the orders of both count as they are. Where other successors have
taken over before, the orders of the part are already without their shares, so that a share is of what they have left.
A successor hands on what it has inherited to successors of its own. So no demand is lost or counted twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.planner_notes import INHERITED, NOTE_COLUMNS, SUCCEEDED
from forecasting_assets.planning.rows import narrowest_first
from forecasting_assets.tables import SERIES
from forecasting_assets.tables.frames import stack
from forecasting_assets.weeks import weeks_of

_WEEK = pd.Timedelta(weeks=1)
_COLUMNS = [*SERIES, "part_category", "week", "quantity"]


def succession_notes(
    demand: pd.DataFrame, rows: pd.DataFrame, corrections: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the notes that follow from successors for some rows of demand.

    Parameters
    ----------
    demand
        part_id, region, part_category, week and quantity; only weeks with orders.
    rows
        Rows of successors planning files: part_id, successor_id, region (missing for all), from_week, share (missing
        for all of the demand) and entered.
    corrections
        Notes of weeks, see `planner_notes.correction_notes`: successors inherit them with the demand.

    Returns
    -------
    DataFrame
        NOTE_COLUMNS. Each note holds from the week `known` to the week before `until`, in which a further row about
        the same parts was entered. A successor has taken over once it has orders of its own, or a successor of its own
        has.
    """
    known = weeks_of(rows["entered"]).astype("datetime64[ns]")
    rows = rows.assign(known=known, share=rows["share"].fillna(1.0))
    tables = [pd.DataFrame(columns=NOTE_COLUMNS)]
    for links in _connected(rows):
        orders = demand.loc[demand["part_id"].isin([*links["part_id"], *links["successor_id"]]), _COLUMNS]
        for region, of_region in orders.groupby("region", sort=False):
            corrected = None if corrections is None else corrections[corrections["region"] == region]
            about = narrowest_first(links, str(region))
            tables += [notes.assign(region=region) for notes in _versions(of_region, about, corrected)]
    return stack(tables)[NOTE_COLUMNS].astype(dict.fromkeys(["week", "known", "until"], "datetime64[ns]"))


def _connected(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows of parts that have to do with each other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    code, parts = pd.factorize(np.concatenate([rows["part_id"], rows["successor_id"]]))
    old, new = np.split(code, 2)
    graph = coo_array((np.ones(len(rows)), (old, new)), (len(parts), len(parts)))
    label = connected_components(graph, directed=False)[1][old]
    for _, links in rows.groupby(label, sort=False):
        yield links


def _versions(
    orders: pd.DataFrame, rows: pd.DataFrame, corrections: pd.DataFrame | None
) -> Iterator[pd.DataFrame]:
    """Yield the notes of parts of one region that have to do with each other, as known from some weeks on.

    Of `rows` about the same part and successor, the first that is known counts.
    """
    first = orders.groupby("part_id")["week"].min()
    between = first[first.index.isin(rows["part_id"]) & first.index.isin(rows["successor_id"])]
    dates = np.unique(np.concatenate([rows["known"], between[between > rows["known"].min()]]))
    for since, until in pairwise([*dates, np.datetime64("NaT", "ns")]):
        links = rows[rows["known"] <= since].drop_duplicates(["part_id", "successor_id"])
        known = _Successions.of(links, first, set(between.index[between > since]))
        notes = [known.inherited(orders), known.succeeded(orders)]
        if corrections is not None:
            notes.append(known.inherited_corrections(corrections, orders))
        table = stack(notes)
        table["known"] = np.maximum(table["known"].to_numpy("datetime64[ns]"), since)
        yield table[~(table["known"] >= until)].assign(until=until)


@dataclass(frozen=True)
class _Link:
    """A succession in one region: its share, the week in which it takes over, and when that is known."""

    share: float
    begin: pd.Timestamp
    known: pd.Timestamp


@dataclass(frozen=True)
class _Successions:
    """The successions of one region in which the successor has orders: part and successor to their succession."""

    links: dict[tuple[str, str], _Link]

    @classmethod
    def of(cls, rows: pd.DataFrame, first: pd.Series, not_yet: set[str]) -> "_Successions":
        """Find which successors take over.

        Parameters
        ----------
        rows
            part_id, successor_id, share and from_week of the successions.
        first
            Week of the first order of each part that has any.
        not_yet
            Parts of `first` that are taken as never ordered. Such parts are skipped: their successors take over from
            their predecessors.
        """
        planned: dict[tuple[str, str], tuple[float, pd.Timestamp]] = {}

        def plan(pair: tuple[str, str], share: float, begin: pd.Timestamp) -> None:
            before, week = planned.get(pair, (0.0, begin))
            planned[pair] = before + share, max(week, begin)

        pairs = zip(rows["part_id"], rows["successor_id"], strict=True)
        for pair, share, begin in zip(pairs, rows["share"], rows["from_week"], strict=True):
            plan(pair, share, begin)
        for skipped in sorted({new for _, new in planned if new not in first or new in not_yet}):
            came, goes = ([pair for pair in planned if pair[at] == skipped] for at in (1, 0))
            for (old, _), (_, new) in product(came, goes):
                (share, begin), (of_it, week) = planned[old, skipped], planned[skipped, new]
                if old != new:
                    plan((old, new), share * of_it, max(begin, week))
            for pair in came:
                del planned[pair]
        return cls(
            {
                (old, new): _Link(share, max(begin, first[new]), max(begin - _WEEK, first[new]))
                for (old, new), (share, begin) in planned.items()
            }
        )

    def _share(self, path: tuple[str, ...], weeks: pd.Series) -> np.ndarray:
        """Return the share of the demand of the first part of a path that the last one inherits, in some weeks."""
        share = np.ones(len(weeks))
        for part, successor in pairwise(path):
            link = self.links[part, successor]
            left = 1 - sum(
                np.where(other.begin <= weeks, other.share, 0.0)
                for (of, _), other in self.links.items()
                if of == part
            )
            of_left = np.divide(link.share, left, out=np.zeros(len(weeks)), where=left > 0)
            share *= np.where(weeks < link.begin, np.minimum(of_left, 1.0), 0.0)
        return share

    def _paths(self) -> Iterator[tuple[str, ...]]:
        """Yield the parts on each way on which demand is inherited; none of them meets a part twice."""
        paths: list[tuple[str, ...]] = list(self.links)
        while paths:
            yield from paths
            paths = [
                (*path, new)
                for path in paths
                for old, new in self.links
                if old == path[-1] and new not in path
            ]

    def _known(self, path: tuple[str, ...]) -> pd.Timestamp:
        """Return when it is known that all successors on a path have taken over."""
        return max(self.links[pair].known for pair in pairwise(path))

    def inherited(self, orders: pd.DataFrame) -> pd.DataFrame:
        """Return the demand that successors inherit."""
        tables = [orders[:0].assign(known=orders["week"][:0])]
        for path in self._paths():
            rows = orders[orders["part_id"] == path[0]]
            share = self._share(path, rows["week"])
            rows = rows.assign(
                part_id=path[-1],
                note=INHERITED,
                quantity=rows["quantity"] * share,
                value=share,
                known=self._known(path),
                other_part_id=path[0],
            )
            tables.append(rows[share > 0])
        return stack(tables)

    def inherited_corrections(self, corrections: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
        """Return corrections of demand that successors inherit, of weeks in which they have no orders of their own."""
        own = pd.MultiIndex.from_frame(orders[["part_id", "week"]])
        tables = [corrections[:0]]
        for path in self._paths():
            rows = corrections[corrections["part_id"] == path[0]].assign(part_id=path[-1])
            rows["known"] = np.maximum(
                rows["known"].to_numpy("datetime64[ns]"), self._known(path).to_datetime64()
            )
            ordered = pd.MultiIndex.from_frame(rows[["part_id", "week"]]).isin(own)
            tables.append(rows[(self._share(path, rows["week"]) > 0) & ~ordered])
        return pd.concat(tables)

    def succeeded(self, orders: pd.DataFrame) -> pd.DataFrame:
        """Return which successors have taken over from which parts, and in which week."""
        notes = pd.DataFrame(
            [
                (part, link.begin, SUCCEEDED, 0.0, link.share, link.known, successor)
                for (part, successor), link in self.links.items()
            ],
            columns=["part_id", "week", "note", "quantity", "value", "known", "other_part_id"],
        )
        category = orders.drop_duplicates("part_id").set_index("part_id")["part_category"]
        return notes.assign(part_category=notes["part_id"].map(category))
