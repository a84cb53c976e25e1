"""Checks of the plan, on the tables as written: possible, complete, proven optimal, and rarely short."""

from datetime import date

from forecasting_assets.allocation import (
    build_problem,
    certify_plan,
    check_balance,
    check_capacity,
    check_certificate,
    check_counts,
    check_mean,
    check_rules_kept,
    check_servable,
    check_shortages,
    check_supply_balance,
    planned_units,
    unservable,
)
from forecasting_assets.findings import Finding
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    MANUFACTURER_NETWORK,
    PLAN_PROOF,
    PLAN_RULES,
    PLAN_SHORTAGES,
    SUPPLY_LEDGER,
)
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows.planning import planning_inputs, read_plan_costs


def plan_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check the plan of a week."""
    inputs = planning_inputs(settings, lake, week)
    demand, network = inputs.demand, inputs.network
    ledger = lake.read_pandas(SUPPLY_LEDGER, [week])
    problem = build_problem(demand, network, inputs.policy, inputs.state)
    load, plan, proof, rules, shortages = (
        lake.read_pandas(table, [week])
        for table in (CAPACITY_LOAD, ALLOCATION_PLAN, PLAN_PROOF, PLAN_RULES, PLAN_SHORTAGES)
    )
    wanted, total = planned_units(problem), read_plan_costs(lake, week)["total"]
    uncertain = inputs.policy.uncertainty != "deterministic"
    return {
        "supply_balanced": check_supply_balance(ledger),
        "counts_match": check_counts(ledger, settings.checks.count_difference_limit),
        "previous_week_planned": _previous_week_planned(lake, week),
        "capacity_feasible": check_capacity(load),
        "demand_balanced": check_balance(plan, shortages, wanted, uncertain),
        "mean_planned_for": check_mean(wanted, demand, inputs.state.supply),
        "solver_certified": check_certificate(certify_plan(problem, plan, shortages, total, proof)),
        "rules_kept": check_rules_kept(rules),
        "few_shortages": check_shortages(shortages, wanted, settings.checks.shortage_limit),
        "demand_servable": check_servable(demand, unservable(network, demand)),
    }


def _previous_week_planned(lake: Lake, week: date) -> Finding:
    """Check that a plan knows what the plan of the week before has started."""
    planned = [w for w in lake.existing_weeks(ALLOCATION_PLAN) if w < week]
    if not planned:
        return Finding(True, "this is the first plan")
    if (before := add_weeks(week, -1)) in planned:
        return Finding(True, f"continues the plan of {before}")
    return Finding(
        False,
        f"there is no plan of {before}, so this plan does not know what earlier plans have started: materialize "
        f"{before}, then {week} again",
    )


def network_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check the manufacturers of a week."""
    return {"contract": check_contract(lake.read_pandas(MANUFACTURER_NETWORK, [week]), MANUFACTURER_NETWORK)}


def impact_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check what planning was worth in a week."""
    return {"contract": check_contract(lake.read_pandas(BUSINESS_IMPACT, [week]), BUSINESS_IMPACT)}
