"""What units are worth: prices and priorities by part, category and region, and bands of parts of similar value."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from forecasting_assets.allocation.policy import AllocationPolicy

#: Standard deviation of prices within a band, relative to the mean price, below which no more bands are made.
SPREAD = 0.01
#: Different prices among which limits of bands are searched for.
MOST_PRICES = 400


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

    Units of one band are alike in shortage price and priority, and similar in unit price. Prices are parted so that
    their squared distances from the mean price of their band add up to the least (k-means in one dimension), with as
    few bands as keep prices within SPREAD of it, and at most `bands`. A category without prices is one band.

    References
    ----------
    Fisher, W. D. (1958). On grouping for maximum homogeneity. Journal of the American Statistical Association 53.
    """
    pairs = pd.MultiIndex.from_frame(demanded[["part_category", "region"]])
    is_served = pairs.isin(list(served)) if len(served) else np.zeros(len(demanded), dtype=bool)
    alike = demanded.groupby(
        [
            demanded["part_category"],
            is_served if bands > 1 else np.zeros(len(demanded), dtype=bool),
            demanded["shortage_price"].fillna(-1.0),
            demanded["priority"],
            demanded["unit_price"].fillna(-1.0),
        ]
    )
    units = alike["quantity"].sum()
    price = units.index.get_level_values(-1).to_numpy(float)
    category = units.index.get_level_values(0)
    band = np.zeros(len(units), dtype=int)
    next_band: dict[str, int] = {}
    # Groups are few: categories, and prices and priorities of their own.
    for rows in units.groupby(level=[0, 1, 2, 3], sort=False).indices.values():
        name = category[rows[0]]
        first = next_band.get(name, 0)
        band[rows] = first + _price_bands(price[rows], units.to_numpy()[rows], bands)
        next_band[name] = int(band[rows[-1]]) + 1
    return np.asarray(band[alike.ngroup()])


def _price_bands(price: np.ndarray, units: np.ndarray, most: int) -> np.ndarray:
    """Return the band of each price, from 0; prices rise, and `units` are their weights."""
    if price.size <= 1 or most == 1:
        return np.zeros(price.size, dtype=int)
    if price.size <= most:
        return np.arange(price.size)
    cell = np.arange(price.size)
    if price.size > MOST_PRICES:
        # Prices that are closer than the cells of a grid are one: the search takes the square of their number.
        cell = np.floor((price - price[0]) / (price[-1] - price[0]) * (MOST_PRICES - 1)).astype(int)
        cell = np.unique(cell, return_inverse=True)[1]
    weight, value, square = (np.bincount(cell, units * price**power) for power in (0, 1, 2))
    return np.asarray(_least_squares(weight, value, square, most)[cell])


def _least_squares(weight: np.ndarray, value: np.ndarray, square: np.ndarray, most: int) -> np.ndarray:
    """Part cells into runs with the least sum of squared distances from their means; return the run of each."""
    n = weight.size
    sums = [np.concatenate([[0.0], amounts.cumsum()]) for amounts in (weight, value, square)]
    w, v, s = (total[None, :] - total[:, None] for total in sums)
    # distance[i, j]: of the cells i, …, j - 1 from their mean.
    distance = np.where(w > 0, s - np.divide(v**2, w, out=np.zeros_like(w), where=w > 0), np.inf)
    np.fill_diagonal(distance, 0.0)
    least, cuts = distance[0], list[np.ndarray]()
    allowed = (SPREAD * value.sum() / weight.sum()) ** 2 * weight.sum()
    while len(cuts) + 1 < most and least[n] > allowed:
        total = least[:, None] + distance
        cuts.append(total.argmin(axis=0))
        least = total.min(axis=0)
    run, end = np.zeros(n, dtype=int), n
    for position in range(len(cuts) - 1, -1, -1):
        begin = cuts[position][end]
        run[begin:end] = position + 1
        end = begin
    return np.unique(run, return_inverse=True)[1]


def _of(demand: pd.DataFrame, column: str, by_name: Mapping[str, float]) -> pd.Series:
    """Return the entry for the name in a column of each row, NaN where there is none."""
    return demand[column].map(dict(by_name)).astype(float)
