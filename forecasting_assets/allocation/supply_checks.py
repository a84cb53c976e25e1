"""Checks of the supply position, on its ledger."""

import numpy as np
import pandas as pd

from forecasting_assets.allocation.counts import Counts
from forecasting_assets.findings import Finding
from forecasting_assets.tables import SERIES
from forecasting_assets.wording import listed

#: Relative tolerance of sums.
_TOLERANCE = 1e-6
#: Names that a description lists.
_MOST_NAMED = 10


def check_supply_balance(ledger: pd.DataFrame) -> Finding:
    """Check that stock changes by what arrives, is delivered and is counted, and by nothing else.

    Parameters
    ----------
    ledger
        SUPPLY_LEDGER of a week.
    """
    delivered = ledger["delivered_on_time"] + ledger["delivered_late"]
    expected = ledger["opening_stock"] + ledger["arrived"] - delivered + ledger["count_difference"]
    gap = (expected - ledger["closing_stock"]).abs()
    size = ledger[["opening_stock", "arrived", "closing_stock"]].max(axis=1)
    wrong = ledger[~(gap <= _TOLERANCE * np.maximum(size, 1.0))]
    description = "stock changes only by arrivals, deliveries and counts"
    if len(wrong):
        row = wrong.iloc[0]
        description = (
            f"stock of {len(wrong)} parts and regions does not follow from arrivals, deliveries and counts; the first: "
            f"part {row['part_id']} in {row['region']}. Materialize the week again"
        )
    metadata = {
        f"{name}_units": float(ledger[name].sum()) for name in ("started", "arrived", "ordered", "given_up")
    }
    return Finding(wrong.empty, description, metadata)


def check_counts_known(
    counts: Counts, series: pd.DataFrame, successors: pd.Series, manufacturers: pd.Series
) -> Finding:
    """Check that counts name parts, regions and manufacturers that there are; other units serve no demand.

    Parameters
    ----------
    counts
        Counts of the week.
    series
        part_id and region of what is planned, booked or has ever been ordered.
    successors
        Parts that may be in stock before their first order.
    manufacturers
        Names of all manufacturers.
    """
    counted = counts.series.sort_values(SERIES)
    is_known = pd.MultiIndex.from_frame(counted).isin(pd.MultiIndex.from_frame(series[SERIES]))
    unknown, parts = counted[~is_known & ~counted["part_id"].isin(successors)], set(series["part_id"])
    names = [
        f"part {part!r} in region {region!r}{' (ordered in other regions)' if part in parts else ''}"
        for part, region in unknown.to_numpy()
    ]
    others = sorted(set(counts.work_in_progress["manufacturer_id"]) - set(manufacturers))
    names += [f"manufacturer {name!r}" for name in others]
    description = (
        f"counted, but never ordered or not in the network: {listed(names, _MOST_NAMED)}; correct the names"
    )
    return Finding(
        not names,
        description if names else f"{len(counted):,} parts and regions counted",
        {"unknown_names": len(names)},
    )


def check_counts(ledger: pd.DataFrame, limit: float) -> Finding:
    """Check that counts are near what was expected.

    Parameters
    ----------
    ledger
        SUPPLY_LEDGER of a week.
    limit
        Largest difference allowed, as a share of the units expected of the parts that differ.
    """
    found = ledger[(ledger["count_difference"] != 0) | (ledger["arriving_difference"] != 0)]
    if found.empty:
        return Finding(True, "no count differs from what was expected")
    differences = found["count_difference"].abs() + found["arriving_difference"].abs()
    expected = (found["closing_stock"] - found["count_difference"]).clip(lower=0).sum()
    share = float(differences.sum() / max(expected, 1.0))
    worst = found.loc[differences.idxmax()]
    return Finding(
        share <= limit,
        f"counts differ by {differences.sum():,.0f} units in all, {share:.0%} of what was expected of these parts; the "
        f"most: part {worst['part_id']} in {worst['region']}, {worst['count_difference']:+,.0f} in stock and "
        f"{worst['arriving_difference']:+,.0f} on their way. The counts are used",
        {"difference_units": float(differences.sum()), "parts_and_regions": len(found)},
    )
