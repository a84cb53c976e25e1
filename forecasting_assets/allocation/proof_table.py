"""The table PLAN_PROOF of a solved problem: prices by label, bands of parts, and the bound."""

from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.allocation.formulate import Formulation
from forecasting_assets.allocation.instance import Instance
from forecasting_assets.tables import PLAN_PROOF


def label_prices(
    instance: Instance, formulation: Formulation, y_eq: np.ndarray, y_ub: np.ndarray
) -> pd.DataFrame:
    """Return the multipliers of a program by class as prices with labels.

    Parameters
    ----------
    instance, formulation
        The problem as tables and as a program.
    y_eq, y_ub
        Multipliers of the rows of the program by class.

    Returns
    -------
    DataFrame
        PLAN_PROOF: a row for each price that is not 0.
    """
    program, slots = formulation.program, instance.slots[["manufacturer_id", "production_week"]]
    batches = slots.iloc[instance.batches["slot"]].reset_index(drop=True)
    batches["part_category"] = instance.batches["part_category"]
    labels = {
        "regular_hours": slots,
        "overtime_hours": slots,
        **{rule: _rule_labels(formulation, rule, batches) for rule in ("minimum_load", "maximum_share")},
        "activation": slots.iloc[formulation.active],
        "batch_at_most": batches.iloc[formulation.run],
        "batch_at_least": batches.iloc[formulation.run],
    }
    prices = [
        table.assign(kind=kind, value=y_ub[program.ub_rows[kind]])
        for kind, table in labels.items()
        if kind in program.ub_rows
    ]
    if "previous_plan" in program.eq_rows:
        of_lots = y_eq[program.eq_rows["previous_plan"]]
        prices.append(formulation.lots.assign(kind="previous_plan", value=of_lots))
    listed = pd.concat(prices, ignore_index=True)
    return complete(listed[listed["value"] != 0])


def _rule_labels(formulation: Formulation, rule: str, batches: pd.DataFrame) -> pd.DataFrame:
    """Return the manufacturer, and the category of a maximum share, of the rows of one rule."""
    subject = formulation.rules.loc[formulation.rules["rule"] == rule, "subject"]
    if rule == "minimum_load":
        return pd.DataFrame({"manufacturer_id": subject.to_numpy()})
    pairs = batches[["manufacturer_id", "part_category"]].drop_duplicates()
    pairs.index = pd.Index(pairs["part_category"] + " at " + pairs["manufacturer_id"])
    return pairs.loc[subject].reset_index(drop=True)


def bands(instance: Instance) -> pd.DataFrame:
    """Return PLAN_PROOF rows with the price band of each part, region and due week."""
    parts = instance.parts
    band = instance.classes["band"].to_numpy()[parts["class"]]
    return complete(parts[["part_id", "region", "due_week"]].assign(kind="band", value=band.astype(float)))


def vectors(named: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return PLAN_PROOF rows with the values of vectors that are not 0."""
    at = {kind: np.flatnonzero(values) for kind, values in named.items()}
    listed = {
        "kind": np.repeat(np.array(list(at), dtype=object), [position.size for position in at.values()]),
        "position": np.concatenate(list(at.values())),
        "value": np.concatenate([named[kind][position] for kind, position in at.items()]),
    }
    return complete(pd.DataFrame(listed))


def vector(proof: pd.DataFrame, kind: str, size: int) -> np.ndarray:
    """Return a vector of PLAN_PROOF, 0 where no value is listed."""
    rows = proof[proof["kind"] == kind]
    dense = np.zeros(size)
    dense[rows["position"].to_numpy(int)] = rows["value"]
    return dense


def complete(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with all columns of PLAN_PROOF, in their types; labels that do not apply are missing."""
    types: dict[str, Any] = {
        "production_week": "datetime64[ns]",
        "due_week": "datetime64[ns]",
        "position": "Int64",
        "value": float,
    }
    return rows.reindex(columns=PLAN_PROOF.names).astype(types)
