"""The status quo: give every order to the cheapest manufacturer that is available, week by week."""

import numpy as np
import pandas as pd

from forecasting_assets.allocation.instance import build_instance
from forecasting_assets.allocation.network import Network, check_network
from forecasting_assets.allocation.plan import AllocationPlan, Decision, to_plan, zero_small_amounts
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import NEW_START, PlanningState


def allocate_greedily(
    demand: pd.DataFrame, network: Network, policy: AllocationPolicy, state: PlanningState = NEW_START
) -> AllocationPlan:
    """Plan without look-ahead; return a plan like that of `allocate`, with no certificate and shadow prices of 0.

    Due weeks are served in order. Within one, units are made in the latest week that still arrives in time,
    else one week later and so on, never ahead; within that in regular hours first, then in overtime; within
    that cheapest first.

    Parameters
    ----------
    demand, network, state
        As for `allocate`; there are no frozen weeks.
    policy
        Costs and limits; rules, uncertainty, activation costs and whole units are ignored.

    Returns
    -------
    AllocationPlan
        A plan with status `greedy`; reasons, rules and proof are empty, and the gap is NaN.

    Raises
    ------
    NetworkError, InputError
        If a table cannot be planned with.
    """
    check_network(network)
    gross = build_instance(demand, network, policy, state.capacity)
    netting = gross.netting(state.supply, policy.max_weeks_late)
    instance = gross.with_units(netting.unmet(gross.parts["quantity"].to_numpy()))
    arcs, batches, slots = instance.arcs, instance.batches, instance.slots
    # Every arc twice, in regular hours and in overtime, in the order in which they are taken.
    tried = pd.concat([arcs.assign(arc=arcs.index, overtime=overtime) for overtime in (False, True)])
    tried = tried[tried["lateness"] >= 0]
    tried["due_week"] = instance.classes["due_week"].to_numpy()[tried["class"]]
    tried["unit_cost"] = tried["production_cost"] + tried["lane_cost"]
    tried = tried.sort_values(["due_week", "lateness", "overtime", "unit_cost", "class", "batch"])
    hours = batches["hours_per_unit"].to_numpy()[tried["batch"]]
    slot = batches["slot"].to_numpy()[tried["batch"]]

    hours_left = [slots["capacity_hours"].tolist(), slots["overtime_capacity_hours"].tolist()]
    units_left = instance.classes["quantity"].tolist()
    units, overtime_units = np.zeros(len(arcs)), np.zeros(len(batches))
    for arc, batch, class_, overtime, s, h in zip(
        *(tried[c].tolist() for c in ("arc", "batch", "class", "overtime")),
        slot.tolist(),
        hours.tolist(),
        strict=True,
    ):
        taken = min(units_left[class_], hours_left[overtime][s] / h)
        if taken <= 0:
            continue
        units_left[class_] -= taken
        hours_left[overtime][s] = max(hours_left[overtime][s] - taken * h, 0.0)
        units[arc] += taken
        if overtime:
            overtime_units[batch] += taken
    decision = Decision(
        units=units,
        overtime_units=overtime_units,
        short=np.maximum(np.array(units_left), 0.0),
        activation_cost=np.zeros(len(slots)),
        change_cost=0.0,
        shadow_price=np.zeros(len(slots)),
    )
    return to_plan(instance, zero_small_amounts(instance, decision), status="greedy")
