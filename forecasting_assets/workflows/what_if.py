"""Plan a changed case of a week beside its plan; the plan itself stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from forecasting_assets.allocation import (
    Change,
    allocate,
    changed_demand,
    changed_network,
    changed_policy,
    changed_state,
    hours_by_manufacturer,
    on_time_rate,
    parse_change,
    require_planned_weeks,
)
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.reports import unique_name, write_report
from forecasting_assets.reporting import Money, what_if_html, what_if_text
from forecasting_assets.reporting.what_if import CHANGED, PLAN, Difference
from forecasting_assets.settings import Settings
from forecasting_assets.tables import QUANTILES
from forecasting_assets.workflows.covariate_what_if import covariate_effect, demand_changes
from forecasting_assets.workflows.planning import PlanningInputs, planning_inputs, read_plan_tables


@dataclass(frozen=True)
class Case:
    """Changes to a plan, as written on the command line.

    Attributes
    ----------
    capacity
        More or fewer hours, as `M03=-40%` or `M03@2026-12-07=320h`.
    demand
        More or less demand, as `cnc/north=+20%` or `P0001/north@2026-12-07=+20%`.
    remove
        Manufacturers to plan without.
    covariate
        Changes of what is known ahead, as `P0001/EU:unit_price=-10%`, see `covariate_what_if`.
    """

    capacity: Sequence[str] = ()
    demand: Sequence[str] = ()
    remove: Sequence[str] = ()
    covariate: Sequence[str] = ()

    @property
    def description(self) -> str:
        """The changes in words."""
        return ", ".join(
            [
                *(f"{_in_words(text).removesuffix('h')} hours" for text in self.capacity),
                *(f"{_in_words(text)} demand" for text in self.demand),
                *(f"without {name}" for name in self.remove),
                *(f"{_in_words(text)}" for text in self.covariate),
            ]
        )

    @property
    def report_name(self) -> str:
        """File name of its report."""
        return f"what-if-{unique_name(self.description)}.html"


@dataclass(frozen=True)
class CaseResult:
    """A changed case and its difference from the plan.

    Attributes
    ----------
    case, week
        The changes, and the planned week.
    change
        The changes with the full names of what they concern.
    inputs
        What the plan was made from.
    difference
        The difference.
    changed_inputs
        What the changed case was made from.
    """

    case: Case
    week: date
    change: Change
    inputs: PlanningInputs
    difference: Difference
    changed_inputs: PlanningInputs


def plan_case(settings: Settings, lake: Lake, week: date, case: Case) -> CaseResult:
    """Plan a changed case of `week` and compare it with the plan.

    Parameters
    ----------
    settings
        Settings of the home.
    lake
        Its tables.
    week
        A week that has a plan.
    case
        The changes.

    Raises
    ------
    AllocationError
        If a change cannot be read, or has a name or a week that the plan does not know.
    CovariateChangeError, LoggedModelError
        If a change of a covariate cannot be tried.
    """
    inputs, plan = planning_inputs(settings, lake, week), read_plan_tables(lake, week)
    change = parse_change(case.capacity, case.demand, case.remove, inputs.network, inputs.demand)
    effect, beyond = (
        covariate_effect(settings, lake, week, case.covariate) if case.covariate else (None, None)
    )
    if effect is not None:
        change = replace(change, demand=(*change.demand, *demand_changes(effect)))
    require_planned_weeks(change, inputs.state, inputs.demand)
    changed_inputs, dropped = changed_planning_inputs(inputs, change)
    changed = allocate(
        changed_inputs.demand, changed_inputs.network, changed_inputs.policy, changed_inputs.state
    )
    difference = Difference(
        case.description,
        {PLAN: plan.costs, CHANGED: changed.cost},
        {
            PLAN: on_time_rate(plan.plan, plan.shortages, inputs.network),
            CHANGED: on_time_rate(changed.plan, changed.shortages, inputs.network),
        },
        {PLAN: float(plan.shortages["quantity"].sum()), CHANGED: float(changed.shortages["quantity"].sum())},
        hours_by_manufacturer([(PLAN, plan.capacity_load), (CHANGED, changed.capacity_load)]),
        changed.reasons,
        dropped,
        effect,
        beyond,
    )
    return CaseResult(case, week, change, inputs, difference, changed_inputs)


def changed_planning_inputs(inputs: PlanningInputs, change: Change) -> tuple[PlanningInputs, list[str]]:
    """Return what a changed case is planned from, and the rules, locks and promises that do not hold in it."""
    demand = changed_demand(inputs.demand, change, ["quantity", *QUANTILES])
    network = changed_network(inputs.network, change)
    policy, rules = changed_policy(inputs.policy, change, network, demand)
    state, held = changed_state(inputs.state, change)
    return PlanningInputs(demand, network, state, policy), [*rules, *held]


def report_case(settings: Settings, result: CaseResult) -> tuple[str, str]:
    """Describe a changed case in words, and write its report; return both the words and the path."""
    page = what_if_html(result.week, result.difference, Money(settings.reports.currency))
    path = write_report(settings.reports_path, result.week, result.case.report_name, page)
    return what_if_text(result.week, result.difference), path


def _in_words(text: str) -> str:
    scope, _, change = text.rpartition("=")
    name, at, week = scope.partition("@")
    return f"{name} in week {week} {change}" if at else f"{name} {change}"
