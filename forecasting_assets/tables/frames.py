"""Operations on data frames that hold rows of tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def stack(frames: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    """Return the rows of all frames, numbered anew; the first frame if none has rows.

    Empty frames are left out, as their columns often have no type and would change those of the others.
    """
    import pandas as pd

    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
