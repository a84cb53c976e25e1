"""What in a plan needs a decision, who can decide it, and what would help at which price."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from shlex import quote
from typing import Any

import pandas as pd

from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.formats import MISSING, Money, number, percent
from forecasting_assets.reporting.measures import require
from forecasting_assets.reporting.plan_tables import units
from forecasting_assets.reporting.texttable import Cell, Command, Link, TextTable, day
from forecasting_assets.tables import PLAN_REASONS, PLAN_RULES, PLAN_SHORTAGES
from forecasting_assets.wording import count

#: Exceptions listed on the page; the tables of the lake hold all.
SHOWN = 300
PLANNING, NETWORK, SALES = "Planning", "Network", "Sales"
_HEADING = [
    "Problem",
    "Category or part",
    "Deliver to",
    "Due week",
    "Units",
    "Owner",
    "Reason",
    "Remedy",
    "Price",
]


@dataclass(frozen=True)
class PlanProblems:
    """What may be wrong with a plan.

    Attributes
    ----------
    week
        Week after which it was made.
    reasons, rules, shortages
        PLAN_REASONS, PLAN_RULES and PLAN_SHORTAGES.
    demand_units
        Units of demand that were planned for.
    shortage_limit
        Share of them that may be short.
    commitments
        What of each lock and promise can stand: `allocation.commitments.REPORT`.
    overrides
        OVERRIDE_USE.
    """

    week: date
    reasons: pd.DataFrame
    rules: pd.DataFrame
    shortages: pd.DataFrame
    demand_units: float
    shortage_limit: float
    commitments: pd.DataFrame
    overrides: pd.DataFrame


@dataclass(frozen=True)
class Remedy:
    """What would help.

    Attributes
    ----------
    owner
        Who can do it.
    what
        What to do.
    price
        What it saves or costs.
    arguments
        Command that tries it, or nothing.
    """

    owner: str
    what: str
    price: str = MISSING
    arguments: str = ""


@dataclass(frozen=True)
class PlanException:
    """A problem of the plan with its remedy; `units` is what it concerns."""

    problem: str
    what: str
    region: str
    week: str
    units: float
    reason: str
    remedy: Remedy


def find_exceptions(problems: PlanProblems, money: Money) -> list[PlanException]:
    """Return all exceptions: shortages first, then broken locks, limits, ineffective overrides, late and overdue units.

    Raises
    ------
    ReportInputError
        If a table lacks columns.
    """
    require(problems.reasons, PLAN_REASONS.names, "plan_reasons")
    require(problems.rules, PLAN_RULES.names, "plan_rules")
    require(problems.shortages, PLAN_SHORTAGES.names, "plan_shortages")
    unmet = [_unmet(row, problems, money) for row in _records(problems.reasons)]
    groups = [
        [e for e in unmet if e.problem == "Short"],
        [_broken_lock(row) for row in _records(problems.commitments) if row["why"]],
        _over_the_limit(problems, money),
        [_useless_override(row) for row in _records(problems.overrides) if pd.notna(row["problem"])],
        *([e for e in unmet if e.problem == problem] for problem in ("Late", "Overdue")),
    ]
    return [e for group in groups for e in sorted(group, key=lambda e: -e.units)]


def exception_tables(found: list[PlanException], commands: Commands) -> tuple[TextTable, TextTable]:
    """Tabulate exceptions, and the remedies that they link to.

    Returns
    -------
    tuple
        The exceptions, and a table with a row for each remedy: the units that it is about, its price, and a command
        that tries it.
    """
    number_of = {remedy: i for i, remedy in enumerate(dict.fromkeys(e.remedy for e in found), start=1)}
    rows: list[list[Cell]] = [
        [
            e.problem,
            e.what,
            e.region,
            e.week,
            units(e.units),
            e.remedy.owner,
            e.reason[:1].upper() + e.reason[1:],
            Link(e.remedy.what, f"#remedy-{number_of[e.remedy]}"),
            e.remedy.price,
        ]
        for e in found[:SHOWN]
    ]
    rest = found[SHOWN:]
    note = ""
    if rest:
        note = f"Not shown: {count(len(rest), 'exception')} with {number(sum(e.units for e in rest))} units."
    numeric = [name == "Units" for name in _HEADING]
    listed = TextTable(
        "Exceptions", note, _HEADING, numeric, rows, "Nothing is short, late or against a rule."
    )
    return listed, _remedies(found, number_of, commands)


def _remedies(found: list[PlanException], number_of: Mapping[Remedy, int], commands: Commands) -> TextTable:
    concerned: dict[Remedy, float] = dict.fromkeys(number_of, 0.0)
    for e in found:
        concerned[e.remedy] += e.units
    rows: list[list[Cell]] = [
        [
            str(i),
            remedy.what,
            remedy.owner,
            remedy.price,
            units(concerned[remedy]),
            Command(commands.line(remedy.arguments)) if remedy.arguments else MISSING,
        ]
        for remedy, i in number_of.items()
    ]
    return TextTable(
        "Remedies",
        "The command shows on a page of its own what a remedy of that kind changes; the plan stays as it is.",
        ["No.", "Remedy", "Owner", "Price", "Units concerned", "Try it"],
        [False, False, False, False, True, False],
        rows,
        "No remedy is needed.",
        anchors=[f"remedy-{i}" for i in number_of.values()],
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _unmet(row: dict[str, Any], problems: PlanProblems, money: Money) -> PlanException:
    prefix = f"{row['part_category']} for {row['region']} in week {day(row['due_week'])}: "
    problem, reason = str(row["kind"]).capitalize(), row["reason"].removeprefix(prefix)
    remedy = _remedy(row, problems, money)
    if row["rule"] == "horizon" and row["due_week"] <= pd.Timestamp(problems.week):
        problem, reason = "Overdue", "it was due before the first week that can still be planned"
        remedy = Remedy(SALES, f"Agree on new dates with the customers in {row['region']}")
    return PlanException(
        problem,
        row["part_category"],
        row["region"],
        day(row["due_week"]),
        row["quantity"],
        reason,
        remedy,
    )


def _remedy(row: dict[str, Any], problems: PlanProblems, money: Money) -> Remedy:
    """Return what relaxes the rule that stops the cheapest way left."""
    rule, at = str(row["rule"]), f"{row['manufacturer_id']} in week {day(row['production_week'])}"
    saves = (
        f"{money.amount(row['price'], 2)} saved per {row['price_unit']}"
        if pd.notna(row["price"])
        else MISSING
    )
    place = f"{row['manufacturer_id']}@{day(row['production_week'])}"
    more_hours = f"what-if --week {problems.week} --capacity {quote(f'{place}=+10%')}"
    if " + " in rule:
        limits = rule.replace("_", " ").replace(" + ", ", ")
        return Remedy(PLANNING, f"Relax together at {at}: {limits}", saves, more_hours)
    if rule in _BY_RULE:
        owner, words = _BY_RULE[rule]
        what = words.format(at=at, **row)
        return Remedy(
            owner or str(row["manufacturer_id"]), what, saves, more_hours if rule == "regular_hours" else ""
        )
    more = f"{money.amount(row['price'], 2)} more per unit" if pd.notna(row["price"]) else MISSING
    owner, words = _BY_COST[rule]
    return Remedy(owner, words.format(**row), more)


#: Rule -> owner (empty: the manufacturer) and remedy, where relaxing the rule saves money.
_BY_RULE = {
    "regular_hours": ("", "More hours at {at}"),
    "maximum_share": (NETWORK, "Let {manufacturer_id} make a larger share of {part_category}"),
    "frozen_weeks": (PLANNING, "Change the frozen plan of {at}"),
    "activation": (PLANNING, "Use {at}, which costs more than it saves"),
    "minimum_batch": ("", "Agree on smaller batches of {part_category} at {at}"),
    "minimum_load": ("", "Agree on a smaller minimum load of {manufacturer_id}"),
}
#: Rule -> owner and remedy, where nothing saves money.
_BY_COST = {
    "horizon": (
        NETWORK,
        "Find a manufacturer of {part_category} closer to {region}, or agree on later dates",
    ),
    "unservable": (NETWORK, "Add a manufacturer or a lane for {part_category} to {region}"),
    "declined": (SALES, "Decline {part_category} for {region}, or raise its price and shortage price"),
    "cost": (SALES, "Accept late {part_category} in {region}, or raise the penalty for lateness"),
    "gap": (PLANNING, "None is needed: the saving is within the gap of the plan"),
}


def _broken_lock(row: dict[str, Any]) -> PlanException:
    what = row["part_id"] or row["part_category"]
    is_promise = row["kind"] == "promise"
    at = row["manufacturer_id"] or "stock"
    remedy = (
        Remedy(SALES, f"Agree on a new date for promise {row['promise_id']}")
        if is_promise
        else Remedy(PLANNING, f"Change or remove the lock of {what} at {at} in locked_allocations")
    )
    return PlanException(
        "Promise cannot be kept" if is_promise else "Lock cannot be kept",
        what,
        row["region"],
        day(row["production_week"]),
        row["quantity"] - row["planned"],
        f"{number(row['planned'])} of {number(row['quantity'])} units at {at} are planned: {row['why']}",
        remedy,
    )


def _over_the_limit(problems: PlanProblems, money: Money) -> list[PlanException]:
    short = float(problems.shortages["quantity"].sum())
    found = []
    if short > problems.shortage_limit * problems.demand_units:
        share = percent(short / problems.demand_units) if problems.demand_units else MISSING
        reason = f"{share} of the demand is short; the limit is {percent(problems.shortage_limit)}"
        what = "Apply the remedies of the shortages above, or change [checks] shortage_limit"
        found.append(_limit("All categories", short, reason, Remedy(PLANNING, what)))
    for row in _records(problems.rules[problems.rules["eased"] > 0]):
        unit = "hours" if row["rule"] == "minimum_load" else "units"
        reason = (
            f"{_rule(row)} of {number(row['limit'], 1)} {unit} had to be relaxed by {number(row['eased'], 1)}"
        )
        if row["contradicts"]:
            reason += f", as it contradicts {row['contradicts'].replace('_', ' ')}"
        saves = f"{money.amount(row['shadow_price'], 2)} saved per {unit.removesuffix('s')}"
        remedy = Remedy(NETWORK, f"Change the {_rule(row).lower()} of {row['subject']}", saves)
        found.append(_limit(row["subject"], row["eased"], reason, remedy))
    return found


def _rule(row: dict[str, Any]) -> str:
    return str(row["rule"]).replace("_", " ").capitalize()


def _limit(what: str, units: float, reason: str, remedy: Remedy) -> PlanException:
    return PlanException("Over the limit", what, MISSING, MISSING, units, reason, remedy)


def _useless_override(row: dict[str, Any]) -> PlanException:
    scope = [row[c] for c in ("part_id", "part_category") if pd.notna(row[c])]
    return PlanException(
        "Override without effect",
        ", ".join(scope) or "All parts",
        row["region"] if pd.notna(row["region"]) else "All regions",
        day(row["week_from"]),
        0.0,
        str(row["problem"]),
        Remedy(
            row["author"] if pd.notna(row["author"]) else PLANNING,
            f"Correct or remove row {row['row']} of {row['file']}",
        ),
    )
