"""Checks of the plan, on the tables as written: possible, complete, proven optimal, and rarely short."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache

import dagster as dg
import pandas as pd

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
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    DEMAND_FORECAST,
    PLAN_CERTIFICATE,
    PLAN_SHORTAGES,
    SERIES,
)


@dataclass(frozen=True)
class _Plan:
    """The tables of one plan and the demand it was made for."""

    load: pd.DataFrame
    lines: pd.DataFrame
    shortages: pd.DataFrame
    certificate: pd.DataFrame
    demand: pd.DataFrame


def planning_checks(weekly: Weekly) -> list[dg.AssetChecksDefinition]:
    def load_plans(resources, weeks: Sequence[date]):
        """One week in memory at a time: the plans of a long range would not fit."""

        @lru_cache(maxsize=1)
        def plan(week: date) -> _Plan:
            demand = resources.lake.read_pandas(DEMAND_FORECAST, [week], [*SERIES, "target_week", "mean"])
            demand = demand.rename(columns={"target_week": "due_week", "mean": "quantity"})
            return _Plan(
                resources.lake.read_pandas(CAPACITY_LOAD, [week]),
                resources.lake.read_pandas(ALLOCATION_PLAN, [week]),
                resources.lake.read_pandas(PLAN_SHORTAGES, [week]),
                resources.lake.read_pandas(PLAN_CERTIFICATE, [week]),
                demand,
            )

        return plan

    def capacity(plan: Callable[[date], _Plan], week: date) -> Finding:
        return check_capacity(plan(week).load)

    def balance(plan: Callable[[date], _Plan], week: date) -> Finding:
        return check_balance(plan(week).lines, plan(week).shortages, plan(week).demand)

    def certified(plan: Callable[[date], _Plan], week: date) -> Finding:
        proof = plan(week).certificate.drop(columns="week").iloc[0]
        return check_certificate(Certificate(*proof[[field.name for field in fields(Certificate)]]))

    def shortages(plan: Callable[[date], _Plan], week: date) -> Finding:
        return check_shortages(plan(week).shortages, plan(week).demand, weekly.settings.checks.shortage_limit)

    def load_lake(resources, weeks: Sequence[date]):
        return resources.lake

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
            load_plans,
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
