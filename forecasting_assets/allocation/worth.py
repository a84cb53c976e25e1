"""What units are worth: prices and priorities by part, category and region, and bands of parts of similar value."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from forecasting_assets.allocation.policy import AllocationPolicy


def price_units(demand: pd.DataFrame, policy: AllocationPolicy) -> pd.DataFrame:
    """Add the price of a unit not delivered, and the priority, to rows of demand.

    Parameters
    ----------
    demand
        part_id, part_category, region.
    policy
        Prices and priorities.

    Returns
    -------
    DataFrame
        `demand` with shortage_price (of one unit; NaN where none is set) and priority (a multiple).
    """
    price, priority = policy.shortage_price, policy.priority
    shortage_price = _of(demand, "part_id", price.part).fillna(_of(demand, "part_category", price.category))
    if price.default is not None:
        shortage_price = shortage_price.fillna(price.default)
    multiple = pd.Series(1.0, demand.index)
    for column, by_name in (
        ("part_id", priority.part),
        ("part_category", priority.category),
        ("region", priority.region),
    ):
        multiple *= _of(demand, column, by_name).fillna(1.0)
    return demand.assign(shortage_price=shortage_price, priority=multiple)


def parts_without_demand(demand: pd.DataFrame, policy: AllocationPolicy) -> dict[str, list[str]]:
    """Return the parts that prices and priorities name, but that are not in demand: setting -> part_ids."""
    named = {
        "allocation.shortage_price.part": policy.shortage_price.part,
        "allocation.priority.part": policy.priority.part,
    }
    known = set(demand["part_id"].unique())
    unknown = {setting: sorted(set(by_part) - known) for setting, by_part in named.items()}
    return {setting: parts for setting, parts in unknown.items() if parts}


def value_bands_of(demanded: pd.DataFrame, bands: int, served: Collection[tuple[str, str]]) -> np.ndarray:
    """Return the band of each row: a number within its category.

    Units of one band are alike in shortage price and priority, and similar in unit price: from cheap to expensive,
    `bands` of similar quantity. Equal prices are one band, and a category without prices is one.
    """
    pairs = zip(demanded["part_category"], demanded["region"], strict=True)
    is_served = pd.Series([pair in served for pair in pairs], demanded.index, dtype=bool)
    price = demanded["unit_price"].fillna(-1.0) if bands > 1 else pd.Series(0.0, demanded.index)
    alike = demanded.groupby(
        [
            demanded["part_category"],
            is_served if bands > 1 else pd.Series(True, demanded.index),
            demanded["shortage_price"].fillna(-1.0),
            demanded["priority"],
            price,
        ]
    )
    of_price = alike["quantity"].sum()
    group = of_price.groupby(level=[0, 1, 2, 3])
    cheaper = group.cumsum() - of_price
    spread = np.floor(bands * cheaper / group.transform("sum"))
    few = group.transform("size").to_numpy() <= bands
    band = np.where(few, group.cumcount(), spread).astype(int)
    # Bands of other prices and priorities go on counting.
    return np.asarray((group.ngroup().to_numpy() * bands + band)[alike.ngroup()])


def _of(demand: pd.DataFrame, column: str, by_name: Mapping[str, float]) -> pd.Series:
    """Return the entry for the name in a column of each row, NaN where there is none."""
    return demand[column].map(dict(by_name)).astype(float)
