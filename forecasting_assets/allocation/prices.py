"""What a unit costs by each way when scarce hours and rules have a price, and the bound that these prices prove."""

import numpy as np
import pandas as pd

from forecasting_assets.allocation.label_model import BATCH, LOT, SLOT, UNIT_COSTS, LabelModel

#: Kinds of prices in PLAN_PROOF, and the labels that identify one.
PRICE_LABELS = {
    "regular_hours": SLOT,
    "overtime_hours": SLOT,
    "minimum_load": ["manufacturer_id"],
    "maximum_share": ["manufacturer_id", "part_category"],
    "previous_plan": LOT,
    "activation": SLOT,
    "batch_at_most": BATCH,
    "batch_at_least": BATCH,
}
#: What prices add to the cost of one unit, as columns of `priced_ways`; negative where a rule rewards production.
SURCHARGES = [*(kind for kind in PRICE_LABELS if kind != "overtime_hours"), "overtime_saved"]


def price_of(proof: pd.DataFrame, kind: str, rows: pd.DataFrame) -> np.ndarray:
    """Return the price of one kind for each row; 0 where the proof lists none.

    Parameters
    ----------
    proof
        PLAN_PROOF.
    kind
        One of `PRICE_LABELS`.
    rows
        Table with the labels of that kind.
    """
    labels = PRICE_LABELS[kind]
    listed = proof[proof["kind"] == kind]
    if listed.empty or rows.empty:
        return np.zeros(len(rows))
    known = pd.MultiIndex.from_frame(listed[labels])
    at = known.get_indexer(pd.MultiIndex.from_frame(rows[labels]))
    return np.where(at >= 0, listed["value"].to_numpy(float)[at], 0.0)


def priced_ways(model: LabelModel, proof: pd.DataFrame) -> pd.DataFrame:
    """Return the ways with what the prices add to the cost of one unit.

    Parameters
    ----------
    model
        The problem.
    proof
        PLAN_PROOF, whose prices of scarce hours and of rules are taken; negative ones count as 0.

    Returns
    -------
    DataFrame
        The ways with the columns `SURCHARGES`, overtime_price (of one overtime hour), and price: the sum of all costs
        and surcharges.
    """
    ways, slot = model.ways, model.ways["slot"].to_numpy()
    hours = ways["hours_per_unit"].to_numpy()
    price = {
        kind: price_of(proof, kind, model.capacity)[slot] if labels == SLOT else price_of(proof, kind, ways)
        for kind, labels in PRICE_LABELS.items()
    }
    price = {kind: np.maximum(values, 0.0) for kind, values in price.items()}
    # A unit in overtime frees a regular hour; where that is worth more than overtime costs, the difference is the
    # price of the limit "no more overtime units than units".
    saved = hours * (price["regular_hours"] - price["overtime_hours"]) - ways["overtime_cost"].to_numpy()
    has_overtime = model.capacity["overtime_capacity_hours"].to_numpy()[slot] > 0
    surcharge = {
        "regular_hours": hours * price["regular_hours"],
        "minimum_load": -hours * price["minimum_load"],
        "maximum_share": price["maximum_share"],
        "previous_plan": _price_of_change(model, proof),
        "activation": hours * price["activation"],
        "batch_at_most": price["batch_at_most"],
        "batch_at_least": -price["batch_at_least"],
        "overtime_saved": -np.where(has_overtime, np.maximum(saved, 0.0), 0.0),
    }
    total = ways[UNIT_COSTS].to_numpy().sum(axis=1) + np.sum(list(surcharge.values()), axis=0)
    return ways.assign(**surcharge, overtime_price=price["overtime_hours"], price=total)


def _price_of_change(model: LabelModel, proof: pd.DataFrame) -> np.ndarray:
    """Return for each way what one more unit costs as a change of the previous plan."""
    if model.lots.empty:
        return np.zeros(len(model.ways))
    at = pd.MultiIndex.from_frame(model.lots[LOT]).get_indexer(pd.MultiIndex.from_frame(model.ways[LOT]))
    return np.asarray(np.append(lot_prices(model, proof), 0.0)[at])


def lot_prices(model: LabelModel, proof: pd.DataFrame) -> np.ndarray:
    """Return what one more unit of each lot costs as a change of the previous plan; at most its penalty."""
    penalty = model.lots["penalty"].to_numpy(float)
    return np.asarray(np.clip(price_of(proof, "previous_plan", model.lots), -penalty, penalty))


def class_prices(model: LabelModel, ways: pd.DataFrame) -> np.ndarray:
    """Return what one more unit of each class costs: the cheapest way at these prices, or the shortage.

    With these prices no way has a negative reduced cost, whatever the prices of hours and rules are.

    Parameters
    ----------
    model
        The problem.
    ways
        The result of `priced_ways`.
    """
    cheapest = model.classes["shortage_cost"].to_numpy(copy=True)
    np.minimum.at(cheapest, ways["class"].to_numpy(), ways["price"].to_numpy())
    return cheapest


def lower_bound(model: LabelModel, proof: pd.DataFrame, of_class: np.ndarray) -> float:
    """Return a cost that no plan of a linear program is below.

    Weak duality: demand at its prices, less what the hours and the limits of rules are worth. It holds for any
    prices; poor prices make it low.

    Parameters
    ----------
    model
        The problem.
    proof
        PLAN_PROOF.
    of_class
        The result of `class_prices`.

    References
    ----------
    Bertsimas, D. and Tsitsiklis, J. N. (1997). Introduction to Linear Optimization, theorem 4.3.
    """
    capacity, limits, lots = model.capacity, model.limits, model.lots
    bound = float(of_class @ model.classes["quantity"])
    for kind, column in (("regular_hours", "capacity_hours"), ("overtime_hours", "overtime_capacity_hours")):
        bound -= float(np.maximum(price_of(proof, kind, capacity), 0.0) @ capacity[column])
    for rule, sign in (("minimum_load", 1.0), ("maximum_share", -1.0)):
        of_rule = limits[limits["rule"] == rule]
        bound += sign * float(np.maximum(price_of(proof, rule, of_rule), 0.0) @ of_rule["limit"])
    return bound - float(lot_prices(model, proof) @ lots["quantity"].to_numpy(float))
