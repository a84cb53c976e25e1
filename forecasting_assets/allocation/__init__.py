"""Allocate capacity: the cheapest plan for a demand, its proof, and its business impact in hindsight."""

from forecasting_assets.allocation.certificate import Certificate
from forecasting_assets.allocation.comparison import PlanClaim
from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.hindsight import (
    FORESEEN_WEEKS,
    WARM_UP_WEEKS,
    Demands,
    Published,
    impact,
    replayed_origins,
)
from forecasting_assets.allocation.instance import COST_PARTS, DemandError
from forecasting_assets.allocation.network import (
    Network,
    NetworkError,
    NetworkProblem,
    unservable,
    weekly_capacity,
)
from forecasting_assets.allocation.network_files import load_network
from forecasting_assets.allocation.optimal import allocate, build_problem, certify_plan, planned_units
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import AllocationError
from forecasting_assets.allocation.rolling import Market, rolling_replay
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.verify import (
    check_balance,
    check_capacity,
    check_certificate,
    check_rules_kept,
    check_servable,
    check_shortages,
)
from forecasting_assets.allocation.what_if import (
    Change,
    changed_demand,
    changed_network,
    hours_by_manufacturer,
    on_time_rate,
    parse_change,
)

__all__ = [
    "COST_PARTS",
    "FORESEEN_WEEKS",
    "WARM_UP_WEEKS",
    "AllocationError",
    "AllocationPlan",
    "AllocationPolicy",
    "Certificate",
    "Change",
    "DemandError",
    "Demands",
    "Market",
    "Network",
    "NetworkError",
    "NetworkProblem",
    "PlanClaim",
    "PlanningState",
    "Published",
    "allocate",
    "allocate_greedily",
    "build_problem",
    "certify_plan",
    "changed_demand",
    "changed_network",
    "check_balance",
    "check_capacity",
    "check_certificate",
    "check_rules_kept",
    "check_servable",
    "check_shortages",
    "hours_by_manufacturer",
    "impact",
    "load_network",
    "on_time_rate",
    "parse_change",
    "planned_units",
    "replayed_origins",
    "rolling_replay",
    "unservable",
    "weekly_capacity",
]
