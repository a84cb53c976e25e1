"""Check of what a plan is made for, whatever is assumed of uncertain demand."""

import numpy as np
import pandas as pd

from forecasting_assets.findings import Finding
from forecasting_assets.tables import SERIES

#: Relative tolerance.
_TOLERANCE = 1e-6


def check_mean(planned: pd.DataFrame, demand: pd.DataFrame, supply: pd.DataFrame | None) -> Finding:
    """Check that of no part less is planned for than its mean demand that supply cannot serve.

    Parameters
    ----------
    planned
        part_id, region and quantity: units planned for, after supply has served demand.
    demand
        part_id, region and quantity: mean demand.
    supply
        part_id, region and quantity: units in stock and on their way; None for none.
    """
    sides = {"planned": planned, "mean": demand}
    if supply is not None:
        sides["supply"] = supply
    units = pd.concat(
        {name: table.groupby(SERIES)["quantity"].sum() for name, table in sides.items()}, axis=1
    )
    units = units.reindex(columns=["planned", "mean", "supply"]).astype(float).fillna(0.0)
    gap = units["mean"] - units["supply"] - units["planned"]
    missing = ~(gap <= _TOLERANCE * units["mean"])
    largest = float(np.max(gap.to_numpy(), initial=0.0))
    metadata = {"series_planned_for_too_little": int(missing.sum()), "largest_gap_units": largest}
    if not missing.any():
        return Finding(True, "at least the mean demand is planned for", metadata)
    part, region = units.index[missing][0]
    first = units[missing].iloc[0]
    return Finding(
        False,
        f"of {missing.sum():,} parts and regions less is planned for than their mean demand; the first is {part} in "
        f"{region}: mean demand {first['mean']:,.2f}, supply {first['supply']:,.2f}, planned for "
        f"{first['planned']:,.2f} units",
        metadata,
    )
