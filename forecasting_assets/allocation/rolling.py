"""Planning week after week: what has been started stands, the rest is planned again, and reality decides.

Each week a plan is made for the coming ones, and what it makes in the first of them is made. Units arrive after
their transit, or a week later as often as their manufacturer is unreliable; orders take what is there, the
oldest first. What an order lacks is still delivered up to `max_weeks_late` weeks later, else it is short. What
nobody ordered is kept in stock at the holding cost and serves later orders: alike parts are interchangeable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import capabilities_of, classify, price_classes, ways_to_serve
from forecasting_assets.allocation.lacking import CLASS
from forecasting_assets.allocation.network import Network, weekly_capacity
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.tables import QUANTILES
from forecasting_assets.weeks import add_weeks, weeks_between

#: Columns of the state of a replay.
STATE = [*CLASS, "kind", "weeks", "units"]
#: Weeks ahead for which arrivals are kept: the longest transit, a delay, and room.
_ARRIVALS = 60


@dataclass(frozen=True)
class Replay:
    """metrics: a row a week, a column a metric; states: where it stood at the end of each week, a row for each
    category and region in stock, and for what arrives in so many weeks or has been lacking for so many
    (part_category, region, kind, weeks, units)."""

    metrics: pd.DataFrame
    states: dict[date, pd.DataFrame]


def rolling_replay(
    weeks: Sequence[date],
    forecasts: Mapping[date, pd.DataFrame],
    orders: pd.DataFrame,
    network: Network,
    policy: AllocationPolicy,
    planner: Callable[..., AllocationPlan],
    state: pd.DataFrame | None = None,
    classes: pd.DataFrame | None = None,
) -> Replay:
    """What came of planning each of `weeks` by `planner` (as `allocate`).

    weeks: consecutive
    forecasts: by the week before, the demand to plan for, as for `allocate`
    orders: part_id, part_category, region, week, quantity, unit_price, what was really ordered; orders of other
        weeks only say what a unit is worth. Of what is planned for, each category and region must be there
    state: where things stood before the first week; by default nothing is in stock, on its way or lacking
    classes: `replayed_classes` of these orders, where it is known already

    Metrics: demand_units, on_time_units, late_units, shortage_units, stock_units (at the end of the week),
    load_hours and capacity_hours (worked, and regular), on_time_rate, fill_rate, utilisation (see `rates`),
    cost and its parts. inventory_cost: what stock and units on their way, less orders that still
    wait, have lost in value since the week before, at the mean unit cost of their category, so that nobody gains
    by running stock down. Lateness and shortage are counted in the week of delivery or of giving up.
    """
    known = orders[orders["week"].isin(pd.to_datetime(list(weeks)))]
    classes = replayed_classes(orders, network, policy) if classes is None else classes
    index = pd.MultiIndex.from_frame(classes[CLASS])
    for origin, demand in forecasts.items():
        unknown = ~pd.MultiIndex.from_frame(demand[CLASS]).isin(index)
        if unknown.any():
            raise ValueError(
                f"the forecast of {origin} has {' in '.join(demand.loc[unknown, CLASS].iloc[0])}, which nobody "
                "has ordered: give orders that reach further back"
            )
    value, short_cost = classes["unit_value"].to_numpy(), classes["shortage_cost"].to_numpy()
    of_unit = network.capabilities.groupby("part_category")["unit_cost"].mean()
    made_for = classes["part_category"].map(of_unit).fillna(0.0).to_numpy()
    holding = policy.holding_cost * made_for
    patience = policy.max_weeks_late
    stock, arriving, lacking = _read_state(state, index, patience)
    rows, states = [], {}
    worth = float(made_for @ (stock + arriving.sum(axis=1) - lacking.sum(axis=1)))
    for week in weeks:
        demand = forecasts[add_weeks(week, -1)]
        horizon = weeks_between(week, demand["due_week"].max().date())
        capacity = weekly_capacity(network, horizon)
        supply = arriving[:, : len(horizon)].copy()
        supply[:, 0] += stock
        made = planner(
            _asked(week, demand, lacking, index, classes, policy),
            network,
            policy,
            capacity,
            covered=_cells(supply, index, horizon).rename(columns={"due_week": "week"}),
        )
        started = _started(made.plan, week, index, network)
        np.add.at(
            arriving, (started["class"], started["transit"]), started["quantity"] * started["on_time_rate"]
        )
        np.add.at(
            arriving,
            (started["class"], started["transit"] + 1),
            started["quantity"] * (1 - started["on_time_rate"]),
        )
        stock = stock + arriving[:, 0]
        arriving = np.roll(arriving, -1, axis=1)
        arriving[:, -1] = 0.0
        lacking = np.roll(lacking, 1, axis=1)
        of_week = known[known["week"] == pd.Timestamp(week)].groupby(CLASS)["quantity"].sum()
        lacking[:, 0] = of_week.reindex(index).fillna(0.0)
        ordered = lacking[:, 0].sum()
        delivered = np.zeros_like(lacking)
        for age in range(patience, -1, -1):
            delivered[:, age] = np.minimum(lacking[:, age], stock)
            stock = stock - delivered[:, age]
        lacking = lacking - delivered
        short = lacking[:, -1].copy()
        lacking[:, -1] = 0.0
        costs = {
            part: float(started[part].sum()) for part in ("production_cost", "overtime_cost", "lane_cost")
        }
        costs["holding_cost"] = float(holding @ stock)
        late = delivered @ np.arange(patience + 1)
        costs["lateness_cost"] = float(policy.lateness_penalty * late @ value)
        costs["shortage_cost"] = float(short @ short_cost)
        before, worth = worth, float(made_for @ (stock + arriving.sum(axis=1) - lacking.sum(axis=1)))
        costs["inventory_cost"] = before - worth
        metrics = {
            "demand_units": float(ordered),
            "on_time_units": float(delivered[:, 0].sum()),
            "late_units": float(delivered[:, 1:].sum()),
            "shortage_units": float(short.sum()),
            "stock_units": float(stock.sum()),
            "load_hours": float(started["hours"].sum()),
            "capacity_hours": float(
                capacity.loc[capacity["production_week"] == pd.Timestamp(week), "capacity_hours"].sum()
            ),
            "cost": sum(costs.values()),
            **costs,
        }
        rows.append(metrics | rates(metrics))
        states[week] = _write_state(index, stock, arriving, lacking)
    return Replay(pd.DataFrame(rows, index=pd.DatetimeIndex(list(weeks), name="week")), states)


def _read_state(
    state: pd.DataFrame | None, index: pd.MultiIndex, patience: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """stock[i]; arriving[i, j]: units that arrive j weeks from now; lacking[i, j]: orders due j weeks ago, not
    delivered. What nobody has ordered for as long as orders are known is given up."""
    found = {"stock": np.zeros((len(index), 1)), "arriving": np.zeros((len(index), _ARRIVALS))}
    found["lacking"] = np.zeros((len(index), patience + 1))
    if state is not None:
        row = index.get_indexer(pd.MultiIndex.from_frame(state[CLASS]))
        for kind, units in found.items():
            at = ((state["kind"] == kind) & (row >= 0) & (state["weeks"] < units.shape[1])).to_numpy()
            units[row[at], state["weeks"].to_numpy(int)[at]] = state["units"].to_numpy()[at]
    return found["stock"][:, 0], found["arriving"], found["lacking"]


def _write_state(
    index: pd.MultiIndex, stock: np.ndarray, arriving: np.ndarray, lacking: np.ndarray
) -> pd.DataFrame:
    kinds = []
    for kind, units in (("stock", stock[:, None]), ("arriving", arriving), ("lacking", lacking)):
        row, weeks = np.nonzero(units if kind != "stock" else np.ones_like(units))
        there = index[row].to_frame(index=False, name=CLASS)
        kinds.append(there.assign(kind=kind, weeks=weeks, units=units[row, weeks]))
    return pd.concat(kinds, ignore_index=True)[STATE]


def rates(sums: Mapping[str, float] | pd.Series) -> dict[str, float]:
    """From units and hours of one or more weeks: on_time_rate, of the units ordered; fill_rate, those delivered of
    the units delivered or given up; utilisation, hours worked over regular ones. NaN of nothing."""

    def share(part: float, of: float) -> float:
        return float(part / of) if of > 0 else float("nan")

    delivered = sums["on_time_units"] + sums["late_units"]
    return {
        "on_time_rate": share(sums["on_time_units"], sums["demand_units"]),
        "fill_rate": share(delivered, delivered + sums["shortage_units"]),
        "utilisation": share(sums["load_hours"], sums["capacity_hours"]),
    }


def replayed_classes(orders: pd.DataFrame, network: Network, policy: AllocationPolicy) -> pd.DataFrame:
    """One row for each category and region of the orders, with the value of a unit and of its lack."""
    revenue = orders["quantity"] * orders["unit_price"]
    sums = orders.assign(revenue=revenue).groupby(CLASS, as_index=False)[["quantity", "revenue"]].sum()
    priced = sums.assign(
        part_id=sums["part_category"],
        due_week=orders["week"].min(),
        unit_price=sums["revenue"] / sums["quantity"],
    )
    _, classes = classify(priced.drop(columns="revenue"))
    return price_classes(classes, ways_to_serve(classes, capabilities_of(network), network.lanes), policy)


def _asked(
    week: date,
    demand: pd.DataFrame,
    lacking: np.ndarray,
    index: pd.MultiIndex,
    classes: pd.DataFrame,
    policy: AllocationPolicy,
) -> pd.DataFrame:
    """The forecast and what is still lacking, as demand to plan for in `week`."""
    # What was due up to `patience` weeks before this one can still be delivered.
    patience = lacking.shape[1] - 1
    overdue = _cells(lacking[:, :patience], index, [add_weeks(week, -j - 1) for j in range(patience)])
    overdue = overdue.assign(
        part_id=overdue["part_category"], **dict.fromkeys(QUANTILES, overdue["quantity"])
    )
    if policy.uncertainty == "deterministic":
        # A mean needs no parts, they would only make the problem larger.
        demand = demand.groupby([*CLASS, "due_week"])[["quantity"]].sum().reset_index()
        demand["part_id"] = demand["part_category"]
    asked = pd.concat([overdue, demand], ignore_index=True) if len(overdue) else demand
    value = pd.Series(classes["unit_value"].to_numpy(), index)
    return asked.assign(unit_price=value.reindex(pd.MultiIndex.from_frame(asked[CLASS])).to_numpy())


def _cells(units: np.ndarray, index: pd.MultiIndex, weeks: Sequence[date]) -> pd.DataFrame:
    """A row for each of `units` (index, weeks) above 0."""
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
    """What is made in `week`: class (position in `index`), quantity, hours, transit in weeks, on_time_rate, costs."""
    now = plan[plan["production_week"] == pd.Timestamp(week)]
    makers = network.manufacturers.set_index("manufacturer_id").loc[now["manufacturer_id"]]
    # Several times as fast as merges, which for so few rows are most of the work.
    lane, made_by = ["from_region", "to_region"], ["manufacturer_id", "part_category"]
    lanes, capabilities = network.lanes.set_index(lane), network.capabilities.set_index(made_by)
    on = lanes.index.get_indexer(pd.MultiIndex.from_arrays([makers["region"], now["region"]]))
    by = capabilities.index.get_indexer(pd.MultiIndex.from_frame(now[made_by]))
    return now.assign(
        on_time_rate=makers["on_time_rate"].to_numpy(),
        transit=lanes["transit_weeks"].to_numpy(int)[on],
        hours=now["quantity"] * capabilities["hours_per_unit"].to_numpy()[by],
        **{"class": index.get_indexer(pd.MultiIndex.from_frame(now[CLASS]))},
    )
