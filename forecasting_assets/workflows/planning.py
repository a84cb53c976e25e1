"""Plan the capacity of a week, from the lake into the lake."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from forecasting_assets.allocation import (
    AllocationPlan,
    AllocationPolicy,
    Network,
    PlanningState,
    active_promises,
    allocate,
    correlations_used,
    demand_with_overdue,
    production_weeks,
    weekly_capacity,
)
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import read_network
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.pipeline import HELD, LOCKS
from forecasting_assets.reporting import PlanTables
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    ASSUMED_CORRELATIONS,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    ERROR_CORRELATIONS,
    PLAN_COST,
    PLAN_FLOWS,
    PLAN_PROOF,
    PLAN_REASONS,
    PLAN_RULES,
    PLAN_SHORTAGES,
)
from forecasting_assets.weeks import add_weeks, days_of, weeks_between
from forecasting_assets.workflows.demand import planned_demand
from forecasting_assets.workflows.plan_choice import choose_week, read_policy
from forecasting_assets.workflows.supply import carry_supply_forward, read_position

#: Weeks of business impact that the reports about plans show.
IMPACT_WEEKS = 26


@dataclass(frozen=True)
class PlanningInputs:
    """What a plan is made from.

    Attributes
    ----------
    demand
        Columns part_id, region, part_category, due_week, quantity (units), quantiles and unit_price; overdue orders are
        due before the first week that is planned.
    network
        The manufacturer network.
    state
        Hours, units in stock and on their way, locks and promises, and the plan before if its first weeks are frozen.
    policy
        Costs, limits and rules, and what is planned for.
    """

    demand: pd.DataFrame
    network: Network
    state: PlanningState
    policy: AllocationPolicy


def planning_inputs(settings: Settings, lake: Lake, week: date) -> PlanningInputs:
    """Read what the plan of `week` is made from.

    Parameters
    ----------
    settings
        Settings of the home.
    lake
        Its tables; SUPPLY_POSITION and PLAN_CHOICE of the week among them.
    week
        The week that has just closed: the origin of the forecast that is planned for.

    Raises
    ------
    PlanningFileError
        If a planning file cannot be used.
    """
    previous = None
    if settings.allocation.frozen_weeks:
        previous = lake.read_pandas(ALLOCATION_PLAN, [add_weeks(week, -1)], missing_ok=True)
    network, policy = read_network(lake, week), read_policy(settings, lake, week)
    correlations = lake.read_pandas(ERROR_CORRELATIONS, [week], missing_ok=True)
    forecast = planned_demand(lake, week)
    position = read_position(lake, week, policy.max_weeks_late)
    capacity = weekly_capacity(network, production_weeks(week, forecast, policy))
    planning = PlanningFolder.of(settings)
    held = active_promises(planning.used_by(week, HELD), pd.Timestamp(days_of(week)[-1]))
    return PlanningInputs(
        demand_with_overdue(forecast, position, week),
        network,
        PlanningState(
            capacity, previous, position.supply(week), planning.used_by(week, LOCKS), held, correlations
        ),
        policy,
    )


def plan_week(settings: Settings, lake: Lake, week: date) -> Mapping[str, Any]:
    """Bring the supply position to the end of a week, plan from it, and write all tables.

    Parameters
    ----------
    settings, lake, week
        As for `planning_inputs`.

    Returns
    -------
    Mapping
        Metadata of the week.

    Raises
    ------
    NetworkError, DemandError, AllocationError
        If network or demand are not valid, or no plan is found.
    """
    supply = carry_supply_forward(settings, lake, week)
    choice = choose_week(settings, lake, week)
    inputs = planning_inputs(settings, lake, week)
    plan = allocate(inputs.demand, inputs.network, inputs.policy, inputs.state)
    _write_plan(lake, plan, week)
    costs = {f"cost/{part}": value for part, value in plan.cost.items()}
    shortage = float(plan.shortages["quantity"].sum())
    metadata = {**costs, "shortage_units": shortage, "status": plan.status, "gap": plan.gap, **supply}
    return {**metadata, **choice, **_correlation_metadata(inputs)}


def _correlation_metadata(inputs: PlanningInputs) -> dict[str, Any]:
    """Return the correlations of the whole home that scenarios have; nothing if demand is taken as certain."""
    policy = inputs.policy
    if policy.uncertainty == "deterministic":
        return {}
    learnt = inputs.state.correlations
    used = correlations_used(inputs.demand, policy, learnt).iloc[0]
    source = "assumed" if learnt is None or learnt.empty else "learnt"
    return {
        f"uncertainty/{name}": f"{used[name]:.3f} ({source if getattr(policy, name) is None else 'set'})"
        for name in ASSUMED_CORRELATIONS
    }


def _write_plan(lake: Lake, plan: AllocationPlan, week: date) -> None:
    """Write the tables of a plan; ALLOCATION_PLAN is published last."""
    lake.write_pandas(plan.capacity_load, CAPACITY_LOAD, week)
    lake.write_pandas(plan.flows, PLAN_FLOWS, week)
    lake.write_pandas(plan.shortages, PLAN_SHORTAGES, week)
    lake.write_pandas(plan.reasons, PLAN_REASONS, week)
    lake.write_pandas(plan.rules, PLAN_RULES, week)
    lake.write_pandas(plan.proof, PLAN_PROOF, week)
    lake.write_pandas(pd.DataFrame(list(plan.cost.items()), columns=PLAN_COST.names), PLAN_COST, week)
    lake.write_pandas(plan.plan, ALLOCATION_PLAN, week)


def read_plan_costs(lake: Lake, week: date) -> dict[str, float]:
    """Return what the plan of a week costs: `total`, and its parts."""
    costs = lake.read_pandas(PLAN_COST, [week])
    return dict(zip(costs["part"], costs["amount"].astype(float), strict=True))


def read_plan_tables(lake: Lake, week: date) -> PlanTables:
    """Read the tables of the plan of a week, and what earlier plans were worth up to that week."""
    earlier = weeks_between(add_weeks(week, 1 - IMPACT_WEEKS), week)
    plan, load, shortages, reasons, rules = (
        lake.read_pandas(table, [week])
        for table in (ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES, PLAN_REASONS, PLAN_RULES)
    )
    impact = lake.read_pandas(BUSINESS_IMPACT, earlier, missing_ok=True)
    return PlanTables(plan, load, shortages, read_plan_costs(lake, week), impact, reasons, rules)
