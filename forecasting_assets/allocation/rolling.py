"""Rolling replay: plan each week as it would have been planned, and meet the orders that really came.

Each week a plan is made for the coming weeks, and its first week is produced. What then happens to stock, units on
their way and overdue orders is the same as in the supply position of real plans (see `supply`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import (
    capabilities_of,
    existing_ways,
    price_classes,
    ways_to_serve,
)
from forecasting_assets.allocation.network import Network, usual_hours, weekly_capacity
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.supply import (
    Position,
    WeekFlows,
    advance,
    all_series,
    started_production,
)
from forecasting_assets.allocation.worth import price_units
from forecasting_assets.tables import QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks, weeks_between

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
        Position at the end of each week, in the columns `supply.POSITION`.
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
    series
        part_id, region, part_category, priority, unit_value, lateness_cost (of a unit and week), shortage_cost and
        unit_cost (mean of its category) of every series with orders or other units, S rows.
    """

    orders: pd.DataFrame
    network: Network
    policy: AllocationPolicy
    series: pd.DataFrame

    @classmethod
    def of(
        cls,
        orders: pd.DataFrame,
        network: Network,
        policy: AllocationPolicy,
        others: Iterable[pd.DataFrame] = (),
    ) -> "Market":
        """Return the market with its series.

        Parameters
        ----------
        orders, network, policy
            As for the class.
        others
            Tables with part_id, region and part_category of further series, which nobody need have ordered: forecasts,
            plans, and positions.
        """
        return cls(orders, network, policy, _valued_series(orders, network, policy, others))

    @cached_property
    def index(self) -> pd.MultiIndex:
        """The series by part_id and region."""
        return pd.MultiIndex.from_frame(self.series[SERIES])

    def position(self, rows: pd.DataFrame | None, week: date) -> Position:
        """Return the position at the end of `week` from its table (columns `supply.POSITION`)."""
        series = self.series[[*SERIES, "part_category"]]
        return Position.read(rows, week, series, self.policy.max_weeks_late)

    def ordered(self, week: date) -> np.ndarray:
        """Return the units wanted in `week`, (S,)."""
        of_week = self.orders[self.orders["week"] == pd.Timestamp(week)]
        row = self.index.get_indexer(pd.MultiIndex.from_frame(of_week[SERIES]))
        return np.bincount(row, of_week["quantity"].to_numpy(float), minlength=len(self.index))

    def worth(self, position: Position) -> float:
        """Return the value of stock and units on their way, less overdue orders, at unit cost."""
        units = position.stock + position.arriving.sum(axis=1) - position.overdue.sum(axis=1)
        return float(self.series["unit_cost"].to_numpy() @ units)

    def lateness(self, position: Position) -> float:
        """Return what the overdue orders of a position have been charged for lateness so far."""
        return float(self.series["lateness_cost"].to_numpy() @ position.weeks_overdue)

    def costs(
        self, started: pd.DataFrame, flows: WeekFlows, before: Position, after: Position
    ) -> dict[str, float]:
        """Return the costs of a week (see `carry_out`), for the positions before and after it."""
        unit_cost, stock = self.series["unit_cost"].to_numpy(), after.stock
        costs = {
            part: float(started[part].sum()) for part in ("production_cost", "overtime_cost", "lane_cost")
        }
        costs["holding_cost"] = float(self.policy.holding_cost * unit_cost @ stock)
        costs["obsolescence_cost"] = float(self.policy.obsolescence * unit_cost @ stock)
        late_price = self.series["lateness_cost"].to_numpy()
        costs["lateness_cost"] = float(late_price @ after.overdue.sum(axis=1))
        # Of the weeks charged up to now, those that belong neither to units delivered nor to units still overdue.
        weeks_late = flows.delivered @ np.arange(flows.delivered.shape[1])
        charged = before.weeks_overdue + after.overdue.sum(axis=1) - weeks_late - after.weeks_overdue
        charged = np.where(flows.given_up > 0, charged, 0.0)
        shortage = flows.given_up @ self.series["shortage_cost"].to_numpy()
        costs["shortage_cost"] = float(shortage - late_price @ charged)
        costs["inventory_cost"] = self.worth(before) - self.worth(after)
        return costs


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
        By the week before, the demand to plan for, as for `allocate`. All parts and regions are among the series of
        the market.
    market
        Orders, network and policy.
    planner
        `allocate` or a function like it.
    state
        Position before the first week, in the columns `supply.POSITION`; by default nothing is in stock, on its way or
        overdue.

    Returns
    -------
    Replay
        Metrics as `carry_out` returns them.
    """
    rows, states = [], {}
    position = market.position(state, add_weeks(weeks[0], -1)) if weeks else None
    for week in weeks:
        assert position is not None
        plan = _plan(week, position, forecasts[add_weeks(week, -1)], market, planner)
        metrics, position = carry_out(plan, week, position, market)
        rows.append(metrics)
        states[week] = position.table(week)
    return Replay(pd.DataFrame(rows, index=pd.DatetimeIndex(list(weeks), name="week")), states)


def carry_out(
    plan: pd.DataFrame, week: date, position: Position, market: Market
) -> tuple[dict[str, float], Position]:
    """Carry out the first week of a plan, and meet the orders of that week.

    Parameters
    ----------
    plan
        ALLOCATION_PLAN made at the end of the week before.
    week
        The week.
    position
        Position at the end of the week before.
    market
        Orders, network and policy.

    Returns
    -------
    tuple
        Metrics, and the position at the end of the week. Metrics: demand_units, on_time_units, late_units,
        shortage_units, overdue_units and stock_units (at the end of the week), overdue_change_units (since the week
        before), load_hours and capacity_hours (worked, and regular), on_time_rate, fill_rate, utilisation (see
        `rates`), cost and its parts.

        demand_units = on_time_units + late_units + shortage_units + overdue_change_units: late_units are counted in
        the week of delivery, shortage_units in the week in which they are given up.

    Notes
    -----
    inventory_cost is the loss in value since the week before of stock and units on their way, less overdue orders, at
    the mean unit cost of their category, so that no policy gains by running down its stock. lateness_cost charges each
    unit that is overdue at the end of the week for one week, so that no policy gains by leaving orders open. When it is
    delivered, a unit has been charged for all weeks that it is late. A unit that is given up costs its shortage price
    in all, as in a plan: shortage_cost is this price less the lateness charged for it before.
    """
    started = started_production(plan, week, market.network)
    after, flows = advance(position, started, market.ordered(week))
    costs = market.costs(started, flows, position, after)
    metrics = {
        "demand_units": float(flows.ordered.sum()),
        "on_time_units": float(flows.delivered[:, 0].sum()),
        "late_units": float(flows.delivered[:, 1:].sum()),
        "shortage_units": float(flows.given_up.sum()),
        "overdue_units": float(after.overdue.sum()),
        "overdue_change_units": float(after.overdue.sum() - position.overdue.sum()),
        "stock_units": float(after.stock.sum()),
        "load_hours": float(started["hours"].sum()),
        "capacity_hours": float(weekly_capacity(market.network, [week])["capacity_hours"].sum()),
        "cost": sum(costs.values()),
        **costs,
    }
    return metrics | rates(metrics), after


def demand_with_overdue(demand: pd.DataFrame, position: Position, week: date) -> pd.DataFrame:
    """Return demand to plan for at the end of `week`, with the overdue orders, which are certain.

    Parameters
    ----------
    demand
        As for `allocate`.
    position
        Position at the end of `week`.
    week
        The week that has just closed.
    """
    overdue = position.overdue_demand(week)
    if overdue.empty:
        return demand
    prices = demand.drop_duplicates(SERIES).set_index(SERIES)["unit_price"]
    price = prices.reindex(pd.MultiIndex.from_frame(overdue[SERIES])).to_numpy()
    certain = overdue.assign(unit_price=price, **dict.fromkeys(QUANTILES, overdue["quantity"]))
    return pd.concat([certain[[c for c in certain if c in demand]], demand], ignore_index=True)


def production_weeks(week: date, demand: pd.DataFrame, policy: AllocationPolicy) -> list[date]:
    """Return the weeks in which a plan made at the end of `week` can produce: until the last demand is too late."""
    last = demand["due_week"].max().date() if len(demand) else week
    return weeks_between(add_weeks(week, 1), add_weeks(last, policy.max_weeks_late))


def _plan(
    week: date, position: Position, demand: pd.DataFrame, market: Market, planner: Planner
) -> pd.DataFrame:
    """Return ALLOCATION_PLAN of the plan made at the end of the week before `week`."""
    origin = add_weeks(week, -1)
    row = market.index.get_indexer(pd.MultiIndex.from_frame(demand[SERIES]))
    # A plan is judged by the values that it was made for.
    demand = demand.assign(unit_price=market.series["unit_value"].to_numpy()[row])
    weeks = production_weeks(origin, demand, market.policy)
    state = PlanningState(capacity=weekly_capacity(market.network, weeks), supply=position.supply(origin))
    return planner(demand_with_overdue(demand, position, origin), market.network, market.policy, state).plan


def rates(sums: Mapping[str, float] | pd.Series) -> dict[str, float]:
    """Return the rates of units and hours summed over one or more weeks; NaN where the denominator is 0.

    Returns
    -------
    dict
        on_time_rate: units delivered in the week they are wanted over units wanted; fill_rate: units delivered over
        units delivered or given up; utilisation: hours worked over regular hours.
    """

    def share(part: float, of: float) -> float:
        return float(part / of) if of > 0 else float("nan")

    delivered = sums["on_time_units"] + sums["late_units"]
    return {
        "on_time_rate": share(sums["on_time_units"], sums["demand_units"]),
        "fill_rate": share(delivered, delivered + sums["shortage_units"]),
        "utilisation": share(sums["load_hours"], sums["capacity_hours"]),
    }


def _valued_series(
    orders: pd.DataFrame, network: Network, policy: AllocationPolicy, others: Iterable[pd.DataFrame]
) -> pd.DataFrame:
    """Return the series with priority, unit_value, lateness_cost, shortage_cost and unit_cost (see `Market`)."""
    series = all_series([orders.sort_values("week", ascending=False, kind="stable"), *others])
    revenue = orders["quantity"] * orders["unit_price"]
    sums = orders.assign(revenue=revenue).groupby(SERIES)[["quantity", "revenue"]].sum()
    price = (sums["revenue"] / sums["quantity"]).reindex(pd.MultiIndex.from_frame(series[SERIES]))
    classes = series.assign(unit_price=price.to_numpy())
    alike = classes.groupby(["part_category", "region"])["unit_price"].transform("mean")
    classes["unit_price"] = classes["unit_price"].fillna(alike)
    capabilities = capabilities_of(network)
    ways = ways_to_serve(classes, capabilities, network.lanes)
    ways = existing_ways(ways, capabilities, usual_hours(network))
    unit_cost = network.capabilities.groupby("part_category")["unit_cost"].mean()
    valued = price_classes(price_units(classes, policy), ways, policy)
    return valued.assign(
        unit_cost=series["part_category"].map(unit_cost).fillna(0.0),
        lateness_cost=policy.lateness_penalty * valued["unit_value"] * valued["priority"],
    )
