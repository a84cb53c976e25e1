"""Tables of the report on the plan."""

from dataclasses import dataclass
from datetime import date
from shlex import quote

import pandas as pd

from forecasting_assets.reporting.formats import number, percent
from forecasting_assets.reporting.measures import full_weeks, policy_totals, require, within_horizon
from forecasting_assets.reporting.style import COST_PARTS, label
from forecasting_assets.reporting.texttable import TextTable, day, largest, table, text
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


def units(value: float) -> str:
    """Format units or hours."""
    return number(value, 1)


def cost_of_plan(costs: dict[str, float]) -> TextTable:
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
        {"part": ("Part", text), "amount": ("Cost", number), "share": ("Share", percent)},
    )


def impact_by_policy(impact: pd.DataFrame) -> TextTable:
    """Tabulate cost and service of each policy, replayed against actual orders."""
    totals = policy_totals(impact)
    weeks = int(totals["weeks"].iloc[0]) if len(totals) else 0
    return table(
        "Business impact",
        totals.reset_index(),
        {
            "policy": ("Policy", label),
            "cost": ("Cost", number),
            "on_time_rate": ("On time", percent),
            "fill_rate": ("Fill rate", percent),
            "utilisation": ("Capacity used", percent),
            "demand_units": ("Units wanted", number),
            "late_units": ("Late", number),
            "shortage_units": ("Short", number),
            "stock_units": ("In stock", number),
        },
        f"Planned week by week and replayed against the actual orders of {count(weeks, 'week')}: production that"
        " has started is kept, the rest is planned again. In stock: units at the end of a week, on average. "
        + " ".join(worth_in_words(impact)),
    )


def load_by_manufacturer(capacity_load: pd.DataFrame, plan: pd.DataFrame) -> TextTable:
    """Tabulate load, capacity and cost of each manufacturer."""
    require(capacity_load, CAPACITY_LOAD.names, "capacity_load")
    capacity_load = within_horizon(capacity_load)
    by_manufacturer = capacity_load.groupby("manufacturer_id")
    frame = by_manufacturer[
        ["load_hours", "capacity_hours", "overtime_hours", "overtime_capacity_hours"]
    ].sum()
    frame["used"] = frame["load_hours"] / frame["capacity_hours"].where(frame["capacity_hours"] > 0)
    frame["full"] = full_weeks(capacity_load)
    frame["shadow_price"] = by_manufacturer["shadow_price"].max()
    frame["cost"] = plan.groupby("manufacturer_id")["cost"].sum()
    frame["cost"] = frame["cost"].fillna(0.0)
    return largest(
        "Manufacturers",
        frame.sort_values("load_hours", ascending=False, kind="stable").reset_index(),
        {
            "manufacturer_id": ("Manufacturer", text),
            "load_hours": ("Load, h", units),
            "capacity_hours": ("Regular capacity, h", units),
            "used": ("Load / capacity", percent),
            "overtime_hours": ("Overtime, h", units),
            "overtime_capacity_hours": ("Overtime available, h", units),
            "full": ("Full weeks", number),
            "shadow_price": ("Shadow price per h", lambda v: number(v, 2)),
            "cost": ("Cost", number),
        },
        "load_hours",
        "hours of load",
        "All weeks of the plan together. Shadow price: what one more regular hour would save, in the week in which"
        " it saves most.",
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


def plan_lines(plan: pd.DataFrame) -> TextTable:
    """Tabulate the plan by manufacturer, category, region and production week."""
    columns = {
        "manufacturer_id": ("Manufacturer", text),
        "part_category": ("Category", text),
        "region": ("Deliver to", text),
        "production_week": ("Production week", day),
        "quantity": ("Units", units),
        "cost": ("Cost", number),
        "unit_cost": ("Cost per unit", lambda v: number(v, 2)),
    }
    require(plan, [c for c in columns if c not in ("part_category", "unit_cost")], "allocation_plan")
    keys = [c for c in list(columns)[:4] if c in plan.columns]
    lines = plan.groupby(keys, dropna=False)[["quantity", "cost"]].sum().reset_index()
    lines["unit_cost"] = lines["cost"] / lines["quantity"].where(lines["quantity"] > 0)
    lines = lines.sort_values(["quantity", *keys], ascending=[False, *[True] * len(keys)])
    return largest(
        "Plan", lines, columns, "quantity", "units", "Each line is the sum of its parts. Largest first."
    )


def value_of_hours(capacity_load: pd.DataFrame) -> TextTable:
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
            "every_week": ("One more hour every week saves", lambda v: number(v, 2)),
            "best": ("Best week, saving per h", lambda v: number(v, 2)),
            "best_week": ("Best week", day),
            "idle": ("Idle, h", units),
            "idle_share": ("Idle share", percent),
        },
        "What one more regular hour saves at the margin (shadow price), most first; manufacturers with idle hours"
        " come last.",
    )


def cases_to_try(week: date, capacity_load: pd.DataFrame) -> TextTable:
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
    command = f"forecasting-assets what-if --week {week}"
    frame = pd.DataFrame([(case, f"{command} {how}") for case, how in rows], columns=["case", "command"])
    return table(
        "What if",
        frame,
        {"case": ("Case", text), "command": ("Command", text)},
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


def rules_table(rules: pd.DataFrame) -> TextTable:
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
            "shadow_price": ("Relaxing it by 1 saves", lambda v: number(v, 2)),
        },
        "Minimum loads are in hours, maximum shares in units, both over the horizon.",
    )
