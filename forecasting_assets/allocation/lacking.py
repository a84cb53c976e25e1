"""What is still to be made of a demand when some units are there already, or on their way."""

import numpy as np
import pandas as pd

from forecasting_assets.weeks import weeks_since

#: What units are alike in: they serve any demand of their category and region.
CLASS = ["part_category", "region"]


def lacking(
    classes: pd.DataFrame, asked: np.ndarray, covered: pd.DataFrame | None, patience: int
) -> np.ndarray:
    """`asked` (n, classes) less what is covered (part_category, region, week, quantity), each row by itself.

    What is due first is served first, by what arrives in time; what then lacks, by what arrives up to `patience`
    weeks after it is due. The bands of a category, region and week share what is there in proportion to what they
    ask.
    """
    if classes.empty or covered is None or covered.empty:
        return asked
    first = min(classes["due_week"].min(), covered["week"].min())
    due, arrival = weeks_since(first, classes["due_week"]), weeks_since(first, covered["week"])
    both = pd.concat([classes[CLASS], covered[CLASS]])
    series = both.groupby(CLASS).ngroup().to_numpy()
    of_class, of_supply = series[: len(classes)], series[len(classes) :]
    shape = (series.max() + 1, max(due.max(), arrival.max()) + 1)
    supply = np.zeros((len(asked), *shape))
    wanted = np.zeros_like(supply)
    every_row = np.arange(len(asked))[:, None]
    np.add.at(supply, (every_row, of_supply, arrival), covered["quantity"].to_numpy())
    np.add.at(wanted, (every_row, of_class, due), asked)
    left = wanted.copy()
    for late in (0, patience):
        for week in range(shape[1]):
            for j in range(min(week + late + 1, shape[1])):
                taken = np.minimum(left[..., week], supply[..., j])
                left[..., week] -= taken
                supply[..., j] -= taken
    share = np.divide(left, wanted, out=np.zeros_like(left), where=wanted > 0)
    return asked * share[:, of_class, due]
