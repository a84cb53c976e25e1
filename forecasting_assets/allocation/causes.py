"""Find what keeps a unit that is short or late from being made on time: the best way left, and the limits it meets."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.allocation.comparison import ABSOLUTE, Comparison
from forecasting_assets.allocation.label_model import BATCH, LOT, UNIT_COSTS

#: Limits that can stop a way, in the order in which they are named.
LIMITS = ["regular_hours", "maximum_share", "frozen_weeks", "activation", "minimum_batch"]
#: Costs that differ by less than this share are equal.
_EQUAL = 1e-6


@dataclass(frozen=True)
class _State:
    """The ways with their prices, and what stands against one more unit on each of them.

    Attributes
    ----------
    ways
        The ways with prices (`priced_ways`), cost (of one unit, without scarce hours and rules) and units.
    full, overtime_left
        Whether the regular hours of the way's week are all planned, and whether overtime is left.
    share_reached, unused, not_run
        Whether the maximum share is reached, the manufacturer's week is not used at all although using it has a cost,
        and nothing of a category with a minimum batch is made.
    change
        Cost of one more unit as a change of the previous plan, of lots that are not below it.
    """

    ways: pd.DataFrame
    full: np.ndarray
    overtime_left: np.ndarray
    share_reached: np.ndarray
    unused: np.ndarray
    not_run: np.ndarray
    change: np.ndarray


def find_causes(found: Comparison) -> pd.DataFrame:
    """Return why each class with units short or late has them.

    For units short the ways are all that cost less than the shortage, for units late all in time that cost less than
    the late way: in an optimal plan each of them is stopped by a limit. The cheapest of them, when scarce hours and
    rules have their price, is named with the limits that stop it. Relaxing all of them together by a little makes the
    plan cheaper by `saving` a unit or more.

    Parameters
    ----------
    found
        The plan beside the model of its problem.

    Returns
    -------
    DataFrame
        kind, class (row of the model's classes), quantity, way (row of the model's ways; -1: none), used (late way that
        is used instead; -1: none), stopped (whether `way` is cheaper than what is planned, so that limits stop it), one
        column for each of `LIMITS`, alternative (cost of one unit of what is planned), cost (of one unit on
        the way), price (with scarce hours and rules), saving (alternative less cost), the prices of the limits
        (`_details`), and those of the late way (`_of_used`).
    """
    state = _state(found)
    shortage = found.model.classes["shortage_cost"].to_numpy(float)
    late_units = np.where(state.ways["lateness"] > 0, found.units, 0.0)
    class_ = state.ways["class"].to_numpy()
    # The late way with most units stands for all late units of a class.
    order = np.lexsort((late_units, class_))
    used = np.full(len(shortage), -1)
    used[class_[order]] = order
    late = np.bincount(class_, late_units, minlength=len(shortage))
    late_cost = (
        np.where(used >= 0, state.ways["cost"].to_numpy()[used], np.nan) if len(class_) else used * np.nan
    )
    in_time = (state.ways["lateness"] <= 0).to_numpy()
    return pd.concat(
        [
            _causes("short", found.class_short, state, np.full(len(class_), True), shortage, used * 0 - 1),
            _causes("late", late, state, in_time, late_cost, used),
        ],
        ignore_index=True,
    )


def _causes(
    kind: str,
    quantity: np.ndarray,
    state: _State,
    allowed: np.ndarray,
    alternative: np.ndarray,
    used: np.ndarray,
) -> pd.DataFrame:
    """Return the causes of one kind: the best of the `allowed` ways of each class, against `alternative` by class."""
    ways, class_ = state.ways, state.ways["class"].to_numpy()
    concerned = np.flatnonzero(quantity > ABSOLUTE)
    at = np.flatnonzero(allowed & np.isin(class_, concerned))
    limit = alternative[class_[at]]
    stops = _stops(state, at, limit)
    cost, price = ways["cost"].to_numpy()[at], ways["price"].to_numpy()[at]
    cheaper = cost < limit - _EQUAL * np.abs(limit)
    number = np.sum(list(stops.values()), axis=0) if len(at) else np.zeros(0)
    order = np.lexsort((number, np.round(price, 9), ~cheaper, class_[at]))
    _, first = np.unique(class_[at][order], return_index=True)
    best = order[first]
    chosen = pd.DataFrame(
        {
            "class": class_[at][best],
            "way": at[best],
            "stopped": cheaper[best],
            "cost": cost[best],
            "price": price[best],
            **_details(state, at[best]),
            **{name: values[best] for name, values in stops.items()},
        }
    )
    rows = pd.DataFrame({"kind": kind, "class": concerned, "quantity": quantity[concerned]})
    rows = rows.assign(alternative=alternative[concerned], used=used[concerned]).merge(
        chosen, on="class", how="left"
    )
    # Classes without any way have no row in `chosen`.
    rows = rows.assign(
        way=rows["way"].fillna(-1).astype(int),
        **{name: rows[name].eq(True) for name in ("stopped", "overtime_left", *LIMITS)},
    )
    return rows.assign(saving=rows["alternative"] - rows["cost"], **_of_used(state, rows["used"].to_numpy()))


def _details(state: _State, way: np.ndarray) -> dict[str, np.ndarray]:
    """Return prices of the limits of ways: of one hour, one unit of the share, one unit of change; and overtime."""
    ways = state.ways.iloc[way]
    by_hours = ways["regular_hours"] + np.where(state.unused[way], 0.0, ways["activation"])
    by_hours += np.where(state.not_run[way], 0.0, ways["batch_at_most"])
    return {
        "hours_price": (by_hours / ways["hours_per_unit"]).to_numpy(),
        "share_price": ways["maximum_share"].to_numpy(),
        "change": state.change[way],
        "overtime_left": state.overtime_left[way],
    }


def _of_used(state: _State, used: np.ndarray) -> dict[str, np.ndarray]:
    """Return the price of the late ways that are used, and what rules save by holding units there."""
    ways = state.ways.reindex(used)
    held = {
        "minimum_load": "minimum_load",
        "minimum_batch": "batch_at_least",
        "frozen_weeks": "previous_plan",
    }
    return {
        "used_price": ways["price"].to_numpy(),
        **{f"held_by_{rule}": -ways[column].fillna(0.0).to_numpy() for rule, column in held.items()},
    }


def _stops(state: _State, at: np.ndarray, limit: np.ndarray) -> dict[str, np.ndarray]:
    """Return which limits stop ways, whose units are worth making below the cost `limit`."""
    cost, overtime = (state.ways[c].to_numpy()[at] for c in ("cost", "overtime_cost"))
    in_overtime = state.overtime_left[at] & (cost + overtime < limit * (1 - _EQUAL))
    return {
        "regular_hours": state.full[at] & ~in_overtime,
        "maximum_share": state.share_reached[at],
        "frozen_weeks": (state.change[at] > 0)
        & (cost + np.where(state.full[at], overtime, 0.0) + state.change[at] >= limit * (1 - _EQUAL)),
        "activation": state.unused[at],
        "minimum_batch": state.not_run[at],
    }


def _state(found: Comparison) -> _State:
    model, policy = found.model, found.basis.policy
    ways = found.priced
    ways = ways.assign(cost=ways[UNIT_COSTS].to_numpy().sum(axis=1), units=found.units)
    slot, slots = ways["slot"].to_numpy(), model.capacity
    capacity, most = (slots[c].to_numpy(float) for c in ("capacity_hours", "overtime_capacity_hours"))
    full = capacity - (found.load - found.overtime) <= _EQUAL * capacity + ABSOLUTE
    share_reached = _share_reached(found)
    if policy.uncertainty == "stochastic":
        # Expected hours do not tell what is full in a scenario; prices do.
        full |= found.prices["regular_hours"] > 0
        share_reached |= (ways["maximum_share"] > 0).to_numpy()
    fixed = slots["manufacturer_id"].map(
        found.basis.network.manufacturers.set_index("manufacturer_id")["activation_cost"]
    )
    has_cost = ((slots["locked_hours"] == 0) & (fixed > 0)).to_numpy() & policy.activation_costs
    unused = (found.load <= ABSOLUTE) & has_cost
    made = pd.Series(found.units).groupby([ways[c] for c in BATCH]).transform("sum").to_numpy()
    return _State(
        ways=ways,
        full=full[slot],
        overtime_left=(most - found.overtime > _EQUAL * most + ABSOLUTE)[slot],
        share_reached=share_reached,
        unused=unused[slot],
        not_run=(made <= ABSOLUTE) & ways["part_category"].isin(list(policy.minimum_batch)).to_numpy(),
        change=_cost_of_more(found),
    )


def _share_reached(found: Comparison) -> np.ndarray:
    """Return for each way whether its manufacturer makes as much of the category as its maximum share allows."""
    limits = found.model.limits[found.model.limits["rule"] == "maximum_share"]
    pair, ways = ["manufacturer_id", "part_category"], found.model.ways
    if limits.empty:
        return np.zeros(len(ways), dtype=bool)
    made = pd.Series(found.units).groupby([ways[c] for c in pair]).transform("sum").to_numpy()
    most = limits.set_index(pair)["limit"].reindex(pd.MultiIndex.from_frame(ways[pair])).to_numpy(float)
    return np.asarray(most - made <= _EQUAL * most + ABSOLUTE)


def _cost_of_more(found: Comparison) -> np.ndarray:
    """Return for each way what one more unit costs as a change of the previous plan."""
    lots, ways = found.model.lots, found.model.ways
    if lots.empty:
        return np.zeros(len(ways))
    made = found.made.groupby(LOT)["quantity"].sum()
    key = pd.MultiIndex.from_frame(lots[LOT])
    now = made.reindex(key).fillna(0.0).to_numpy()
    before = lots["quantity"].to_numpy(float)
    penalty = np.where(now >= before - _EQUAL * before - ABSOLUTE, lots["penalty"].to_numpy(float), 0.0)
    return np.append(penalty, 0.0)[key.get_indexer(pd.MultiIndex.from_frame(ways[LOT]))]
