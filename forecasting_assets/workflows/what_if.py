"""Plan a changed case of a week beside its plan; the plan itself stays as it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from forecasting_assets.allocation import (
    allocate,
    changed_demand,
    changed_network,
    changed_policy,
    changed_state,
    hours_by_manufacturer,
    on_time_rate,
    parse_change,
)
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.reports import write_report
from forecasting_assets.reporting import what_if_html, what_if_text
from forecasting_assets.reporting.what_if import CHANGED, PLAN, Difference
from forecasting_assets.settings import Settings
from forecasting_assets.tables import QUANTILES
from forecasting_assets.workflows.planning import planning_inputs, read_plan_tables

#: Longest name of a report, as file systems limit names.
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Case:
    """Changes to a plan, as written on the command line.

    Attributes
    ----------
    capacity
        More or fewer hours, as `M03=-40%`.
    demand
        More or less demand, as `cnc/north=+20%`.
    remove
        Manufacturers to plan without.
    """

    capacity: Sequence[str] = ()
    demand: Sequence[str] = ()
    remove: Sequence[str] = ()

    @property
    def description(self) -> str:
        """The changes in words."""
        return ", ".join(
            [
                *(f"{text.replace('=', ' ')} hours" for text in self.capacity),
                *(f"{text.replace('=', ' ')} demand" for text in self.demand),
                *(f"without {name}" for name in self.remove),
            ]
        )

    @property
    def report_name(self) -> str:
        """File name of its report."""
        words = re.findall("[a-z0-9]+", self.description.lower().replace("-", "minus "))
        return f"{'-'.join(['what-if', *words])[:_LONGEST_NAME]}.html"


def what_if(settings: Settings, lake: Lake, week: date, case: Case) -> tuple[str, str]:
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

    Returns
    -------
    tuple
        The difference in words, and the path of the report.
    """
    inputs, plan = planning_inputs(settings, lake, week), read_plan_tables(lake, week)
    change = parse_change(case.capacity, case.demand, case.remove, inputs.network, inputs.demand)
    demand, network = (
        changed_demand(inputs.demand, change, ["quantity", *QUANTILES]),
        changed_network(inputs.network, change),
    )
    policy, dropped = changed_policy(inputs.policy, change, network, demand)
    state, no_longer_held = changed_state(inputs.state, change)
    changed = allocate(demand, network, policy, state)
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
        [*dropped, *no_longer_held],
    )
    page = what_if_html(week, difference)
    return what_if_text(week, difference), write_report(settings.reports_path, week, case.report_name, page)
