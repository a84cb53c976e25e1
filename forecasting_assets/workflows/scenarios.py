"""Scenarios: save a changed case of a plan, and make its changes planning and capacity files."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from forecasting_assets.allocation import adopted_hours, adopted_overrides, load_network, obstacles
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.network import override_capacity
from forecasting_assets.lake.scenarios import (
    Adoption,
    Outcome,
    Scenario,
    ScenarioError,
    mark_adopted,
    read_scenario,
    save_scenario,
)
from forecasting_assets.reporting.what_if import CHANGED, PLAN, Difference
from forecasting_assets.settings import Settings
from forecasting_assets.storage import ExistingFileError, add_file, exclusive_lock, read_file
from forecasting_assets.tables import ALLOCATION_PLAN, CAPACITY_OVERRIDES, DEMAND_PLAN, FORECAST_OVERRIDES
from forecasting_assets.tables.table_files import file_content, json_records
from forecasting_assets.workflows.exports import newest_plan
from forecasting_assets.workflows.what_if import CaseResult


def save_case(settings: Settings, lake: Lake, name: str, result: CaseResult) -> str:
    """Save a changed case under a name, with all that adopting it would enter; return its file.

    Raises
    ------
    ScenarioError
        If the name is not valid, or taken.
    """
    demand = lake.read_pandas(DEMAND_PLAN, [result.week])
    before, after = result.inputs.state.capacity, result.changed_inputs.state.capacity
    hours = pd.DataFrame() if before is None or after is None else adopted_hours(before, after)
    scenario = Scenario(
        name,
        str(result.week),
        list(result.case.capacity),
        list(result.case.demand),
        list(result.case.remove),
        lake.rows_id(ALLOCATION_PLAN, result.week),
        _outcome(result.difference, PLAN),
        _outcome(result.difference, CHANGED),
        hours=_records(hours),
        overrides=_records(adopted_overrides(result.change, demand, result.week)),
        obstacles=obstacles(result.change, result.inputs.network),
    )
    return save_scenario(settings.home, scenario)


def adopt(settings: Settings, lake: Lake, name: str, author: str, reason: str) -> Adoption:
    """Enter the changes of a scenario into the planning and network folders.

    Changes of demand become a file of forecast overrides, changes of hours rows of capacity_overrides.csv. Each file
    appears whole, and the scenario is marked last: adopting it again after an interruption writes the same.

    Parameters
    ----------
    settings, lake
        The home and its tables.
    name
        The scenario.
    author, reason
        By whom and why; entered with each row.

    Raises
    ------
    ScenarioError
        If there is no such scenario, it is of another plan than the newest, it was adopted already, or no file can
        express one of its changes.
    NetworkError
        If the network files are not valid.
    """
    # Rows that two adoptions put into capacity_overrides.csv at the same time would be lost.
    with exclusive_lock(settings.planning_path, "scenarios"):
        scenario = read_scenario(settings.home, name)
        newest = newest_plan(lake)
        _require_adoptable(scenario, newest, lake.rows_id(ALLOCATION_PLAN, newest))
        files = []
        if scenario.hours:
            load_network(settings.network_path, settings.orders.fold_case)
            rows = _frame(scenario.hours, CAPACITY_OVERRIDES.names, ["week"])
            files.append(override_capacity(settings.network_path, rows.assign(author=author, reason=reason)))
        if scenario.overrides:
            rows = _frame(scenario.overrides, FORECAST_OVERRIDES.names, ["week_from", "week_to", "entered"])
            content = file_content(rows.assign(author=author, reason=reason), "csv")
            files.append(_add_overrides(settings.planning_path, scenario, content))
        adoption = Adoption(author, reason, str(datetime.now(UTC).date()), files)
        mark_adopted(settings.home, replace(scenario, adopted=adoption))
    return adoption


def _require_adoptable(scenario: Scenario, newest: date, plan_id: str) -> None:
    name, week = scenario.name, scenario.week
    if scenario.adopted:
        by = f"by {scenario.adopted.author} on {scenario.adopted.on}: {', '.join(scenario.adopted.files)}"
        raise ScenarioError(name, "adopted", f"scenario {name!r} was adopted already {by}")
    if week != str(newest):
        remedy = f"try it on that plan with what-if --week {newest}"
        raise ScenarioError(
            name, "other_week", f"scenario {name!r} is of week {week}, the newest plan of {newest}: {remedy}"
        )
    if scenario.plan_id != plan_id:
        message = f"the plan of {week} was made again since scenario {name!r} was saved"
        remedy = f"try it again with what-if --week {week} --save NEWNAME"
        raise ScenarioError(name, "other_plan", f"{message}: {remedy}")
    if scenario.obstacles:
        raise ScenarioError(
            name, "not_adoptable", f"scenario {name!r} cannot be adopted: {'; '.join(scenario.obstacles)}"
        )


def _add_overrides(folder: str, scenario: Scenario, content: bytes) -> str:
    """Add the forecast overrides of a scenario to the planning folder, unless an interrupted adoption has done so."""
    file = f"forecast_overrides-scenario-{scenario.name}-{scenario.week}.csv"
    try:
        return add_file(folder, file, content)
    except ExistingFileError as error:
        if read_file(folder, file) != content:
            raise ScenarioError(scenario.name, "exists", str(error)) from None
        return error.file


def _outcome(difference: Difference, case: str) -> Outcome:
    hours = {str(name): float(value) for name, value in difference.hours[case].items()}
    cost = {part: float(amount) for part, amount in difference.cost[case].items()}
    return Outcome(cost, difference.on_time[case], difference.short[case], hours)


def _records(rows: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Return rows for JSON, without missing values."""
    return [{name: value for name, value in row.items() if value is not None} for row in json_records(rows)]


def _frame(records: list[Mapping[str, Any]], names: list[str], days: list[str]) -> pd.DataFrame:
    rows = pd.DataFrame(records).reindex(columns=names)
    return rows.assign(**{name: pd.to_datetime(rows[name]) for name in days})
