"""Scenarios of a home: changed cases of a plan that planners have saved, a JSON file each."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from forecasting_assets.errors import PicklableError
from forecasting_assets.storage import ExistingFileError, add_file, replace_file

_FOLDER = "scenarios"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


class ScenarioError(PicklableError, ValueError):
    """A scenario that cannot be saved, read or adopted.

    Attributes
    ----------
    name
        Name of the scenario.
    kind
        What is wrong, as one word: `bad_name`, `exists`, `missing`, `damaged`, `other_week`, `other_plan`, `adopted` or
        `not_adoptable`.
    """

    def __init__(self, name: str, kind: str, message: str) -> None:
        super().__init__(message)
        self.name, self.kind = name, kind


@dataclass(frozen=True)
class Outcome:
    """What a plan costs and delivers.

    Attributes
    ----------
    cost
        `total` and its parts.
    on_time
        Share of demand that is expected on time.
    short
        Units short.
    hours
        Planned hours by manufacturer.
    """

    cost: Mapping[str, float]
    on_time: float
    short: float
    hours: Mapping[str, float]


@dataclass(frozen=True)
class Adoption:
    """How a scenario was adopted.

    Attributes
    ----------
    author, reason
        By whom and why, as entered with each row.
    on
        The day, YYYY-MM-DD.
    files
        The files that were written.
    """

    author: str
    reason: str
    on: str
    files: Sequence[str]


@dataclass(frozen=True)
class Scenario:
    """A changed case of a plan.

    Attributes
    ----------
    name
        Its name.
    week
        The planned week, YYYY-MM-DD.
    capacity, demand, remove
        The changes, as written on the command line.
    plan_id
        What identifies the plan that it was compared with.
    plan, changed
        Outcome of that plan, and of the changed case.
    hours, overrides
        Rows of CAPACITY_OVERRIDES and of FORECAST_OVERRIDES that adopting it enters, without missing values.
    obstacles
        Why it cannot be adopted, a phrase each.
    adopted
        Its adoption, if it was adopted.
    """

    name: str
    week: str
    capacity: Sequence[str]
    demand: Sequence[str]
    remove: Sequence[str]
    plan_id: str
    plan: Outcome
    changed: Outcome
    hours: list[Mapping[str, Any]]
    overrides: list[Mapping[str, Any]]
    obstacles: list[str]
    adopted: Adoption | None = None


def check_name(home: Path, name: str) -> None:
    """Require a name that a new scenario can have.

    Raises
    ------
    ScenarioError
        If it is not a valid name, or there is a scenario of this name.
    """
    if not _NAME.fullmatch(name):
        raise ScenarioError(name, "bad_name", f"{name!r} is not a valid name: use letters, digits, - and _")
    if _file(home, name).exists():
        raise _exists(home, name)


def save_scenario(home: Path, scenario: Scenario) -> str:
    """Save a new scenario; return its file.

    Raises
    ------
    ScenarioError
        As `check_name`.
    """
    check_name(home, scenario.name)
    try:
        add_file(home / _FOLDER, f"{scenario.name}.json", _content(scenario))
    except ExistingFileError:
        raise _exists(home, scenario.name) from None
    return str(_file(home, scenario.name))


def mark_adopted(home: Path, scenario: Scenario) -> None:
    """Replace a saved scenario by itself with its adoption."""
    replace_file(home / _FOLDER, f"{scenario.name}.json", _content(scenario))


def read_scenario(home: Path, name: str) -> Scenario:
    """Read a scenario.

    Raises
    ------
    ScenarioError
        If there is none of this name, or its file is damaged.
    """
    if not _NAME.fullmatch(name) or not _file(home, name).is_file():
        known = ", ".join(_names(home)) or "none: save one with what-if --save"
        raise ScenarioError(name, "missing", f"there is no scenario {name!r}; there are {known}")
    try:
        # The name of the file counts: it may be a copy.
        return replace(_scenario(json.loads(_file(home, name).read_text(encoding="utf-8"))), name=name)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        remedy = "remove it and save the scenario again"
        raise ScenarioError(name, "damaged", f"{_file(home, name)} is damaged ({error}): {remedy}") from None


def read_scenarios(home: Path) -> list[Scenario]:
    """Read all scenarios, those of the newest week first, then by name."""
    scenarios = [read_scenario(home, name) for name in _names(home)]
    return sorted(scenarios, key=lambda scenario: scenario.week, reverse=True)


def _names(home: Path) -> list[str]:
    return sorted(file.stem for file in (home / _FOLDER).glob("*.json") if _NAME.fullmatch(file.stem))


def _file(home: Path, name: str) -> Path:
    return home / _FOLDER / f"{name}.json"


def _exists(home: Path, name: str) -> ScenarioError:
    message = f"there is a scenario {name!r} already: choose another name, or remove {_file(home, name)}"
    return ScenarioError(name, "exists", message)


def _content(scenario: Scenario) -> bytes:
    return (json.dumps(asdict(scenario), indent=2, ensure_ascii=False) + "\n").encode()


def _scenario(fields: dict[str, Any]) -> Scenario:
    date.fromisoformat(fields["week"])
    adopted = fields.pop("adopted")
    plan, changed = Outcome(**fields.pop("plan")), Outcome(**fields.pop("changed"))
    return Scenario(**fields, plan=plan, changed=changed, adopted=adopted and Adoption(**adopted))
