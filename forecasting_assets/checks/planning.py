"""Checks of the plan, on the tables as written: possible, complete, proven optimal, and rarely short."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from forecasting_assets.allocation import (
    Certificate,
    check_balance,
    check_capacity,
    check_certificate,
    check_shortages,
)
from forecasting_assets.assets.planning import planned_demand
from forecasting_assets.assets.weekly import Weekly
from forecasting_assets.checks.contract import check_contract
from forecasting_assets.checks.weekly import Check, weekly_checks
from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    PLAN_CERTIFICATE,
    PLAN_SHORTAGES,
)


def planning_checks(weekly: Weekly) -> list[dg.AssetChecksDefinition]:
    features = feature_columns(weekly.settings.calendar.horizon_weeks)

    def load_lake(resources, weeks: Sequence[date]):
        return resources.lake

    def capacity(lake, week: date) -> Finding:
        return check_capacity(lake.read_pandas(CAPACITY_LOAD, [week]))

    def balance(lake, week: date) -> Finding:
        plan, short = lake.read_pandas(ALLOCATION_PLAN, [week]), lake.read_pandas(PLAN_SHORTAGES, [week])
        return check_balance(plan, short, planned_demand(lake, features, week))

    def certified(lake, week: date) -> Finding:
        proof = lake.read_pandas(PLAN_CERTIFICATE, [week]).drop(columns="week")
        return check_certificate(Certificate(**proof.iloc[0].to_dict()))

    def shortages(lake, week: date) -> Finding:
        short, demand = lake.read_pandas(PLAN_SHORTAGES, [week]), planned_demand(lake, features, week)
        return check_shortages(short, demand, weekly.settings.checks.shortage_limit)

    def impact_contract(lake, week: date) -> Finding:
        return check_contract(lake.read_pandas(BUSINESS_IMPACT, [week]), BUSINESS_IMPACT)

    return [
        weekly_checks(
            weekly,
            ALLOCATION_PLAN.name,
            [
                Check("capacity_feasible", "No manufacturer is planned over its hours.", capacity),
                Check("demand_balanced", "Every unit of demand is planned or listed as short.", balance),
                Check("solver_certified", "Duality proves that no plan is cheaper.", certified),
                Check("few_shortages", "Shortages are under the limit.", shortages, blocking=False),
            ],
            load_lake,
            {"lake"},
        ),
        weekly_checks(
            weekly,
            BUSINESS_IMPACT.name,
            [Check("contract", "Metrics are declared and stand once.", impact_contract)],
            load_lake,
            {"lake"},
        ),
    ]
