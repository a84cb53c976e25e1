"""Checks of the plan, on the tables as written: possible, complete, proven optimal, and rarely short."""

from datetime import date

import dagster as dg

from forecasting_assets.allocation import (
    build_problem,
    certify_plan,
    check_balance,
    check_capacity,
    check_certificate,
    check_rules_kept,
    check_servable,
    check_shortages,
    planned_units,
    unservable,
)
from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.lake.lake import Lake
from forecasting_assets.orchestration.assets.planning import (
    plan_costs,
    planned_demand,
    previous_plan,
    read_network,
)
from forecasting_assets.orchestration.checks.factory import Check, weekly_checks
from forecasting_assets.orchestration.factory import Weekly
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    MANUFACTURER_NETWORK,
    PLAN_PROOF,
    PLAN_RULES,
    PLAN_SHORTAGES,
)
from forecasting_assets.tables.contract import check_contract


def plan_findings(settings: Settings, week: date) -> list[Finding]:
    lake = Lake(path=settings.lake_path)
    demand = planned_demand(lake, feature_columns(settings.calendar.horizon_weeks), week)
    network = read_network(lake, week)
    problem = build_problem(
        demand,
        network,
        settings.allocation,
        previous=previous_plan(lake, settings, week),
    )
    plan = lake.read_pandas(ALLOCATION_PLAN, [week])
    shortages = lake.read_pandas(PLAN_SHORTAGES, [week])
    asked = planned_units(problem)
    proof = lake.read_pandas(PLAN_PROOF, [week])
    total = plan_costs(lake, week)["total"]
    spare = settings.allocation.uncertainty == "stochastic"
    return [
        check_capacity(lake.read_pandas(CAPACITY_LOAD, [week])),
        check_balance(plan, shortages, asked, spare),
        check_certificate(certify_plan(problem, plan, shortages, total, proof)),
        check_rules_kept(lake.read_pandas(PLAN_RULES, [week])),
        check_shortages(shortages, asked, settings.checks.shortage_limit),
        check_servable(demand, unservable(network, demand)),
    ]


def network_findings(settings: Settings, week: date) -> list[Finding]:
    known = Lake(path=settings.lake_path).read_pandas(MANUFACTURER_NETWORK, [week])
    return [check_contract(known, MANUFACTURER_NETWORK)]


def impact_findings(settings: Settings, week: date) -> list[Finding]:
    return [
        check_contract(Lake(path=settings.lake_path).read_pandas(BUSINESS_IMPACT, [week]), BUSINESS_IMPACT)
    ]


def planning_checks(weekly: Weekly) -> list[dg.AssetChecksDefinition]:
    return [
        weekly_checks(
            weekly,
            MANUFACTURER_NETWORK,
            [Check("contract", "One row a manufacturer, nothing missing.")],
            network_findings,
        ),
        weekly_checks(
            weekly,
            ALLOCATION_PLAN,
            [
                Check("capacity_feasible", "No manufacturer is planned over its hours."),
                Check("demand_balanced", "Every unit of demand is planned or listed as short."),
                Check(
                    "solver_certified",
                    "The tables hold a feasible plan, and duality proves that none is cheaper.",
                ),
                Check("rules_kept", "No rule of the marketplace had to be relaxed."),
                Check("few_shortages", "Shortages are under the limit.", blocking=False),
                Check(
                    "demand_servable", "Somebody can make and deliver all that is in demand.", blocking=False
                ),
            ],
            plan_findings,
        ),
        weekly_checks(
            weekly,
            BUSINESS_IMPACT,
            [Check("contract", "Metrics are declared and stand once.")],
            impact_findings,
        ),
    ]
