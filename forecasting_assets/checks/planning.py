"""Checks of the plan, on the tables as written: possible, complete, proven optimal, and rarely short."""

from dataclasses import fields
from datetime import date

import dagster as dg

from forecasting_assets.allocation import (
    Certificate,
    check_balance,
    check_capacity,
    check_certificate,
    check_shortages,
)
from forecasting_assets.assets.weekly import Weekly
from forecasting_assets.checks.contract import check_contract
from forecasting_assets.checks.weekly import Check, weekly_checks
from forecasting_assets.findings import Finding
from forecasting_assets.resources.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    DEMAND_FORECAST,
    PLAN_CERTIFICATE,
    PLAN_SHORTAGES,
    SERIES,
)


def plan_findings(settings: Settings, week: date) -> list[Finding]:
    lake = Lake(path=settings.lake_path)
    demand = lake.read_pandas(DEMAND_FORECAST, [week], [*SERIES, "target_week", "mean"])
    demand = demand.rename(columns={"target_week": "due_week", "mean": "quantity"})
    shortages = lake.read_pandas(PLAN_SHORTAGES, [week])
    proof = lake.read_pandas(PLAN_CERTIFICATE, [week]).iloc[0]
    return [
        check_capacity(lake.read_pandas(CAPACITY_LOAD, [week])),
        check_balance(lake.read_pandas(ALLOCATION_PLAN, [week]), shortages, demand),
        check_certificate(Certificate(*(float(proof[field.name]) for field in fields(Certificate)))),
        check_shortages(shortages, demand, settings.checks.shortage_limit),
    ]


def impact_findings(settings: Settings, week: date) -> list[Finding]:
    return [
        check_contract(Lake(path=settings.lake_path).read_pandas(BUSINESS_IMPACT, [week]), BUSINESS_IMPACT)
    ]


def planning_checks(weekly: Weekly) -> list[dg.AssetChecksDefinition]:
    return [
        weekly_checks(
            weekly,
            ALLOCATION_PLAN,
            [
                Check("capacity_feasible", "No manufacturer is planned over its hours."),
                Check("demand_balanced", "Every unit of demand is planned or listed as short."),
                Check("solver_certified", "Duality proves that no plan is cheaper."),
                Check("few_shortages", "Shortages are under the limit.", blocking=False),
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
