"""Tables of what a plan changes in the plan before."""

from dataclasses import replace

import pandas as pd

from forecasting_assets.allocation.changes import REASONS
from forecasting_assets.reporting.formats import number
from forecasting_assets.reporting.style import label
from forecasting_assets.reporting.texttable import TextTable, day, largest, table, text


def _why(reason: str) -> str:
    return REASONS[reason]


def changes_by_reason(changes: pd.DataFrame) -> TextTable:
    """Tabulate the units that moved, are new or are dropped, by reason.

    Parameters
    ----------
    changes
        Result of `allocation.changes.plan_changes`.
    """
    by_reason = changes.groupby(["kind", "reason"], sort=False)
    frame = by_reason.agg(quantity=("quantity", "sum"), parts=("part_id", "nunique")).reset_index()
    return table(
        "By reason",
        frame.sort_values("quantity", ascending=False, kind="stable"),
        {
            "kind": ("Change", label),
            "reason": ("Why", _why),
            "quantity": ("Units", number),
            "parts": ("Parts", number),
        },
        "Weeks that both plans can still decide. Moved: made by another manufacturer or in another week.",
    )


def changes_in_detail(changes: pd.DataFrame) -> TextTable:
    """Tabulate the changes by category, region and place, largest first."""
    places = ["from_manufacturer", "from_week", "to_manufacturer", "to_week"]
    keys = ["kind", "reason", "part_category", "region", *places]
    grouped = changes.groupby(keys, dropna=False, sort=False)
    frame = grouped.agg(quantity=("quantity", "sum"), parts=("part_id", "nunique")).reset_index()
    detailed = largest(
        "In detail",
        frame.sort_values(["quantity", *keys], ascending=[False, *[True] * len(keys)]),
        {
            "kind": ("Change", label),
            "part_category": ("Category", text),
            "region": ("Deliver to", text),
            "from_manufacturer": ("From", text),
            "from_week": ("From week", day),
            "to_manufacturer": ("To", text),
            "to_week": ("To week", day),
            "quantity": ("Units", number),
            "parts": ("Parts", number),
            "reason": ("Why", _why),
        },
        "quantity",
        "units",
    )
    return replace(detailed, folded=True)
