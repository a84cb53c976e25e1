"""What must hold of a plan: the conditions of feasibility, of its costs and of optimality, each row by its own size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation.certificate import Violation
from forecasting_assets.allocation.comparison import ABSOLUTE, SERIES, Comparison, PlanClaim, with_weeks
from forecasting_assets.allocation.label_model import BATCH, CLASS, LOT, SLOT, UNIT_COSTS
from forecasting_assets.tables import PLAN_FLOWS, PLAN_SHORTAGES

#: Tolerance relative to the size of what is compared; the solver's own is 1e-7.
RELATIVE = 1e-6
#: Units of a class that may be served at more than the least cost.
NOT_CHEAPEST = 1e-3
#: Costs of one unit of a way; the last is that of a unit in overtime.
COST_PARTS = [*UNIT_COSTS, "overtime_cost"]
#: Labels that name a planned row.
ROW = ["manufacturer_id", "production_week", *SERIES]


@dataclass(frozen=True)
class Condition:
    """A condition on each row of a table: by how much it is violated, and what would be the same size."""

    condition: str
    unit: str
    amount: np.ndarray
    size: np.ndarray
    rows: pd.DataFrame
    labels: list[str]
    absolute: float = ABSOLUTE

    def violations(self) -> Iterator[Violation]:
        """Yield the row with the largest violation, if one is above the tolerance."""
        amount = np.where(np.isnan(self.amount), np.inf, self.amount)
        wrong = amount > RELATIVE * np.abs(np.nan_to_num(self.size)) + self.absolute
        if wrong.any():
            at = int(np.argmax(np.where(wrong, amount, -np.inf)))
            subject = describe(self.rows.iloc[at], self.labels)
            yield Violation(self.condition, subject, float(amount[at]), self.unit, int(wrong.sum()))


def describe(row: Mapping[str, Any] | pd.Series, labels: list[str]) -> str:
    """Name a row by its labels, for people."""
    words = {
        "production_week": "in week {:%Y-%m-%d}",
        "part_id": "part {}",
        "region": "for {}",
        "due_week": "due {:%Y-%m-%d}",
        "band": "band {}",
    }
    return " ".join(words.get(label, "{}").format(row[label]) for label in labels)


def _conditions_of_ways(found: Comparison) -> Iterator[Condition]:
    """Require that each planned row is a way that exists, and no amount is negative or missing."""
    for rows, labels in ((found.rows, ROW), (found.flows, [*SLOT, *CLASS])):
        quantity, overtime = (rows[c].to_numpy(float) for c in ("quantity", "overtime_quantity"))
        missing = np.where(rows["way"] < 0, np.inf, 0.0)
        yield Condition(
            "no such manufacturer, lane or week for", "", missing, np.zeros(len(rows)), rows, labels
        )
        below = np.maximum(-np.minimum(quantity, overtime), overtime - quantity)
        yield Condition(
            "negative units, or more in overtime than in all", "units", below, quantity, rows, labels
        )
    amount = found.short["quantity"].to_numpy(float)
    yield Condition("negative units short", "units", -amount, amount, found.short, SERIES)


def _conditions_of_demand(found: Comparison) -> Iterator[Condition]:
    """Require that all demand of each class is planned or short, once."""
    classes = found.model.classes
    served = np.bincount(found.model.ways["class"], found.units, minlength=len(classes)) + found.class_short
    wanted = classes["quantity"].to_numpy(float)
    gap = wanted - served
    spare = found.basis.policy.uncertainty == "stochastic"
    condition = "demand that is not planned or short exactly once"
    yield Condition(condition, "units", gap if spare else np.abs(gap), wanted, classes, CLASS)
    unknown = np.where(found.short["class"] < 0, found.short["quantity"].to_numpy(float), 0.0)
    yield Condition(
        "units short of which there is no demand", "units", unknown, unknown * 0.0, found.short, SERIES
    )


def _conditions_of_published_rows(found: Comparison) -> Iterator[Condition]:
    """Require that the published rows are those of the exact plan, rounded, and cost what their ways cost."""
    sides = [t.groupby(LOT)["quantity"].sum() for t in (found.claim.plan, found.claim.flows)]
    lots = pd.concat(sides, axis=1, keys=["published", "exact"]).fillna(0.0).reset_index()
    exact = lots["exact"].to_numpy(float)
    gap = np.abs(lots["published"].to_numpy(float) - exact)
    if found.basis.policy.whole_units:
        # A lot is rounded to a neighbouring whole number, which is less than a unit away.
        gap = np.where(gap < 1 - ABSOLUTE, 0.0, gap)
    yield Condition("published units that are not those of plan_flows", "units", gap, exact, lots, LOT)
    rows = found.rows[found.rows["way"] >= 0]
    unit = found.model.ways[COST_PARTS].to_numpy()[rows["way"]]
    amount = rows[["quantity"] * len(UNIT_COSTS) + ["overtime_quantity"]].to_numpy(float)
    expected = unit * amount
    total = expected.sum(axis=1)
    difference = np.abs(rows[COST_PARTS].to_numpy(float) - expected).max(axis=1, initial=0.0)
    yield Condition("costs that are not those of the way", "cost", difference, total, rows, ROW, 0.0)
    difference = np.abs(rows["cost"].to_numpy(float) - total)
    yield Condition("cost that is not the sum of its parts", "cost", difference, total, rows, ROW, 0.0)


def _conditions_of_hours(found: Comparison) -> Iterator[Condition]:
    """Require that hours are within capacity, and CAPACITY_LOAD states capacity, published hours and prices."""
    slots, load, overtime = found.model.capacity, found.load, found.overtime
    capacity, most = (slots[c].to_numpy(float) for c in ("capacity_hours", "overtime_capacity_hours"))
    yield Condition("regular hours over capacity", "hours", load - overtime - capacity, capacity, slots, SLOT)
    yield Condition("overtime hours over capacity", "hours", overtime - most, most, slots, SLOT)
    stated = slots[SLOT].merge(found.claim.capacity_load, on=SLOT, how="left")
    rows = found.rows[found.rows["way"] >= 0]
    slot, hours = (found.model.ways[c].to_numpy()[rows["way"]] for c in ("slot", "hours_per_unit"))
    published, in_overtime = (
        np.bincount(slot, rows[c].to_numpy(float) * hours, minlength=len(slots))
        for c in ("quantity", "overtime_quantity")
    )
    expected = {
        "load_hours": published,
        "overtime_hours": in_overtime,
        "capacity_hours": capacity,
        "overtime_capacity_hours": most,
        "shadow_price": np.maximum(found.prices["regular_hours"], 0.0),
    }
    for column, values in expected.items():
        difference = np.abs(stated[column].to_numpy(float) - values)
        size = np.abs(values) + (capacity if column.endswith("hours") else 0.0)
        absolute = ABSOLUTE if column.endswith("hours") else 0.0
        condition = f"{column} in capacity_load is not that of the plan"
        yield Condition(condition, "", difference, size, slots, SLOT, absolute)


def _conditions_of_costs(found: Comparison) -> Iterator[Condition]:
    """Require that the exact amounts cost what plan_cost states, in every part and in total."""
    made, short = found.made, found.short
    unit = found.model.ways[COST_PARTS].to_numpy()[made["way"]]
    amount = made[["quantity"] * len(UNIT_COSTS) + ["overtime_quantity"]].to_numpy(float)
    penalty = np.append(found.model.classes["shortage_cost"], np.nan)[short["class"]] * short[
        "quantity"
    ].to_numpy(float)
    difference = np.abs(short["cost"].to_numpy(float) - penalty)
    yield Condition("wrong cost of units short", "cost", difference, penalty, short, SERIES, 0.0)
    cost = dict(zip(COST_PARTS, (unit * amount).sum(axis=0).tolist(), strict=True))
    cost |= {"shortage_cost": float(penalty.sum()), **_fixed_costs(found)}
    cost["total"] = sum(cost.values())
    parts = pd.DataFrame({"part": list(cost)})
    expected = np.array(list(cost.values()))
    difference = np.abs(np.array([found.claim.cost[part] for part in cost]) - expected)
    # Rounding errors of a part are as large as those of the total.
    size = expected + 1e-3 * cost["total"]
    yield Condition(
        "cost in plan_cost that is not that of the plan", "cost", difference, size, parts, ["part"], 0.0
    )


def _fixed_costs(found: Comparison) -> dict[str, float]:
    """Return the costs of using manufacturers and of changing the previous plan."""
    if found.basis.policy.uncertainty == "stochastic":
        # What single scenarios change or activate does not follow from expected amounts.
        return {part: float(found.claim.cost[part]) for part in ("activation_cost", "change_cost")}
    return {"activation_cost": _activation_cost(found), "change_cost": _change_cost(found)}


def _activation_cost(found: Comparison) -> float:
    """Return the fixed costs of all manufacturers' weeks with production."""
    if not found.basis.policy.activation_costs:
        return 0.0
    fixed = found.basis.network.manufacturers.set_index("manufacturer_id")["activation_cost"]
    slots = found.model.capacity
    # A week with locked production is used in any case.
    opened = (found.load > 0) & (slots["locked_hours"] == 0).to_numpy()
    return float(slots.loc[opened, "manufacturer_id"].map(fixed).sum())


def _change_cost(found: Comparison) -> float:
    lots = found.model.lots
    if lots.empty:
        return 0.0
    made = found.made.groupby(LOT)["quantity"].sum()
    now = made.reindex(pd.MultiIndex.from_frame(lots[LOT])).fillna(0.0).to_numpy()
    return float(np.abs(now - lots["quantity"].to_numpy(float)) @ lots["penalty"].to_numpy(float))


def _conditions_of_rules(found: Comparison) -> Iterator[Condition]:
    """Require that loads, shares and batches keep the limits of rules, and PLAN_RULES states them."""
    limits, made = found.model.limits, found.made
    if len(limits):
        stated = limits.merge(
            found.claim.rules, on=["rule", "subject"], how="left", suffixes=("", "_in_rules")
        )
        original = limits["stated"].to_numpy(float)
        difference = np.abs(stated["limit_in_rules"].to_numpy(float) - original)
        condition = "limit in plan_rules is not that of the settings"
        yield Condition(condition, "", difference, original, limits, ["rule", "subject"])
        hours = (made["quantity"] * made["hours_per_unit"]).groupby(made["manufacturer_id"]).sum()
        units = made.groupby(["part_category", "manufacturer_id"])["quantity"].sum()
        units.index = pd.Index([f"{category} at {manufacturer}" for category, manufacturer in units.index])
        for rule, used, sign in (("minimum_load", hours, -1.0), ("maximum_share", units, 1.0)):
            of_rule = limits[limits["rule"] == rule]
            amount = used.reindex(of_rule["subject"]).fillna(0.0).to_numpy(float)
            limit = of_rule["limit"].to_numpy(float)
            unit = "hours" if rule == "minimum_load" else "units"
            yield Condition(
                f"limit of {rule} not kept", unit, sign * (amount - limit), limit, of_rule, ["subject"]
            )
    smallest = found.basis.policy.minimum_batch
    if smallest:
        batches = made.groupby(BATCH)["quantity"].sum().reset_index()
        locked = found.model.locked.reindex(pd.MultiIndex.from_frame(batches[BATCH])).fillna(0.0)
        least = batches["part_category"].map(smallest).fillna(0.0).to_numpy(float) - locked.to_numpy(float)
        units_made = batches["quantity"].to_numpy(float)
        missing = np.where(units_made > ABSOLUTE, least - units_made, 0.0)
        yield Condition("units below the minimum batch", "units", missing, least, batches, BATCH)


def feasibility(found: Comparison) -> Iterator[Condition]:
    """Yield the conditions that make a plan possible, and its tables consistent."""
    yield from _conditions_of_ways(found)
    yield from _conditions_of_demand(found)
    yield from _conditions_of_published_rows(found)
    yield from _conditions_of_hours(found)
    yield from _conditions_of_costs(found)
    yield from _conditions_of_rules(found)


def optimality(found: Comparison, ways: pd.DataFrame, of_class: np.ndarray) -> Iterator[Condition]:
    """Require complementary slackness: what is used is the cheapest at the prices, and what has a price is used up.

    The excess cost of classes and the value of what is left of hours and limits add up to the distance between cost and
    bound; here each is judged by its own size.
    """
    classes, shortage = found.model.classes, found.model.classes["shortage_cost"].to_numpy()
    excess = found.units * (ways["price"].to_numpy() - of_class[ways["class"]])
    excess = np.bincount(ways["class"], excess, minlength=len(classes)) + found.class_short * (
        shortage - of_class
    )
    # In units of the class, so that its tolerance is one of units: by what a unit is worth, or costs if it is worth
    # nothing.
    worth, highest_price = np.maximum(np.abs(of_class), 1e-9 * shortage), np.zeros(len(classes))
    np.maximum.at(highest_price, ways["class"].to_numpy(), ways["price"].to_numpy())
    of_unit = np.where(worth > 0, worth, highest_price)
    units = np.divide(excess, of_unit, out=np.zeros(len(classes)), where=of_unit > 0)
    wanted = classes["quantity"].to_numpy(float)
    condition = "units that would cost less by another way"
    yield Condition(condition, "units", units, wanted, classes, CLASS, NOT_CHEAPEST)
    slots, regular = found.model.capacity, found.load - found.overtime
    for kind, column, used in (
        ("regular_hours", "capacity_hours", regular),
        ("overtime_hours", "overtime_capacity_hours", found.overtime),
    ):
        hours, price = slots[column].to_numpy(float), found.prices[kind]
        # Rounding errors of the solver are no prices.
        left = np.where(price > 1e-9 * price.max(initial=0.0), hours - used, 0.0)
        yield Condition("hours left over although they have a price", "hours", left, hours, slots, SLOT)


def differences(flows: pd.DataFrame, shortages: pd.DataFrame, claim: PlanClaim) -> tuple[Violation, ...]:
    """Compare the tables of a plan with those of its solution, row by row.

    Parameters
    ----------
    flows, shortages
        PLAN_FLOWS and PLAN_SHORTAGES that follow from the solution.
    claim
        The tables of the plan.
    """
    claim = with_weeks(claim)
    found: list[Violation] = []
    for what, table, expected, stated in (
        ("planned quantity that is not that of the solution", PLAN_FLOWS, flows, claim.flows),
        ("quantity short that is not that of the solution", PLAN_SHORTAGES, shortages, claim.shortages),
    ):
        key = list(table.key)
        sides = [t.groupby(key)["quantity"].sum() for t in (expected, stated)]
        both = pd.concat(sides, axis=1, keys=["expected", "stated"]).fillna(0.0)
        gap = (both["expected"] - both["stated"]).abs().to_numpy(float)
        size = both["expected"].to_numpy(float)
        found += Condition(what, "units", gap, size, both.reset_index(), key).violations()
    return tuple(found)
