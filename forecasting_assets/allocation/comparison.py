"""A plan, as its tables state it, beside the model of its problem."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting_assets.allocation.label_model import CLASS, SLOT, LabelModel, PlanBasis, label_model
from forecasting_assets.allocation.plan import AllocationPlan
from forecasting_assets.allocation.prices import price_of, priced_ways

#: Units or hours below which amounts are equal.
ABSOLUTE = 1e-6
SERIES = ["part_id", "region", "due_week"]


@dataclass(frozen=True)
class PlanClaim:
    """The tables of a plan, and what it claims to cost.

    Attributes
    ----------
    plan, capacity_load
        ALLOCATION_PLAN and CAPACITY_LOAD: the published rows, in whole units if the policy says so.
    flows, shortages, rules, proof
        PLAN_FLOWS, PLAN_SHORTAGES, PLAN_RULES and PLAN_PROOF of the exact plan.
    cost
        `total` and its parts, as in PLAN_COST.
    """

    plan: pd.DataFrame
    flows: pd.DataFrame
    shortages: pd.DataFrame
    capacity_load: pd.DataFrame
    rules: pd.DataFrame
    proof: pd.DataFrame
    cost: Mapping[str, float]

    @classmethod
    def of(cls, plan: AllocationPlan) -> "PlanClaim":
        """Return the tables of a plan that is not yet stored."""
        return cls(
            plan.plan, plan.flows, plan.shortages, plan.capacity_load, plan.rules, plan.proof, plan.cost
        )


@dataclass(frozen=True)
class Comparison:
    """A plan beside the model.

    Attributes
    ----------
    model, basis, claim
        The problem, what it was built from, and the tables of the plan.
    rows, flows
        ALLOCATION_PLAN and PLAN_FLOWS with their way (row of the model's ways; -1: none).
    made
        The flows that have a way, with hours_per_unit, slot and class.
    short
        The rows short with their class.
    prices
        Price of one regular and of one overtime hour, by kind, for each row of the model's capacity.
    """

    model: LabelModel
    basis: PlanBasis
    claim: PlanClaim
    rows: pd.DataFrame
    flows: pd.DataFrame
    made: pd.DataFrame
    short: pd.DataFrame
    prices: dict[str, np.ndarray]

    @cached_property
    def units(self) -> np.ndarray:
        """Units on each way."""
        return self._per("way", "quantity", len(self.model.ways))

    @cached_property
    def priced(self) -> pd.DataFrame:
        """The ways with the prices of the proof (`priced_ways`)."""
        return priced_ways(self.model, self.claim.proof)

    @cached_property
    def overtime(self) -> np.ndarray:
        """Overtime hours of each manufacturer's week, exact."""
        hours = self.made["overtime_quantity"] * self.made["hours_per_unit"]
        return np.bincount(self.made["slot"], hours, minlength=len(self.model.capacity))

    @cached_property
    def load(self) -> np.ndarray:
        """All hours of each manufacturer's week, exact."""
        hours = self.units * self.model.ways["hours_per_unit"].to_numpy()
        return np.bincount(self.model.ways["slot"], hours, minlength=len(self.model.capacity))

    @cached_property
    def class_short(self) -> np.ndarray:
        """Units short of each class."""
        known = self.short[self.short["class"] >= 0]
        return np.bincount(known["class"], known["quantity"], minlength=len(self.model.classes))

    def _per(self, position: str, amount: str, size: int) -> np.ndarray:
        return np.bincount(self.made[position], self.made[amount], minlength=size)


def compare(basis: PlanBasis, claim: PlanClaim) -> Comparison:
    """Build the model of a problem and put the tables of a plan beside it.

    Parameters
    ----------
    basis
        What the plan was made from; bands are those in the proof.
    claim
        The tables of the plan.
    """
    claim = with_weeks(claim)
    basis = replace(basis, demand=_with_bands(basis.demand, claim.proof))
    model = label_model(basis)
    return _beside(replace(model, limits=_relaxed(model.limits, claim.rules)), basis, claim)


def _beside(model: LabelModel, basis: PlanBasis, claim: PlanClaim) -> Comparison:
    """Put the tables beside the model."""
    classes = model.classes[CLASS].reset_index(names="class")
    parts = basis.demand[[*SERIES, "part_category", "band"]].merge(classes, on=CLASS)
    ways = model.ways[[*SLOT, *CLASS]].reset_index(names="way")
    rows, flows = (
        table.merge(ways, on=[*SLOT, *CLASS], how="left")
        for table in (claim.plan.merge(parts[[*SERIES, "band"]], on=SERIES, how="left"), claim.flows)
    )
    for table in (rows, flows):
        table["way"] = table["way"].fillna(-1).astype(int)
    made = flows[flows["way"] >= 0]
    made = made.assign(
        **{c: model.ways[c].to_numpy()[made["way"]] for c in ("slot", "class", "hours_per_unit")}
    )
    short = claim.shortages.merge(parts, on=SERIES, how="left")
    short["class"] = short["class"].fillna(-1).astype(int)
    prices = {
        kind: price_of(claim.proof, kind, model.capacity) for kind in ("regular_hours", "overtime_hours")
    }
    return Comparison(model, basis, claim, rows, flows, made, short, prices)


def _with_bands(demand: pd.DataFrame, proof: pd.DataFrame) -> pd.DataFrame:
    """Return the demand with the bands of the proof; a part that it does not list has the band -1."""
    bands = _weeks(proof.loc[proof["kind"] == "band", [*SERIES, "value"]])
    banded = demand.merge(bands.rename(columns={"value": "band"}), on=SERIES, how="left")
    banded = banded[banded["band"].notna() | (banded["quantity"] > ABSOLUTE)]
    return banded.assign(band=banded["band"].fillna(-1).astype(int))


def with_weeks(claim: PlanClaim) -> PlanClaim:
    """Return the tables with weeks of one type, however they were stored."""
    return replace(
        claim,
        plan=_weeks(claim.plan),
        flows=_weeks(claim.flows),
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
    stated["limit"] = limits["limit"].to_numpy(float) + np.where(
        stated["rule"] == "minimum_load", -eased, eased
    )
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
