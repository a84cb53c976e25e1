"""The supply position: stock, units on their way and overdue orders by part and region, and how a week changes them.

In a week, production that was started arrives after its transit, or a week later as often as its manufacturer is
unreliable. Orders take the units in stock, the oldest orders first. Orders that are not met can still be delivered up
to `max_weeks_late` weeks later; after that they are given up. Units that nobody ordered stay in stock and serve later
orders of the same part and region.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.network import Network
from forecasting_assets.tables import SERIES, SUPPLY_LEDGER
from forecasting_assets.weeks import add_weeks, weeks_since

#: Columns of a position as a table, but for `source`.
POSITION = [*SERIES, "part_category", "kind", "week_of_units", "quantity"]
#: Kinds of units in a position.
KINDS = ("stock", "arriving", "overdue")
#: Weeks ahead for which arrivals are kept: the longest transit, a delay, and room.
_ARRIVALS = 60
#: Amounts up to this many units are rounding errors of sums.
_NO_UNITS = 1e-9


@dataclass(frozen=True)
class Position:
    """Units at the end of a week, by part and region (S series).

    Attributes
    ----------
    series
        part_id, region and part_category of each series, S rows.
    stock
        Units in stock, (S,).
    arriving
        Units that arrive j + 1 weeks later, (S, weeks).
    overdue
        Units that were due j weeks before and are not delivered, (S, max_weeks_late + 1).
    """

    series: pd.DataFrame
    stock: np.ndarray
    arriving: np.ndarray
    overdue: np.ndarray

    @classmethod
    def empty(cls, series: pd.DataFrame, max_weeks_late: int) -> "Position":
        """Return a position with nothing in stock, on its way or overdue."""
        n = len(series)
        return cls(series, np.zeros(n), np.zeros((n, _ARRIVALS)), np.zeros((n, max_weeks_late + 1)))

    @classmethod
    def read(
        cls, rows: pd.DataFrame | None, week: date, series: pd.DataFrame, max_weeks_late: int
    ) -> "Position":
        """Return the position at the end of `week` from its table.

        Parameters
        ----------
        rows
            Columns POSITION; None if there is nothing.
        week
            The week.
        series
            part_id, region and part_category: the series that the position is for. Rows of others are left out.
        max_weeks_late
            Weeks that orders may be late; older ones count as this old, and are given up in the next week.
        """
        position = cls.empty(series, max_weeks_late)
        if rows is None or rows.empty:
            return position
        row = position.index.get_indexer(pd.MultiIndex.from_frame(rows[SERIES]))
        away = weeks_since(week, rows["week_of_units"])
        quantity, kind = rows["quantity"].to_numpy(float), rows["kind"].to_numpy()
        of_kind = {
            "stock": (position.stock[:, None], np.zeros_like(away)),
            "arriving": (position.arriving, np.clip(away - 1, 0, _ARRIVALS - 1)),
            "overdue": (position.overdue, np.clip(-away, 0, max_weeks_late)),
        }
        for name, (units, column) in of_kind.items():
            at = (kind == name) & (row >= 0)
            np.add.at(units, (row[at], column[at]), quantity[at])
        return position

    @property
    def index(self) -> pd.MultiIndex:
        """The series by part_id and region."""
        return pd.MultiIndex.from_frame(self.series[SERIES])

    @property
    def weeks_overdue(self) -> np.ndarray:
        """Week ends at which the overdue units have been overdue so far, added up over the units, (S,)."""
        return self.overdue @ np.arange(1.0, self.overdue.shape[1] + 1)

    def table(self, week: date) -> pd.DataFrame:
        """Return the position at the end of `week` as a table with the columns POSITION; amounts of 0 have no row."""
        ages = np.arange(self.overdue.shape[1])
        of_kinds = (
            (self.stock[:, None], np.zeros(1, dtype=int)),
            (self.arriving, np.arange(1, _ARRIVALS + 1)),
            (self.overdue, -ages),
        )
        tables = []
        for kind, (units, offset) in zip(KINDS, of_kinds, strict=True):
            row, column = np.nonzero(units > _NO_UNITS)
            weeks = np.datetime64(week, "D") + 7 * offset[column]
            rows = self.series.iloc[row].reset_index(drop=True)
            rows["kind"], rows["quantity"] = kind, units[row, column]
            tables.append(rows.assign(week_of_units=weeks.astype("datetime64[ns]")))
        return pd.concat(tables, ignore_index=True)[POSITION]

    def supply(self, week: date) -> pd.DataFrame:
        """Return what a plan made at the end of `week` can use, as `PlanningState.supply`."""
        rows = self.table(week)
        rows = rows[rows["kind"] != "overdue"]
        # Stock is available from the first week that is planned.
        available = np.maximum(rows["week_of_units"].to_numpy(), np.datetime64(add_weeks(week, 1), "ns"))
        return rows.assign(week=available)[[*SERIES, "week", "quantity"]]

    def overdue_demand(self, week: date) -> pd.DataFrame:
        """Return the overdue orders that can still be met after `week`, as demand without prices."""
        rows = self.table(week)
        rows = rows[rows["kind"] == "overdue"].rename(columns={"week_of_units": "due_week"})
        return rows.drop(columns="kind").reset_index(drop=True)


@dataclass(frozen=True)
class WeekFlows:
    """What happened in a week, in units by series (S).

    Attributes
    ----------
    opening_stock, started, arrived, ordered, given_up
        As in SUPPLY_LEDGER, (S,).
    delivered
        Units delivered, by the weeks they are late, (S, max_weeks_late + 1).
    """

    opening_stock: np.ndarray
    started: np.ndarray
    arrived: np.ndarray
    ordered: np.ndarray
    given_up: np.ndarray
    delivered: np.ndarray


def started_production(plan: pd.DataFrame, week: date, network: Network) -> pd.DataFrame:
    """Return the rows of a plan whose production starts in `week`, with transit (weeks), on_time_rate and hours.

    Parameters
    ----------
    plan
        ALLOCATION_PLAN of the week before.
    week
        The week.
    network
        The network of that plan.
    """
    now = plan[plan["production_week"] == pd.Timestamp(week)].reset_index(drop=True)
    manufacturers = network.manufacturers.set_index("manufacturer_id").loc[now["manufacturer_id"]]
    # Several times as fast as merges, which for so few rows are most of the work.
    lane, capability = ["from_region", "to_region"], ["manufacturer_id", "part_category"]
    lanes, capabilities = network.lanes.set_index(lane), network.capabilities.set_index(capability)
    lane_row = lanes.index.get_indexer(pd.MultiIndex.from_arrays([manufacturers["region"], now["region"]]))
    capability_row = capabilities.index.get_indexer(pd.MultiIndex.from_frame(now[capability]))
    return now.assign(
        on_time_rate=manufacturers["on_time_rate"].to_numpy(),
        transit=lanes["transit_weeks"].to_numpy(int)[lane_row],
        hours=now["quantity"] * capabilities["hours_per_unit"].to_numpy()[capability_row],
    )


def advance(position: Position, started: pd.DataFrame, ordered: np.ndarray) -> tuple[Position, WeekFlows]:
    """Return the position at the end of the next week, and what happened in it.

    Parameters
    ----------
    position
        Position at the end of the week before. All parts and regions of `started` are among its series.
    started
        Result of `started_production`.
    ordered
        Units wanted in the week, (S,).
    """
    row = position.index.get_indexer(pd.MultiIndex.from_frame(started[SERIES]))
    units, transit = started["quantity"].to_numpy(float), started["transit"].to_numpy(int)
    on_time = started["on_time_rate"].to_numpy(float)
    arriving = position.arriving.copy()
    np.add.at(arriving, (row, transit), units * on_time)
    np.add.at(arriving, (row, transit + 1), units * (1 - on_time))
    arrived = arriving[:, 0].copy()
    arriving = np.roll(arriving, -1, axis=1)
    arriving[:, -1] = 0.0
    stock = position.stock + arrived
    # Orders as late as allowed were given up by the end of the week before, unless more was allowed then.
    given_up = position.overdue[:, -1].copy()
    waiting = np.roll(position.overdue, 1, axis=1)
    waiting[:, 0] = ordered
    delivered = np.zeros_like(waiting)
    for age in range(waiting.shape[1] - 1, -1, -1):
        delivered[:, age] = np.minimum(waiting[:, age], stock)
        stock = stock - delivered[:, age]
    waiting = waiting - delivered
    given_up += waiting[:, -1]
    waiting[:, -1] = 0.0
    flows = WeekFlows(
        opening_stock=position.stock,
        started=np.bincount(row, units, minlength=len(stock)),
        arrived=arrived,
        ordered=ordered,
        given_up=given_up,
        delivered=delivered,
    )
    return Position(position.series, stock, arriving, waiting), flows


def ledger(before_counts: Position, flows: WeekFlows, after_counts: Position) -> pd.DataFrame:
    """Return SUPPLY_LEDGER of a week: every series with anything in stock, started, ordered or counted.

    Parameters
    ----------
    before_counts, after_counts
        Position at the end of the week, without and with the counts of the week.
    flows
        What happened in the week.
    """
    rows = before_counts.series.assign(
        opening_stock=flows.opening_stock,
        started=flows.started,
        arrived=flows.arrived,
        ordered=flows.ordered,
        delivered_on_time=flows.delivered[:, 0],
        delivered_late=flows.delivered[:, 1:].sum(axis=1),
        given_up=flows.given_up,
        count_difference=after_counts.stock - before_counts.stock,
        arriving_difference=(after_counts.arriving - before_counts.arriving).sum(axis=1),
        closing_stock=after_counts.stock,
    )
    amounts = rows.drop(columns=["part_id", "part_category", "region"])
    return rows[(amounts != 0).any(axis=1)][SUPPLY_LEDGER.names].reset_index(drop=True)


def all_series(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return part_id, region and part_category of every series in `tables`, sorted; earlier tables win."""
    parts = [table[[*SERIES, "part_category"]] for table in tables if len(table)]
    if not parts:
        return pd.DataFrame(columns=[*SERIES, "part_category"], dtype=object)
    return pd.concat(parts).drop_duplicates(SERIES).sort_values(SERIES, ignore_index=True)
