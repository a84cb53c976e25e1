"""Demand that is not yet met by units in stock or in transit."""

import numpy as np
import pandas as pd

from forecasting_assets.weeks import weeks_since

#: Units with the same values of these columns serve the same demand.
CATEGORY_REGION = ["part_category", "region"]


def unmet_demand(
    classes: pd.DataFrame, demand: np.ndarray, covered: pd.DataFrame | None, max_weeks_late: int
) -> np.ndarray:
    """Subtract the units in stock and in transit from the demand of classes.

    The earliest due week is served first, from units that arrive in time; demand that is left, from units that
    arrive up to `max_weeks_late` weeks after it is due. The bands of a category, region and week share these units in
    proportion to their demand.

    Parameters
    ----------
    classes
        part_category, region, due_week of each class.
    demand
        Units of each class, (n, classes); each row is treated by itself.
    covered
        part_category, region, week, quantity: units in stock, or that arrive in that week.
    max_weeks_late
        Weeks that demand may be met late.

    Returns
    -------
    ndarray
        Unmet units, (n, classes).
    """
    if classes.empty or covered is None or covered.empty:
        return demand
    first = min(classes["due_week"].min(), covered["week"].min())
    due, arrival = weeks_since(first, classes["due_week"]), weeks_since(first, covered["week"])
    both = pd.concat([classes[CATEGORY_REGION], covered[CATEGORY_REGION]])
    group = both.groupby(CATEGORY_REGION).ngroup().to_numpy()
    class_group, supply_group = group[: len(classes)], group[len(classes) :]
    shape = (group.max() + 1, max(due.max(), arrival.max()) + 1)
    supply = np.zeros((len(demand), *shape))
    total = np.zeros_like(supply)
    every_row = np.arange(len(demand))[:, None]
    np.add.at(supply, (every_row, supply_group, arrival), covered["quantity"].to_numpy())
    np.add.at(total, (every_row, class_group, due), demand)
    left = total.copy()
    for late in (0, max_weeks_late):
        for week in range(shape[1]):
            for j in range(min(week + late + 1, shape[1])):
                taken = np.minimum(left[..., week], supply[..., j])
                left[..., week] -= taken
                supply[..., j] -= taken
    share = np.divide(left, total, out=np.zeros_like(left), where=total > 0)
    unmet: np.ndarray = demand * share[:, class_group, due]
    return unmet
