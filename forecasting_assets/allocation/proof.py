"""The proof of a plan: its tables are held against an independent model of the problem (`label_model`).

Everything is judged by its own size: a class by its demand, hours by those of the manufacturer's week, a cost by that
of its row. A large class does not hide what is missing in a small one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation.certificate import Certificate, Violation
from forecasting_assets.allocation.label_model import (
    BATCH,
    CLASS,
    LOT,
    SLOT,
    UNIT_COSTS,
    LabelModel,
    PlanBasis,
    label_model,
)
from forecasting_assets.allocation.prices import class_prices, lower_bound, price_of, priced_ways
from forecasting_assets.tables import ALLOCATION_PLAN, PLAN_SHORTAGES

#: Tolerance relative to the size of what is compared; the solver's own is 1e-7.
RELATIVE = 1e-6
#: Units, hours or cost below which nothing is compared.
ABSOLUTE = 1e-6
#: Units of a class that may be served at more than the least cost.
NOT_CHEAPEST = 1e-3
SERIES = ["part_id", "region", "due_week"]
#: Labels that name a planned row.
ROW = ["manufacturer_id", "production_week", *SERIES]


@dataclass(frozen=True)
class PlanClaim:
    """The tables of a plan, and what it claims to cost.

    Attributes
    ----------
    plan, shortages, capacity_load, rules, proof
        ALLOCATION_PLAN, PLAN_SHORTAGES, CAPACITY_LOAD, PLAN_RULES and PLAN_PROOF.
    cost
        `total` and its parts, as in PLAN_COST.
    """

    plan: pd.DataFrame
    shortages: pd.DataFrame
    capacity_load: pd.DataFrame
    rules: pd.DataFrame
    proof: pd.DataFrame
    cost: Mapping[str, float]


def prove(basis: PlanBasis, claim: PlanClaim) -> Certificate:
    """Check the tables of a plan against the problem: it is possible, costs what it says, and none is cheaper.

    Parameters
    ----------
    basis
        What the plan was made from; bands are those in the proof.
    claim
        The tables of the plan.

    Returns
    -------
    Certificate
        Every violation by its worst row, the cost and the bound. Of a plan for scenarios the tables hold expected
        amounts, and the bound is left to the proof by its program (`certificate.certify`).
    """
    basis, claim = replace(basis, demand=_with_bands(basis.demand, claim.proof)), _with_weeks(claim)
    model = label_model(basis)
    model = replace(model, limits=_relaxed(model.limits, claim.rules))
    comparison = _compare(model, basis, claim)
    conditions = [c for conditions_of in _CONDITIONS for c in conditions_of(comparison)]
    cost = float(claim.cost["total"])
    bound, allowed = stored(claim.proof, "bound"), 0.0
    policy = basis.policy
    if policy.uncertainty == "stochastic":
        method = "scenarios"
    elif _is_integer(basis):
        method, allowed = "branch_and_bound", max(policy.mip_gap, stored(claim.proof, "gap"))
    else:
        method = "duality"
        ways = priced_ways(model, claim.proof)
        of_class = class_prices(model, ways)
        bound = lower_bound(model, claim.proof, of_class)
        conditions += _conditions_of_optimality(comparison, ways, of_class)
    violations = tuple(v for condition in conditions for v in condition.violations())
    return Certificate(cost, bound, allowed, method, violations)


def _is_integer(basis: PlanBasis) -> bool:
    """Return whether manufacturers' weeks or batches are all or nothing."""
    fixed = basis.network.manufacturers["activation_cost"] > 0
    return bool(basis.policy.minimum_batch) or (basis.policy.activation_costs and bool(fixed.any()))


def stored(proof: pd.DataFrame, kind: str) -> float:
    """Return the value of a kind of PLAN_PROOF that has one row, 0 if it has none."""
    return float(proof.loc[proof["kind"] == kind, "value"].sum())


def _with_bands(demand: pd.DataFrame, proof: pd.DataFrame) -> pd.DataFrame:
    """Return the demand with the bands of the proof; a part that it does not list has the band -1."""
    bands = _weeks(proof.loc[proof["kind"] == "band", [*SERIES, "value"]])
    banded = demand.merge(bands.rename(columns={"value": "band"}), on=SERIES, how="left")
    banded = banded[banded["band"].notna() | (banded["quantity"] > ABSOLUTE)]
    return banded.assign(band=banded["band"].fillna(-1).astype(int))


def _with_weeks(claim: PlanClaim) -> PlanClaim:
    return replace(
        claim,
        plan=_weeks(claim.plan),
        shortages=_weeks(claim.shortages),
        capacity_load=_weeks(claim.capacity_load),
        proof=_weeks(claim.proof),
    )


def _weeks(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose weeks are of one type, however they were stored."""
    weeks = [c for c in ("due_week", "production_week") if c in table]
    return table.assign(**{c: pd.to_datetime(table[c]).astype("datetime64[ns]") for c in weeks})


def _relaxed(limits: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    """Return the limits with the relaxation that the plan states; `check_rules_kept` reports it."""
    limits = limits.assign(subject=np.array(_subjects(limits), dtype=object))
    stated = limits.merge(_texts(rules)[["rule", "subject", "eased"]], on=["rule", "subject"], how="left")
    eased = stated["eased"].fillna(0.0).to_numpy(float)
    stated["original"] = limits["limit"].to_numpy(float)
    stated["limit"] = stated["original"] + np.where(stated["rule"] == "minimum_load", -eased, eased)
    return stated


def _texts(rules: pd.DataFrame) -> pd.DataFrame:
    """Return PLAN_RULES with its texts as texts also where it has no rows."""
    return rules.astype({"rule": object, "subject": object})


def _subjects(limits: pd.DataFrame) -> list[str]:
    """Return the names of limits in PLAN_RULES."""
    return [
        manufacturer if rule == "minimum_load" else f"{category} at {manufacturer}"
        for rule, manufacturer, category in limits[["rule", "manufacturer_id", "part_category"]].itertuples(
            index=False
        )
    ]


@dataclass(frozen=True)
class _Comparison:
    """A plan beside the model.

    Attributes
    ----------
    model, basis, claim
        The problem, what it was built from, and the tables of the plan.
    rows
        The planned rows with their band and way (row of the model's ways; -1: none).
    made
        The planned rows that have a way, with hours_per_unit, slot and class.
    short
        The rows short with their class.
    prices
        Price of one regular and of one overtime hour, by kind, for each row of the model's capacity.
    """

    model: LabelModel
    basis: PlanBasis
    claim: PlanClaim
    rows: pd.DataFrame
    made: pd.DataFrame
    short: pd.DataFrame
    prices: dict[str, np.ndarray]

    @cached_property
    def units(self) -> np.ndarray:
        """Units on each way."""
        return self._per("way", "quantity", len(self.model.ways))

    @cached_property
    def overtime(self) -> np.ndarray:
        """Overtime hours of each manufacturer's week."""
        hours = self.made["overtime_quantity"] * self.made["hours_per_unit"]
        return np.bincount(self.made["slot"], hours, minlength=len(self.model.capacity))

    @cached_property
    def load(self) -> np.ndarray:
        """All hours of each manufacturer's week."""
        hours = self.units * self.model.ways["hours_per_unit"].to_numpy()
        return np.bincount(self.model.ways["slot"], hours, minlength=len(self.model.capacity))

    @cached_property
    def class_short(self) -> np.ndarray:
        """Units short of each class."""
        known = self.short[self.short["class"] >= 0]
        return np.bincount(known["class"], known["quantity"], minlength=len(self.model.classes))

    def _per(self, position: str, amount: str, size: int) -> np.ndarray:
        return np.bincount(self.made[position], self.made[amount], minlength=size)


def _compare(model: LabelModel, basis: PlanBasis, claim: PlanClaim) -> _Comparison:
    """Put the tables beside the model."""
    classes = model.classes[CLASS].reset_index(names="class")
    parts = basis.demand[[*SERIES, "part_category", "band"]].merge(classes, on=CLASS)
    plan = claim.plan.merge(parts.drop(columns="part_category"), on=SERIES, how="left")
    keys = [*SLOT, "part_category", "region", "class"]
    rows = plan.merge(model.ways[keys].reset_index(names="way"), on=keys, how="left")
    rows["way"] = rows["way"].fillna(-1).astype(int)
    made = rows[rows["way"] >= 0]
    made = made.assign(
        **{c: model.ways[c].to_numpy()[made["way"]] for c in ("slot", "class", "hours_per_unit")}
    )
    short = claim.shortages.merge(parts, on=SERIES, how="left")
    short["class"] = short["class"].fillna(-1).astype(int)
    prices = {
        kind: price_of(claim.proof, kind, model.capacity) for kind in ("regular_hours", "overtime_hours")
    }
    return _Comparison(model, basis, claim, rows, made, short, prices)


@dataclass(frozen=True)
class _Condition:
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


def _conditions_of_ways(found: _Comparison) -> Iterator[_Condition]:
    """Require that each planned row is a way that exists, and no amount is negative or missing."""
    rows, short = found.rows, found.short
    quantity, overtime = (rows[c].to_numpy(float) for c in ("quantity", "overtime_quantity"))
    missing = np.where(rows["way"] < 0, np.inf, 0.0)
    yield _Condition("no such manufacturer, lane or week for", "", missing, np.zeros(len(rows)), rows, ROW)
    below = np.maximum(-np.minimum(quantity, overtime), overtime - quantity)
    yield _Condition("negative units, or more in overtime than in all", "units", below, quantity, rows, ROW)
    amount = short["quantity"].to_numpy(float)
    yield _Condition("negative units short", "units", -amount, amount, short, SERIES)


def _conditions_of_demand(found: _Comparison) -> Iterator[_Condition]:
    """Require that all demand of each part and of each class is planned or short, once."""
    spare = found.basis.policy.uncertainty == "stochastic"
    sides = [t.groupby(SERIES)["quantity"].sum() for t in (found.basis.demand, found.rows, found.short)]
    both = pd.concat(sides, axis=1, keys=["wanted", "planned", "short"]).fillna(0.0).reset_index()
    gap = (both["wanted"] - both["planned"] - both["short"]).to_numpy(float)
    wanted = both["wanted"].to_numpy(float)
    condition = "demand that is not planned or short exactly once"
    yield _Condition(condition, "units", gap if spare else np.abs(gap), wanted, both, SERIES)
    classes = found.model.classes
    served = np.bincount(found.model.ways["class"], found.units, minlength=len(classes)) + found.class_short
    wanted = classes["quantity"].to_numpy(float)
    gap = wanted - served
    yield _Condition(condition, "units", gap if spare else np.abs(gap), wanted, classes, CLASS)


def _conditions_of_hours(found: _Comparison) -> Iterator[_Condition]:
    """Require that hours are within capacity, and CAPACITY_LOAD states what is planned."""
    slots, load, overtime = found.model.capacity, found.load, found.overtime
    capacity, most = (slots[c].to_numpy(float) for c in ("capacity_hours", "overtime_capacity_hours"))
    yield _Condition(
        "regular hours over capacity", "hours", load - overtime - capacity, capacity, slots, SLOT
    )
    yield _Condition("overtime hours over capacity", "hours", overtime - most, most, slots, SLOT)
    stated = slots[SLOT].merge(found.claim.capacity_load, on=SLOT, how="left")
    expected = {
        "load_hours": load,
        "overtime_hours": overtime,
        "capacity_hours": capacity,
        "overtime_capacity_hours": most,
        "shadow_price": np.maximum(found.prices["regular_hours"], 0.0),
    }
    for column, values in expected.items():
        difference = np.abs(stated[column].to_numpy(float) - values)
        size = np.abs(values) + (capacity if column.endswith("hours") else 0.0)
        absolute = ABSOLUTE if column.endswith("hours") else 0.0
        condition = f"{column} in capacity_load is not that of the plan"
        yield _Condition(condition, "", difference, size, slots, SLOT, absolute)


def _conditions_of_costs(found: _Comparison) -> Iterator[_Condition]:
    """Require that every row costs what its way costs, and the costs add up to the total."""
    made, short = found.made, found.short
    unit = found.model.ways[[*UNIT_COSTS, "overtime_cost"]].to_numpy()[made["way"]]
    amount = made["quantity"].to_numpy(float)[:, None].repeat(len(UNIT_COSTS), axis=1)
    expected = unit * np.column_stack([amount, made["overtime_quantity"]])
    total = expected.sum(axis=1)
    parts = [*UNIT_COSTS, "overtime_cost"]
    difference = np.abs(made[parts].to_numpy(float) - expected).max(axis=1, initial=0.0)
    yield _Condition("costs that are not those of the way", "cost", difference, total, made, ROW, 0.0)
    difference = np.abs(made["cost"].to_numpy(float) - total)
    yield _Condition("cost that is not the sum of its parts", "cost", difference, total, made, ROW, 0.0)
    penalty = np.append(found.model.classes["shortage_cost"], np.nan)[short["class"]] * short["quantity"]
    difference = np.abs(short["cost"].to_numpy(float) - penalty)
    yield _Condition("wrong cost of units short", "cost", difference, penalty.to_numpy(), short, SERIES, 0.0)
    yield _condition_of_total(found, float(total.sum() + penalty.sum()))


def _condition_of_total(found: _Comparison, planned_and_short: float) -> _Condition:
    cost = found.claim.cost
    activation, change = _activation_cost(found), _change_cost(found)
    if found.basis.policy.uncertainty == "stochastic":
        # What single scenarios change or activate does not follow from expected amounts.
        activation, change = cost["activation_cost"], cost["change_cost"]
    parts = pd.DataFrame({"part": ["activation_cost", "change_cost", "total"]})
    expected = np.array([activation, change, planned_and_short + activation + change])
    difference = np.abs(cost_array(cost, parts["part"]) - expected)
    return _Condition(
        "cost that does not follow from the tables",
        "cost",
        difference,
        expected[[2, 2, 2]],
        parts,
        ["part"],
        0.0,
    )


def cost_array(cost: Mapping[str, float], parts: pd.Series) -> np.ndarray:
    """Return parts of the cost, in their order."""
    return np.array([cost[part] for part in parts], dtype=float)


def _activation_cost(found: _Comparison) -> float:
    """Return the fixed costs of all manufacturers' weeks with production."""
    if not found.basis.policy.activation_costs:
        return 0.0
    fixed = found.basis.network.manufacturers.set_index("manufacturer_id")["activation_cost"]
    return float(found.model.capacity.loc[found.load > 0, "manufacturer_id"].map(fixed).sum())


def _change_cost(found: _Comparison) -> float:
    lots = found.model.lots
    if lots.empty:
        return 0.0
    made = found.made.groupby(LOT)["quantity"].sum()
    now = made.reindex(pd.MultiIndex.from_frame(lots[LOT])).fillna(0.0).to_numpy()
    return float(np.abs(now - lots["quantity"].to_numpy(float)) @ lots["penalty"].to_numpy(float))


def _conditions_of_rules(found: _Comparison) -> Iterator[_Condition]:
    """Require that loads, shares and batches keep the limits of rules, and PLAN_RULES states them."""
    limits, made = found.model.limits, found.made
    if len(limits):
        stated = limits.merge(found.claim.rules, on=["rule", "subject"], how="left", suffixes=("", "_stated"))
        original = limits["original"].to_numpy(float)
        difference = np.abs(stated["limit_stated"].to_numpy(float) - original)
        condition = "limit in plan_rules is not that of the settings"
        yield _Condition(condition, "", difference, original, limits, ["rule", "subject"])
        hours = (made["quantity"] * made["hours_per_unit"]).groupby(made["manufacturer_id"]).sum()
        units = made.groupby(["part_category", "manufacturer_id"])["quantity"].sum()
        units.index = pd.Index([f"{category} at {manufacturer}" for category, manufacturer in units.index])
        for rule, used, sign in (("minimum_load", hours, -1.0), ("maximum_share", units, 1.0)):
            of_rule = limits[limits["rule"] == rule]
            amount = used.reindex(of_rule["subject"]).fillna(0.0).to_numpy(float)
            limit = of_rule["limit"].to_numpy(float)
            unit = "hours" if rule == "minimum_load" else "units"
            yield _Condition(
                f"limit of {rule} not kept", unit, sign * (amount - limit), limit, of_rule, ["subject"]
            )
    smallest = found.basis.policy.minimum_batch
    if smallest:
        batches = made.groupby(BATCH)["quantity"].sum().reset_index()
        least = batches["part_category"].map(smallest).fillna(0.0).to_numpy(float)
        units_made = batches["quantity"].to_numpy(float)
        missing = np.where(units_made > ABSOLUTE, least - units_made, 0.0)
        yield _Condition("units below the minimum batch", "units", missing, least, batches, BATCH)


_CONDITIONS: list[Callable[[_Comparison], Iterator[_Condition]]] = [
    _conditions_of_ways,
    _conditions_of_demand,
    _conditions_of_hours,
    _conditions_of_costs,
    _conditions_of_rules,
]


def _conditions_of_optimality(
    found: _Comparison, ways: pd.DataFrame, of_class: np.ndarray
) -> Iterator[_Condition]:
    """Require complementary slackness: what is used is the cheapest at the prices, and what has a price is used up.

    The excess cost of classes and the value of what is left of hours and limits add up to the distance between cost and
    bound; here each is judged by its own size.
    """
    classes, shortage = found.model.classes, found.model.classes["shortage_cost"].to_numpy()
    excess = found.units * (ways["price"].to_numpy() - of_class[ways["class"]])
    excess = np.bincount(ways["class"], excess, minlength=len(classes)) + found.class_short * (
        shortage - of_class
    )
    # In units of the class, so that its tolerance is one of units.
    units = excess / np.maximum(np.abs(of_class), 1e-9 * shortage)
    wanted = classes["quantity"].to_numpy(float)
    condition = "units that would cost less by another way"
    yield _Condition(condition, "units", units, wanted, classes, CLASS, NOT_CHEAPEST)
    slots, regular = found.model.capacity, found.load - found.overtime
    for kind, column, used in (
        ("regular_hours", "capacity_hours", regular),
        ("overtime_hours", "overtime_capacity_hours", found.overtime),
    ):
        hours, price = slots[column].to_numpy(float), found.prices[kind]
        # Rounding errors of the solver are no prices.
        left = np.where(price > 1e-9 * price.max(initial=0.0), hours - used, 0.0)
        yield _Condition("hours left over although they have a price", "hours", left, hours, slots, SLOT)


def differences(plan: pd.DataFrame, shortages: pd.DataFrame, claim: PlanClaim) -> tuple[Violation, ...]:
    """Compare the tables of a plan with those of its solution, row by row.

    Parameters
    ----------
    plan, shortages
        ALLOCATION_PLAN and PLAN_SHORTAGES that follow from the solution.
    claim
        The tables of the plan.
    """
    claim = _with_weeks(claim)
    found: list[Violation] = []
    for what, table, expected, stated, unit in (
        ("planned quantity that is not that of the solution", ALLOCATION_PLAN, plan, claim.plan, "units"),
        (
            "quantity short that is not that of the solution",
            PLAN_SHORTAGES,
            shortages,
            claim.shortages,
            "units",
        ),
    ):
        key = list(table.key)
        sides = [t.groupby(key)["quantity"].sum() for t in (expected, stated)]
        both = pd.concat(sides, axis=1, keys=["expected", "stated"]).fillna(0.0)
        gap = (both["expected"] - both["stated"]).abs().to_numpy(float)
        size = both["expected"].to_numpy(float)
        found += _Condition(what, unit, gap, size, both.reset_index(), key).violations()
    return tuple(found)
