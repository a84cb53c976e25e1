"""The proof of a plan: its tables are held against an independent model of the problem (`label_model`).

Everything is judged by its own size: a class by its demand, hours by those of the manufacturer's week, a cost by that
of its row. A large class does not hide what is missing in a small one.
"""

import pandas as pd

from forecasting_assets.allocation.certificate import Certificate, Method
from forecasting_assets.allocation.comparison import Comparison
from forecasting_assets.allocation.conditions import feasibility, optimality
from forecasting_assets.allocation.label_model import PlanBasis
from forecasting_assets.allocation.prices import class_prices, lower_bound


def prove(found: Comparison) -> Certificate:
    """Check the tables of a plan against the problem: it is possible, costs what it says, and none is cheaper.

    Parameters
    ----------
    found
        The plan beside the model of its problem.

    Returns
    -------
    Certificate
        Every violation by its worst row, the cost and the bound. Of a plan for scenarios the tables hold expected
        amounts, and the bound is left to the proof by its program (`certificate.certify`).
    """
    model, proof, policy = found.model, found.claim.proof, found.basis.policy
    conditions = list(feasibility(found))
    bound, allowed = stored(proof, "bound"), 0.0
    method: Method = "duality"
    if policy.uncertainty == "stochastic":
        method = "scenarios"
    elif is_integer(found.basis):
        method, allowed = "branch_and_bound", max(policy.mip_gap, stored(proof, "gap"))
    else:
        of_class = class_prices(model, found.priced)
        bound = lower_bound(model, proof, of_class)
        conditions += optimality(found, found.priced, of_class)
    violations = tuple(v for condition in conditions for v in condition.violations())
    return Certificate(float(found.claim.cost["total"]), bound, allowed, method, violations)


def is_integer(basis: PlanBasis) -> bool:
    """Return whether manufacturers' weeks or batches are all or nothing."""
    fixed = basis.network.manufacturers["activation_cost"] > 0
    return bool(basis.policy.minimum_batch) or (basis.policy.activation_costs and bool(fixed.any()))


def stored(proof: pd.DataFrame, kind: str) -> float:
    """Return the value of a kind of PLAN_PROOF that has one row, 0 if it has none."""
    return float(proof.loc[proof["kind"] == kind, "value"].sum())
