"""Checks of the plan, on the tables as written: possible, complete, proven optimal, and rarely short."""

from datetime import date

import pandas as pd

from forecasting_assets.allocation import (
    Counts,
    Network,
    PlanClaim,
    Problem,
    build_problem,
    certify_plan,
    check_balance,
    check_capacity,
    check_certificate,
    check_counts,
    check_counts_known,
    check_locks_kept,
    check_manufacturers_used,
    check_mean,
    check_priced_parts,
    check_published,
    check_rules_kept,
    check_servable,
    check_shortages,
    check_supply_balance,
    exact_plan,
    parts_without_demand,
    planned_units,
    unservable,
    unused_manufacturers,
)
from forecasting_assets.features.build import feature_columns
from forecasting_assets.findings import Finding
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import read_network
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.pipeline import COUNTS, NOTES, SUCCESSIONS
from forecasting_assets.planning.checks import (
    check_demand_plan,
    check_notes,
    check_overrides,
    check_planning_files,
)
from forecasting_assets.planning.covariates import (
    TRACKED_WEEKS,
    check_covariates,
    check_names_known,
    check_plan_complete,
)
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BUSINESS_IMPACT,
    CAPACITY_LOAD,
    DEMAND_FORECAST,
    DEMAND_PLAN,
    KNOWN_COVARIATES,
    MANUFACTURER_NETWORK,
    ORDER_BOOK,
    OVERRIDE_USE,
    PLAN_FLOWS,
    PLAN_PROOF,
    PLAN_RULES,
    PLAN_SHORTAGES,
    SERIES,
    SUPPLY_LEDGER,
)
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.tables.frames import stack
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.order_history import ever_ordered
from forecasting_assets.workflows.planning import planning_inputs, read_plan_costs


def covariate_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check what became known of covariates in a week, and what is known of the coming weeks by then."""
    horizon = settings.calendar.horizon_weeks
    rows = lake.read_pandas(KNOWN_COVARIATES, [week]).drop(columns="week")
    active = lake.read_pandas(feature_columns(horizon), [week], SERIES)
    since = max(add_weeks(week, -horizon - TRACKED_WEEKS), settings.calendar.first_week)
    known = lake.read_pandas(KNOWN_COVARIATES, weeks_between(since, week), missing_ok=True)
    return {
        "contract": check_covariates(rows, week, horizon),
        "names_known": check_names_known(rows, active),
        "plan_complete": check_plan_complete(known, week, horizon),
    }


def demand_plan_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check the demand plan of a week, its overrides, and the planning folder as a whole."""
    folder = PlanningFolder.of(settings)
    forecast = lake.read_pandas(DEMAND_FORECAST, [week], [*SERIES, "mean"])
    corrections, successors = (folder.used_by(week, of) for of in NOTES)
    ended = successors.loc[~successors["part_id"].isin(forecast["part_id"]), ["part_id"]]
    ordered = ever_ordered(lake, ended, week)
    return {
        "contract": check_demand_plan(lake.read_pandas(DEMAND_PLAN, [week])),
        "overrides_used": check_overrides(lake.read_pandas(OVERRIDE_USE, [week])),
        "notes_known": check_notes(corrections, successors, forecast, ordered, week),
        "planning_files_recognised": check_planning_files(folder.unrecognised()),
    }


def plan_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check the plan of a week."""
    inputs = planning_inputs(settings, lake, week)
    demand, network = inputs.demand, inputs.network
    ledger = lake.read_pandas(SUPPLY_LEDGER, [week])
    problem = build_problem(demand, network, inputs.policy, inputs.state)
    load, plan, flows, proof, rules, shortages = (
        lake.read_pandas(table, [week])
        for table in (CAPACITY_LOAD, ALLOCATION_PLAN, PLAN_FLOWS, PLAN_PROOF, PLAN_RULES, PLAN_SHORTAGES)
    )
    wanted, costs = planned_units(problem), read_plan_costs(lake, week)
    # The exact plan and its proof are of the production that is not fixed.
    fixed = problem.fixed
    own_load = fixed.remove_from_load(load) if fixed else load
    own_plan = fixed.remove_from(plan) if fixed else plan
    claim = PlanClaim(plan, flows, shortages, load, rules, proof, costs)
    exact = exact_plan(problem.instance, flows, shortages, own_load)
    if exact is None:
        of_exact_plan = dict.fromkeys(
            ("demand_balanced", "solver_certified", "rows_published"),
            Finding(
                False,
                "rows of plan_flows, plan_shortages or capacity_load do not belong to this demand and network",
            ),
        )
    else:
        spare = inputs.policy.uncertainty != "deterministic"
        whole = inputs.policy.whole_units
        of_exact_plan = {
            "demand_balanced": check_balance(exact.plan, shortages, wanted, spare),
            "solver_certified": check_certificate(certify_plan(problem, claim)),
            "rows_published": check_published(own_plan, own_load, exact, problem.instance, whole),
        }
    return {
        "counts_known": _counts_known(settings, lake, week, demand, network),
        "supply_balanced": check_supply_balance(ledger),
        "counts_match": check_counts(ledger, settings.checks.count_difference_limit),
        "previous_week_planned": _previous_week_planned(lake, week),
        "capacity_feasible": check_capacity(load),
        **of_exact_plan,
        "mean_planned_for": check_mean(wanted, demand, _units_given(problem)),
        "rules_kept": check_rules_kept(rules),
        "locks_kept": check_locks_kept(plan, problem.fixed.report if problem.fixed else None),
        "few_shortages": check_shortages(shortages, wanted, settings.checks.shortage_limit),
        "demand_servable": check_servable(demand, unservable(network, demand)),
        "priced_parts_demanded": check_priced_parts(parts_without_demand(demand, settings.allocation)),
    }


def _units_given(problem: Problem) -> pd.DataFrame | None:
    """Return the units that serve demand before anything is planned: of the supply, and of fixed production."""
    supply = problem.inputs.state.supply
    if problem.fixed is None:
        return supply
    given = [problem.fixed.own_supply, problem.fixed.reserved, problem.fixed.rows]
    return pd.concat([table[[*SERIES, "quantity"]] for table in given], ignore_index=True)


def _counts_known(
    settings: Settings, lake: Lake, week: date, demand: pd.DataFrame, network: Network
) -> Finding:
    """Check that what was counted in the week is of parts, regions and manufacturers that there are."""
    folder = PlanningFolder.of(settings)
    counts = Counts(*(folder.used_by(week, of) for of in COUNTS)).of_week(week)
    book = lake.read_pandas(ORDER_BOOK, [week], SERIES, missing_ok=True)
    known = stack([demand[SERIES], book[SERIES]]).drop_duplicates()
    is_known = pd.MultiIndex.from_frame(counts.series).isin(pd.MultiIndex.from_frame(known))
    ordered = ever_ordered(lake, counts.series[~is_known], week)
    # A successor may be in stock before its first order.
    successors = folder.used_by(week, SUCCESSIONS)["successor_id"]
    manufacturers = network.manufacturers["manufacturer_id"]
    return check_counts_known(counts, stack([known, ordered]), successors, manufacturers)


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
    return {
        "contract": check_contract(lake.read_pandas(MANUFACTURER_NETWORK, [week]), MANUFACTURER_NETWORK),
        "manufacturers_used": check_manufacturers_used(unused_manufacturers(read_network(lake, week))),
    }


def impact_findings(settings: Settings, lake: Lake, week: date) -> dict[str, Finding]:
    """Check what planning was worth in a week."""
    return {"contract": check_contract(lake.read_pandas(BUSINESS_IMPACT, [week]), BUSINESS_IMPACT)}
