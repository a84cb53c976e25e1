"""Operations on data frames that hold rows of tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from forecasting_assets.tables.shared import SERIES

if TYPE_CHECKING:
    import pandas as pd


def stack(frames: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    """Return the rows of all frames, numbered anew; the first frame if none has rows.

    Empty frames are left out, as their columns often have no type and would change those of the others.
    """
    import pandas as pd

    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)


def category_of(series: "pd.DataFrame", known: "pd.DataFrame") -> "pd.Series":
    """Return the category of the part and region in each row of `series`.

    A part has the category of its latest order in each region, so that regions may differ after it has changed.

    Parameters
    ----------
    series
        part_id and region.
    known
        part_id, region and part_category.

    Returns
    -------
    Series
        The category of the part in the region; where that is not in `known`, the one in another region; missing where
        the part is not in `known`. Its index is that of `series`.
    """
    import pandas as pd

    of_series = known.drop_duplicates(SERIES).set_index(SERIES)["part_category"].astype(object)
    of_part = known.drop_duplicates("part_id").set_index("part_id")["part_category"].astype(object)
    found = of_series.reindex(pd.MultiIndex.from_frame(series[SERIES].astype(object))).set_axis(series.index)
    elsewhere = series["part_id"].map(of_part).astype(object)
    category: pd.Series = found.where(found.notna(), elsewhere)
    return category
