"""Allocate capacity: the cheapest plan for a demand, its proof, and its business impact in hindsight."""

from forecasting_assets.allocation.adoption import adopted_hours, adopted_overrides, obstacles
from forecasting_assets.allocation.arguments import DemandError, InputError
from forecasting_assets.allocation.certificate import Certificate
from forecasting_assets.allocation.choice import (
    FEWEST_WEEKS,
    REPLAYED_WEEKS,
    PastWeeks,
    choose_method,
    set_method,
    with_choice,
)
from forecasting_assets.allocation.comparison import PlanClaim
from forecasting_assets.allocation.counts import Counts, count
from forecasting_assets.allocation.demand_checks import check_mean
from forecasting_assets.allocation.displacement import Displacement
from forecasting_assets.allocation.free_capacity import FreeCapacity, Inquiry, Offer, OfferLine
from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.held import active_promises, promised_production
from forecasting_assets.allocation.hindsight import (
    FORESEEN_WEEKS,
    WARM_UP_WEEKS,
    Demands,
    Published,
    impact,
    replayed_origins,
)
from forecasting_assets.allocation.inquiries import (
    Answer,
    CapableToPromise,
    InquiryError,
    PublishedPlan,
    parse_inquiries,
    parse_inquiry,
    promised_rows,
    spelled_as_orders,
)
from forecasting_assets.allocation.instance import COST_PARTS
from forecasting_assets.allocation.network import (
    Network,
    NetworkError,
    NetworkProblem,
    unservable,
    unused_manufacturers,
    weekly_capacity,
)
from forecasting_assets.allocation.network_files import load_network
from forecasting_assets.allocation.optimal import (
    allocate,
    build_problem,
    certify_plan,
    planned_units,
)
from forecasting_assets.allocation.plan import AllocationPlan, exact_plan
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.problem import Problem
from forecasting_assets.allocation.program import AllocationError
from forecasting_assets.allocation.rolling import (
    Market,
    demand_with_overdue,
    production_weeks,
    rolling_replay,
)
from forecasting_assets.allocation.scenarios import correlations_used
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.supply import (
    KINDS,
    Position,
    advance,
    all_series,
    ledger,
    started_production,
)
from forecasting_assets.allocation.supply_checks import (
    check_counts,
    check_counts_known,
    check_supply_balance,
)
from forecasting_assets.allocation.verify import (
    check_balance,
    check_capacity,
    check_certificate,
    check_locks_kept,
    check_manufacturers_used,
    check_priced_parts,
    check_published,
    check_rules_kept,
    check_servable,
    check_shortages,
)
from forecasting_assets.allocation.what_if import (
    Change,
    DemandChange,
    changed_demand,
    changed_network,
    changed_policy,
    changed_state,
    hours_by_manufacturer,
    on_time_rate,
    parse_change,
    parse_scope,
    require_planned_weeks,
)
from forecasting_assets.allocation.worth import parts_without_demand

__all__ = [
    "COST_PARTS",
    "FEWEST_WEEKS",
    "FORESEEN_WEEKS",
    "KINDS",
    "REPLAYED_WEEKS",
    "WARM_UP_WEEKS",
    "AllocationError",
    "AllocationPlan",
    "AllocationPolicy",
    "Answer",
    "CapableToPromise",
    "Certificate",
    "Change",
    "Counts",
    "DemandChange",
    "DemandError",
    "Demands",
    "Displacement",
    "FreeCapacity",
    "InputError",
    "Inquiry",
    "InquiryError",
    "Market",
    "Network",
    "NetworkError",
    "NetworkProblem",
    "Offer",
    "OfferLine",
    "PastWeeks",
    "PlanClaim",
    "PlanningState",
    "Position",
    "Problem",
    "Published",
    "PublishedPlan",
    "active_promises",
    "adopted_hours",
    "adopted_overrides",
    "advance",
    "all_series",
    "allocate",
    "allocate_greedily",
    "build_problem",
    "certify_plan",
    "changed_demand",
    "changed_network",
    "changed_policy",
    "changed_state",
    "check_balance",
    "check_capacity",
    "check_certificate",
    "check_counts",
    "check_counts_known",
    "check_locks_kept",
    "check_manufacturers_used",
    "check_mean",
    "check_priced_parts",
    "check_published",
    "check_rules_kept",
    "check_servable",
    "check_shortages",
    "check_supply_balance",
    "choose_method",
    "correlations_used",
    "count",
    "demand_with_overdue",
    "exact_plan",
    "hours_by_manufacturer",
    "impact",
    "ledger",
    "load_network",
    "obstacles",
    "on_time_rate",
    "parse_change",
    "parse_inquiries",
    "parse_inquiry",
    "parse_scope",
    "parts_without_demand",
    "planned_units",
    "production_weeks",
    "promised_production",
    "promised_rows",
    "replayed_origins",
    "require_planned_weeks",
    "rolling_replay",
    "set_method",
    "spelled_as_orders",
    "started_production",
    "unservable",
    "unused_manufacturers",
    "weekly_capacity",
    "with_choice",
]
