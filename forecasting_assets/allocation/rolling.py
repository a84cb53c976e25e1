"""Rolling replay: plan each week as it would have been planned, and meet the orders that really came.

Each week a plan is made for the coming weeks, and its first week is produced. Units arrive after their transit, or a
week later as often as their manufacturer is unreliable. Orders take the units in stock, the oldest orders first. Unmet
orders can still be delivered up to `max_weeks_late` weeks later; after that they are short. Units that nobody ordered
are kept in stock at the holding cost and serve later orders: parts of a category and region are interchangeable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import capabilities_of, classify, price_classes, ways_to_serve
from forecasting_assets.allocation.network import Network, weekly_capacity
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.unmet import CATEGORY_REGION
from forecasting_assets.allocation.worth import price_units
from forecasting_assets.tables import QUANTILES
from forecasting_assets.weeks import add_weeks, weeks_between

#: Columns of the state of a replay.
STATE = [*CATEGORY_REGION, "kind", "weeks", "units"]
#: Weeks ahead for which arrivals are kept: the longest transit, a delay, and room.
_ARRIVALS = 60
#: Plans as `allocate` does.
Planner = Callable[..., AllocationPlan]


@dataclass(frozen=True)
class Replay:
    """Result of a replay.

    Attributes
    ----------
    metrics
        A row for each week, a column for each metric.
    states
        State at the end of each week, in the columns STATE: a row for each category and region in stock, and for
        its units that arrive, and its overdue orders (`lacking`), by number of weeks.
    """

    metrics: pd.DataFrame
    states: dict[date, pd.DataFrame]


@dataclass(frozen=True)
class Market:
    """The market in which planning is replayed.

    Attributes
    ----------
    orders
        part_id, part_category, region, week, quantity, unit_price: the real orders. Orders of weeks that are not
        replayed only give the value of a unit.
    network
        The network.
    policy
        Costs and limits.
    classes
        Categories and regions with their values and costs.
    """

    orders: pd.DataFrame
    network: Network
    policy: AllocationPolicy
    classes: pd.DataFrame

    @classmethod
    def of(cls, orders: pd.DataFrame, network: Network, policy: AllocationPolicy) -> "Market":
        """Return the market with the classes that follow from its orders."""
        return cls(orders, network, policy, _replayed_classes(orders, network, policy))


def rolling_replay(
    weeks: Sequence[date],
    forecasts: Mapping[date, pd.DataFrame],
    market: Market,
    planner: Planner,
    state: pd.DataFrame | None = None,
) -> Replay:
    """Replay planning week after week.

    Parameters
    ----------
    weeks
        Consecutive weeks.
    forecasts
        By the week before, the demand to plan for, as for `allocate`.
    market
        Orders, network and policy. Every category and region of the forecasts must occur in the orders.
    planner
        `allocate` or a function like it.
    state
        State before the first week; by default nothing is in stock, in transit or overdue.

    Returns
    -------
    Replay
        Metrics: demand_units, on_time_units, late_units, shortage_units, stock_units (at the end of the week),
        load_hours and capacity_hours (worked, and regular), on_time_rate, fill_rate, utilisation (see `rates`),
        cost and its parts. inventory_cost is the loss in value since the week before of stock and units in transit,
        less overdue orders, at the mean unit cost of their category, so that no policy gains by running down its
        stock. Lateness and shortage are counted in the week of delivery or of giving up.

    Raises
    ------
    ValueError
        If a forecast has a category and region without any order.
    """
    values = _ClassValues(market)
    _check_ordered(forecasts, values.index)
    position = _read_state(state, values.index, market.policy.max_weeks_late)
    run = _Run(forecasts, market, values, planner)
    rows, states = [], {}
    for week in weeks:
        rows.append(run.one_week(week, position))
        states[week] = _write_state(values.index, position)
    return Replay(pd.DataFrame(rows, index=pd.DatetimeIndex(list(weeks), name="week")), states)


@dataclass(frozen=True)
class _Run:
    """What all weeks of a replay share."""

    forecasts: Mapping[date, pd.DataFrame]
    market: Market
    values: "_ClassValues"
    planner: Planner

    def one_week(self, week: date, position: "_Position") -> dict[str, float]:
        """Plan a week, carry out its first week, and return its metrics; `position` becomes that of its end."""
        values, market = self.values, self.market
        worth = values.worth(position)
        demand = self.forecasts[add_weeks(week, -1)]
        horizon = weeks_between(week, demand["due_week"].max().date())
        capacity = weekly_capacity(market.network, horizon)
        plan = self.planner(
            _demand_to_plan(week, demand, position.overdue, values),
            market.network,
            market.policy,
            capacity,
            covered=position.supply(values.index, horizon),
        )
        started = _started(plan.plan, week, values.index, market.network)
        this_week = market.orders[market.orders["week"] == pd.Timestamp(week)]
        ordered = this_week.groupby(CATEGORY_REGION)["quantity"].sum()
        ordered = ordered.reindex(values.index).fillna(0.0)
        position.start_week(started, ordered.to_numpy())
        delivered, short = position.deliver()
        costs = values.costs(started, delivered, short, position.stock)
        costs["inventory_cost"] = worth - values.worth(position)
        regular = capacity.loc[capacity["production_week"] == pd.Timestamp(week), "capacity_hours"].sum()
        metrics = {
            "demand_units": float(ordered.to_numpy().sum()),
            "on_time_units": float(delivered[:, 0].sum()),
            "late_units": float(delivered[:, 1:].sum()),
            "shortage_units": float(short.sum()),
            "stock_units": float(position.stock.sum()),
            "load_hours": float(started["hours"].sum()),
            "capacity_hours": float(regular),
            "cost": sum(costs.values()),
            **costs,
        }
        return metrics | rates(metrics)


@dataclass
class _Position:
    """Units at the end of a week, by class: category and region.

    Attributes
    ----------
    stock
        Units in stock, (classes,).
    arriving
        Units that arrive j weeks from now, (classes, weeks).
    overdue
        Units ordered for j weeks ago and not delivered, (classes, weeks).
    """

    stock: np.ndarray
    arriving: np.ndarray
    overdue: np.ndarray

    def supply(self, index: pd.MultiIndex, horizon: Sequence[date]) -> pd.DataFrame:
        """Return the units available in each week of the horizon, as `allocate` expects them."""
        supply = self.arriving[:, : len(horizon)].copy()
        supply[:, 0] += self.stock
        return _cells(supply, index, horizon).rename(columns={"due_week": "week"})

    def start_week(self, started: pd.DataFrame, ordered: np.ndarray) -> None:
        """Add production and orders of a week, and move this week's arrivals to stock."""
        class_, transit = started["class"], started["transit"]
        np.add.at(self.arriving, (class_, transit), started["quantity"] * started["on_time_rate"])
        np.add.at(self.arriving, (class_, transit + 1), started["quantity"] * (1 - started["on_time_rate"]))
        self.stock = self.stock + self.arriving[:, 0]
        self.arriving = np.roll(self.arriving, -1, axis=1)
        self.arriving[:, -1] = 0.0
        self.overdue = np.roll(self.overdue, 1, axis=1)
        self.overdue[:, 0] = ordered

    def deliver(self) -> tuple[np.ndarray, np.ndarray]:
        """Deliver from stock, the oldest orders first, and give up orders of the maximum age.

        Returns
        -------
        tuple
            Delivered units by weeks late, (classes, weeks), and units given up, (classes,).
        """
        delivered = np.zeros_like(self.overdue)
        for age in range(self.overdue.shape[1] - 1, -1, -1):
            delivered[:, age] = np.minimum(self.overdue[:, age], self.stock)
            self.stock = self.stock - delivered[:, age]
        self.overdue = self.overdue - delivered
        short = self.overdue[:, -1].copy()
        self.overdue[:, -1] = 0.0
        return delivered, short


class _ClassValues:
    """What units of each class, a category and region, are worth and cost; arrays of shape (classes,)."""

    def __init__(self, market: Market) -> None:
        classes = market.classes
        self.index = pd.MultiIndex.from_frame(classes[CATEGORY_REGION])
        self.policy = market.policy
        self.unit_value = classes["unit_value"].to_numpy()
        self.shortage_cost = classes["shortage_cost"].to_numpy()
        unit_cost = market.network.capabilities.groupby("part_category")["unit_cost"].mean()
        self.unit_cost = classes["part_category"].map(unit_cost).fillna(0.0).to_numpy()

    def worth(self, position: _Position) -> float:
        """Return the value of stock and units in transit, less overdue orders, at unit cost."""
        units = position.stock + position.arriving.sum(axis=1) - position.overdue.sum(axis=1)
        return float(self.unit_cost @ units)

    def costs(
        self, started: pd.DataFrame, delivered: np.ndarray, short: np.ndarray, stock: np.ndarray
    ) -> dict[str, float]:
        """Return the costs of a week, without inventory_cost."""
        costs = {
            part: float(started[part].sum()) for part in ("production_cost", "overtime_cost", "lane_cost")
        }
        costs["holding_cost"] = float(self.policy.holding_cost * self.unit_cost @ stock)
        weeks_late = delivered @ np.arange(delivered.shape[1])
        costs["lateness_cost"] = float(self.policy.lateness_penalty * weeks_late @ self.unit_value)
        costs["shortage_cost"] = float(short @ self.shortage_cost)
        return costs


def _check_ordered(forecasts: Mapping[date, pd.DataFrame], index: pd.MultiIndex) -> None:
    """Raise ValueError for a forecast of a category and region without any order."""
    for origin, demand in forecasts.items():
        unknown = ~pd.MultiIndex.from_frame(demand[CATEGORY_REGION]).isin(index)
        if unknown.any():
            raise ValueError(
                f"the forecast of {origin} has {' in '.join(demand.loc[unknown, CATEGORY_REGION].iloc[0])}, "
                "which nobody has ordered: add older orders"
            )


def _read_state(state: pd.DataFrame | None, index: pd.MultiIndex, max_weeks_late: int) -> _Position:
    """Return the position of a state; units of classes without any known order are dropped."""
    units_of = {
        "stock": np.zeros((len(index), 1)),
        "arriving": np.zeros((len(index), _ARRIVALS)),
        "lacking": np.zeros((len(index), max_weeks_late + 1)),
    }
    if state is not None:
        row = index.get_indexer(pd.MultiIndex.from_frame(state[CATEGORY_REGION]))
        for kind, units in units_of.items():
            at = ((state["kind"] == kind) & (row >= 0) & (state["weeks"] < units.shape[1])).to_numpy()
            units[row[at], state["weeks"].to_numpy(int)[at]] = state["units"].to_numpy()[at]
    return _Position(units_of["stock"][:, 0], units_of["arriving"], units_of["lacking"])


def _write_state(index: pd.MultiIndex, position: _Position) -> pd.DataFrame:
    """Return the state of a position; stock has a row for each class even if it is 0."""
    units_of = {"stock": position.stock[:, None], "arriving": position.arriving, "lacking": position.overdue}
    kinds = []
    for kind, units in units_of.items():
        row, weeks = np.nonzero(units if kind != "stock" else np.ones_like(units))
        classes = index[row].to_frame(index=False, name=CATEGORY_REGION)
        kinds.append(classes.assign(kind=kind, weeks=weeks, units=units[row, weeks]))
    return pd.concat(kinds, ignore_index=True)[STATE]


def rates(sums: Mapping[str, float] | pd.Series) -> dict[str, float]:
    """Return the rates of units and hours summed over one or more weeks; NaN where the denominator is 0.

    Returns
    -------
    dict
        on_time_rate: units on time over units ordered; fill_rate: units delivered over units delivered or given
        up; utilisation: hours worked over regular hours.
    """

    def share(part: float, of: float) -> float:
        return float(part / of) if of > 0 else float("nan")

    delivered = sums["on_time_units"] + sums["late_units"]
    return {
        "on_time_rate": share(sums["on_time_units"], sums["demand_units"]),
        "fill_rate": share(delivered, delivered + sums["shortage_units"]),
        "utilisation": share(sums["load_hours"], sums["capacity_hours"]),
    }


def _replayed_classes(orders: pd.DataFrame, network: Network, policy: AllocationPolicy) -> pd.DataFrame:
    """Return a row for each category and region of the orders, with unit_value and shortage_cost."""
    revenue = orders["quantity"] * orders["unit_price"]
    sums = (
        orders.assign(revenue=revenue).groupby(CATEGORY_REGION, as_index=False)[["quantity", "revenue"]].sum()
    )
    priced = sums.assign(
        part_id=sums["part_category"],
        due_week=orders["week"].min(),
        unit_price=sums["revenue"] / sums["quantity"],
    )
    _, classes = classify(price_units(priced.drop(columns="revenue"), policy))
    return price_classes(classes, ways_to_serve(classes, capabilities_of(network), network.lanes), policy)


def _demand_to_plan(
    week: date, demand: pd.DataFrame, overdue: np.ndarray, values: _ClassValues
) -> pd.DataFrame:
    """Return the forecast and the overdue orders as demand to plan for in `week`."""
    # Orders due up to `max_weeks_late` weeks before this one can still be delivered.
    max_weeks_late = overdue.shape[1] - 1
    late = _cells(
        overdue[:, :max_weeks_late], values.index, [add_weeks(week, -j - 1) for j in range(max_weeks_late)]
    )
    late = late.assign(part_id=late["part_category"], **dict.fromkeys(QUANTILES, late["quantity"]))
    if values.policy.uncertainty == "deterministic":
        # A mean needs no parts, they would only make the problem larger.
        demand = demand.groupby([*CATEGORY_REGION, "due_week"])[["quantity"]].sum().reset_index()
        demand["part_id"] = demand["part_category"]
    total = pd.concat([late, demand], ignore_index=True) if len(late) else demand
    value = pd.Series(values.unit_value, values.index)
    return total.assign(unit_price=value.reindex(pd.MultiIndex.from_frame(total[CATEGORY_REGION])).to_numpy())


def _cells(units: np.ndarray, index: pd.MultiIndex, weeks: Sequence[date]) -> pd.DataFrame:
    """Return a row for each of `units`, (classes, weeks), that is not 0."""
    row, week = np.nonzero(units)
    return pd.DataFrame(
        {
            "part_category": index.get_level_values(0)[row],
            "region": index.get_level_values(1)[row],
            "due_week": pd.to_datetime(weeks)[week],
            "quantity": units[row, week],
        }
    )


def _started(plan: pd.DataFrame, week: date, index: pd.MultiIndex, network: Network) -> pd.DataFrame:
    """Return the production of `week` with class (position in `index`), hours, transit (weeks) and on_time_rate."""
    now = plan[plan["production_week"] == pd.Timestamp(week)]
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
        **{"class": index.get_indexer(pd.MultiIndex.from_frame(now[CATEGORY_REGION]))},
    )
