"""Tables of the report on the plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from shlex import quote

import pandas as pd

from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.formats import MISSING, Money, number, percent, signed
from forecasting_assets.reporting.measures import FULL, policy_totals, require, within_horizon
from forecasting_assets.reporting.style import COST_PARTS, label
from forecasting_assets.reporting.texttable import Cell, Command, Link, TextTable, day, largest, table, text
from forecasting_assets.reporting.worth import worth_in_words
from forecasting_assets.tables import CAPACITY_LOAD, PLAN_REASONS, PLAN_RULES, PLAN_SHORTAGES
from forecasting_assets.wording import count


@dataclass(frozen=True)
class PlanTables:
    """What is reported about the plan of a week.

    Attributes
    ----------
    plan, capacity_load, shortages, reasons, rules
        ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES, PLAN_REASONS and PLAN_RULES of the week.
    costs
        Cost of the plan: `total` and its parts.
    impact
        BUSINESS_IMPACT of any weeks.
    """

    plan: pd.DataFrame
    capacity_load: pd.DataFrame
    shortages: pd.DataFrame
    costs: dict[str, float]
    impact: pd.DataFrame
    reasons: pd.DataFrame
    rules: pd.DataFrame


#: Part of a unit below which an amount is whole.
_WHOLE = 1e-6


def units(value: float) -> str:
    """Format units: whole ones without decimals."""
    return number(value, 0 if abs(value - round(value)) < _WHOLE else 1)


def hours(value: float) -> str:
    """Format hours."""
    return number(value, 1)


def cost_of_plan(costs: dict[str, float], money: Money) -> TextTable:
    """Tabulate the parts of the cost."""
    total = costs.get("total", float("nan"))
    totals = [name for name in ("total", "published_total") if name in costs]
    frame = pd.DataFrame(
        [
            (label(part), costs[part], costs[part] / total if total else float("nan"))
            for part in COST_PARTS
            if costs.get(part)
        ]
        + [(label(part), costs[part], costs[part] / total if total else 1.0) for part in totals],
        columns=["part", "amount", "share"],
    )
    return table(
        "Cost of the plan",
        frame,
        {"part": ("Part", text), "amount": (money.heading("Cost"), number), "share": ("Share", percent)},
    )


def impact_by_policy(impact: pd.DataFrame, money: Money) -> TextTable:
    """Tabulate cost and service of each policy, replayed against actual orders."""
    totals = policy_totals(impact)
    weeks = int(totals["weeks"].iloc[0]) if len(totals) else 0
    return table(
        "Business impact",
        totals.reset_index(),
        {
            "policy": ("Policy", label),
            "cost": (money.heading("Cost"), number),
            "on_time_rate": ("On time", percent),
            "fill_rate": ("Fill rate", percent),
            "utilisation": ("Capacity used", percent),
            "stock_units": ("Units in stock", number),
        },
        f"Planned week by week and replayed against the actual orders of {count(weeks, 'week')}: production that"
        " has started is kept, the rest is planned again. In stock: units at the end of a week, on average. "
        "Each unit that is overdue at the end of a week costs one week of lateness in that week, whether or not it is "
        "delivered later. " + " ".join(worth_in_words(impact)),
    )


def units_by_policy(impact: pd.DataFrame) -> TextTable:
    """Tabulate what became of the units wanted under each policy."""
    totals = policy_totals(impact)
    return table(
        "What became of the units wanted",
        totals.reset_index(),
        {
            "policy": ("Policy", label),
            "demand_units": ("Wanted", number),
            "on_time_units": ("On time", number),
            "late_units": ("Late", number),
            "shortage_units": ("Short", number),
            "overdue_change_units": ("More overdue", signed),
            "overdue_units": ("Overdue at the end", number),
        },
        "Wanted = on time + late + short + more overdue. Late: delivered in these weeks, after the week in which they "
        "were wanted. Short: given up in these weeks. Late and short units can have been wanted before the first week. "
        "More overdue: units overdue at the end of the last week, less those overdue before the first. "
        "Figures of perfect foresight are differences: each week its replay is repeated with the orders that have "
        "come, and what that changes, in earlier weeks too, counts in that week. Over few weeks a difference can be "
        "negative.",
    )


def this_week(
    capacity_load: pd.DataFrame, plan: pd.DataFrame, sheets: Mapping[str, str], money: Money
) -> TextTable:
    """Tabulate what each manufacturer makes in the first week of the plan.

    Parameters
    ----------
    capacity_load, plan
        CAPACITY_LOAD and ALLOCATION_PLAN.
    sheets
        Manufacturer -> address of its sheet.
    money
        How amounts are written.
    """
    require(capacity_load, CAPACITY_LOAD.names, "capacity_load")
    first = capacity_load["production_week"].min()
    load = capacity_load[capacity_load["production_week"] == first].set_index("manufacturer_id")
    now = plan["production_week"] == first
    made = plan[now].groupby("manufacturer_id")
    frame = load[["load_hours", "capacity_hours", "overtime_hours"]].copy()
    frame["used"] = frame["load_hours"] / frame["capacity_hours"].where(frame["capacity_hours"] > 0)
    frame["units"], frame["parts"] = made["quantity"].sum(), made["part_id"].nunique()
    frame["cost"], frame["later"] = (
        made["cost"].sum(),
        plan[~now].groupby("manufacturer_id")["quantity"].sum(),
    )
    frame = frame.fillna(dict.fromkeys(("units", "parts", "cost", "later"), 0.0))
    return table(
        f"Production of week {day(first)}",
        frame.sort_values("load_hours", ascending=False, kind="stable").reset_index(),
        {
            "manufacturer_id": ("Manufacturer", lambda m: Link(str(m), sheets[m]) if m in sheets else str(m)),
            "units": ("Units", units),
            "parts": ("Parts", number),
            "load_hours": ("Hours", hours),
            "capacity_hours": ("Regular hours available", hours),
            "used": ("Load", percent),
            "overtime_hours": ("Overtime hours", hours),
            "cost": (money.heading("Cost"), number),
            "later": ("Units in later weeks", units),
        },
        "The name of a manufacturer opens its sheet: what it makes, when and for where, by part.",
    )


def load_by_week(capacity_load: pd.DataFrame, money: Money) -> TextTable:
    """Tabulate the load of each manufacturer in each week, as a share of its regular hours."""
    require(capacity_load, CAPACITY_LOAD.names, "capacity_load")
    load = capacity_load.set_index(["manufacturer_id", "production_week"])
    share = load["load_hours"] / load["capacity_hours"].where(load["capacity_hours"] > 0)
    beyond = ((load["beyond_horizon"] == 1) & (load["load_hours"] <= 0)).unstack()
    overtime = (load["overtime_hours"] > 1e-6).unstack()
    wide = share.unstack()
    order = (
        load["load_hours"].groupby("manufacturer_id").sum().sort_values(ascending=False, kind="stable").index
    )
    price = within_horizon(capacity_load).groupby("manufacturer_id")["shadow_price"].max()
    rows: list[list[Cell]] = []
    classes: list[list[str]] = []
    for manufacturer in order:
        cells = zip(*(t.loc[manufacturer].tolist() for t in (wide, beyond, overtime)), strict=True)
        styles = [
            "beyond" if late else "over" if extra else "full" if used >= FULL else ""
            for used, late, extra in cells
        ]
        texts = [
            MISSING if style == "beyond" else percent(used, 0)
            for used, style in zip(wide.loc[manufacturer], styles, strict=True)
        ]
        rows.append([str(manufacturer), *texts, number(price.get(manufacturer), 2)])
        classes.append(["", *styles, ""])
    weeks = [day(week) for week in wide.columns]
    return TextTable(
        "Load as % of regular capacity",
        "Blue: full. Orange: with overtime. Grey: beyond the horizon, where only late units are made and free hours "
        "mean nothing. Last column: what one more regular hour would save, in the week in which it saves most.",
        ["Manufacturer", *weeks, money.heading("An hour more saves at most")],
        [False, *[True] * (len(weeks) + 1)],
        rows,
        classes=classes,
    )


def unmet_demand(shortages: pd.DataFrame) -> TextTable:
    """Tabulate the units that have no manufacturer."""
    require(shortages, PLAN_SHORTAGES.names, "plan_shortages")
    return largest(
        "Units without a manufacturer",
        shortages.sort_values(["quantity", *PLAN_SHORTAGES.key], ascending=[False, True, True, True]),
        {
            "part_id": ("Part", text),
            "region": ("Region", text),
            "due_week": ("Due week", day),
            "quantity": ("Units", units),
        },
        "quantity",
        "units",
    )


def value_of_hours(capacity_load: pd.DataFrame, money: Money) -> TextTable:
    """Tabulate where more capacity would save most, and where capacity is idle."""
    require(capacity_load, CAPACITY_LOAD.names, "capacity_load")
    load = within_horizon(capacity_load)
    idle = (load["capacity_hours"] - load["load_hours"] + load["overtime_hours"]).clip(lower=0)
    by_manufacturer = load.assign(idle=idle).groupby("manufacturer_id")
    best = load.loc[by_manufacturer["shadow_price"].idxmax()].set_index("manufacturer_id")
    frame = by_manufacturer[["idle", "capacity_hours"]].sum()
    frame["every_week"] = by_manufacturer["shadow_price"].sum()
    frame["best"] = best["shadow_price"]
    frame["best_week"] = best["production_week"].where(best["shadow_price"] > 0)
    frame["idle_share"] = frame["idle"] / frame["capacity_hours"].where(frame["capacity_hours"] > 0)
    return table(
        "Value of more capacity",
        frame.sort_values(["every_week", "idle"], ascending=[False, True], kind="stable").reset_index(),
        {
            "manufacturer_id": ("Manufacturer", text),
            "every_week": (money.heading("One more hour every week saves"), lambda v: number(v, 2)),
            "best": (money.heading("An hour more in the best week saves"), lambda v: number(v, 2)),
            "best_week": ("Best week", day),
            "idle": ("Idle hours", hours),
            "idle_share": ("Idle share", percent),
        },
        "What one more regular hour saves at the margin (shadow price), most first; manufacturers with idle hours"
        " come last.",
    )


def cases_to_try(week: date, capacity_load: pd.DataFrame, commands: Commands) -> TextTable:
    """Tabulate commands that plan a changed case.

    The cases are more demand, the loss of the busiest manufacturer, and more hours where they save most.
    """
    require(capacity_load, CAPACITY_LOAD.names, "capacity_load")
    by_manufacturer = capacity_load.groupby("manufacturer_id")[["load_hours", "shadow_price"]].sum()
    rows = [("All demand 10 % above the forecast", '--demand "*/*=+10%"')]
    if len(by_manufacturer):
        busiest, scarcest = (str(by_manufacturer[name].idxmax()) for name in ("load_hours", "shadow_price"))
        rows.append((f"{busiest}, the busiest manufacturer, drops out", f"--remove {quote(busiest)}"))
        if by_manufacturer["shadow_price"].max() > 0:
            change = quote(f"{scarcest}=+10%")
            rows.append((f"10 % more hours at {scarcest}, where they save most", f"--capacity {change}"))
    frame = pd.DataFrame(
        [(case, commands.line(f"what-if --week {week} {how}")) for case, how in rows],
        columns=["case", "command"],
    )
    return table(
        "What if",
        frame,
        {"case": ("Case", text), "command": ("Command", Command)},
        "Each command writes a page with the difference from this plan and leaves the plan unchanged.",
    )


def reasons_table(reasons: pd.DataFrame) -> TextTable:
    """Tabulate why units are short or late."""
    require(reasons, PLAN_REASONS.names, "plan_reasons")
    return largest(
        "Why units are short or late",
        reasons.sort_values(["kind", "quantity"], ascending=False, kind="stable"),
        {
            "kind": ("Problem", label),
            "quantity": ("Units", units),
            "reason": ("Reason", text),
        },
        "quantity",
        "units",
    )


def rules_table(rules: pd.DataFrame, money: Money) -> TextTable:
    """Tabulate the rules of the marketplace and what keeping them costs."""
    require(rules, PLAN_RULES.names, "plan_rules")
    return table(
        "Rules of the marketplace",
        rules.sort_values(["eased", "shadow_price"], ascending=False, kind="stable"),
        {
            "rule": ("Rule", label),
            "subject": ("Applies to", text),
            "limit": ("Limit", units),
            "planned": ("Planned", units),
            "eased": ("Relaxed by", units),
            "contradicts": ("In conflict with", text),
            "shadow_price": (money.heading("Relaxing it by 1 saves"), lambda v: number(v, 2)),
        },
        "Minimum loads are in hours, maximum shares in units, both over the horizon.",
    )


def proof_table(costs: dict[str, float], proof: pd.DataFrame, money: Money) -> TextTable:
    """Tabulate what proves the plan: its cost, and the lower bound that no plan can go below.

    Parameters
    ----------
    costs
        Cost of the plan: `total` and its parts.
    proof
        PLAN_PROOF.
    money
        How amounts are written.
    """
    stored = proof[proof["kind"].isin(["bound", "gap"])].set_index("kind")["value"].to_dict()
    rows: list[list[Cell]] = []
    # Values of 0 are not listed.
    if len(proof) and "total" in costs:
        bound, gap = float(stored.get("bound", 0.0)), max(float(stored.get("gap", 0.0)), 0.0)
        free = bound * (1 + gap)
        fixed = costs["total"] - free
        rows = [["Cost of the plan", money.amount(costs["total"])]]
        if fixed > 1e-6 * costs["total"]:
            rows.append(["of it: production fixed by locks and promises", money.amount(fixed)])
            rows.append(["of it: what was free to be planned", money.amount(free)])
        rows.append(["Lower bound: no plan of what was free can cost less", money.amount(bound)])
        rows.append(["Most that the plan can be above the cheapest", percent(gap, 2)])
    return TextTable(
        "Proof",
        "The bound follows from the prices of hours and rules by linear programming duality. The check "
        "solver_certified computes it again from the tables, without the solver.",
        ["Measure", "Value"],
        [False, True],
        rows,
        empty="This plan has no proof: it was not made by the optimiser.",
    )
