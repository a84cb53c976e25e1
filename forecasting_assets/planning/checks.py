"""Checks of the demand plan: complete, possible, never below what is booked, and with overrides that do something."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.window import ACTIVE_WEEKS
from forecasting_assets.findings import Finding
from forecasting_assets.planning.files import describe_unrecognised
from forecasting_assets.tables import DEMAND_PLAN, QUANTILES, SERIES
from forecasting_assets.tables.contract import check_contract
from forecasting_assets.weeks import add_weeks
from forecasting_assets.wording import count, listed

#: Overrides that a description names.
_MOST_NAMED = 10


def check_demand_plan(plan: pd.DataFrame) -> Finding:
    """Check that each part, region and due week has one valid row, with no less planned than is booked.

    Parameters
    ----------
    plan
        Rows of DEMAND_PLAN of one week.
    """
    contract = check_contract(plan, DEMAND_PLAN)
    if not contract.passed:
        return contract
    crossing = int((np.diff(plan[list(QUANTILES)].to_numpy(), axis=1) < 0).any(axis=1).sum())
    short = int((plan["quantity"] < plan["booked"]).sum())
    faults = [
        *([f"quantiles cross in {count(crossing, 'row')}"] if crossing else []),
        *([f"less is planned than is booked in {count(short, 'row')}"] if short else []),
    ]
    metadata = {**contract.metadata, "rows_crossing": crossing, "rows_below_booked": short}
    return Finding(not faults, "; ".join(faults) or contract.description, metadata)


def check_overrides(use: pd.DataFrame) -> Finding:
    """Check that every override can change the forecast.

    Parameters
    ----------
    use
        Rows of OVERRIDE_USE of one week.
    """
    problems = use["problem"].dropna().tolist()
    metadata = {"overrides": len(use), "overrides_unused": len(problems), "rows": int(use["rows"].sum())}
    described = f"{count(len(use), 'override')}, which decide {count(metadata['rows'], 'row')}"
    return Finding(not problems, listed(problems, _MOST_NAMED, "; ") or described, metadata)


def check_notes(
    corrections: pd.DataFrame,
    successors: pd.DataFrame,
    forecast: pd.DataFrame,
    ordered: pd.DataFrame,
    week: date,
) -> Finding:
    """Check that corrections and successors name series that are ordered, and leave them some orders.

    Others change nothing, and a series without an order that counts is forecast as zero.

    Parameters
    ----------
    corrections, successors
        Rows of demand_corrections and successors planning files that are known.
    forecast
        part_id, region and mean of the forecasts of the active series.
    ordered
        part_id of the predecessors without a forecast that have ever been ordered.
    week
        The week that has closed.

    Returns
    -------
    Finding
        A successor that is not ordered yet is named but no fault: it takes over with its first order. Nor is it one if
        a part is no longer ordered but its successor is, or if its correction was entered more than ACTIVE_WEEKS weeks
        ago.
    """
    units = forecast.groupby(SERIES)["mean"].sum()
    active, series = forecast[SERIES], units.index
    recent = corrections[corrections["entered"] > pd.Timestamp(add_weeks(week, -ACTIVE_WEEKS))]
    named = recent[SERIES].drop_duplicates().sort_values(SERIES)
    unknown = named[~pd.MultiIndex.from_frame(named).isin(series)]
    succeeded = successors["successor_id"].isin(active["part_id"])
    ended = set(successors["part_id"]) - set(active["part_id"])
    parts = sorted(ended & {*successors.loc[~succeeded, "part_id"], *(ended - set(ordered["part_id"]))})
    problems = [f"part {row.part_id!r} in region {row.region!r}" for row in unknown.itertuples()]
    problems += [f"part {part!r}" for part in parts]
    excluded = recent.loc[recent["action"] == "exclude", SERIES].drop_duplicates().sort_values(SERIES)
    left = units.reindex(pd.MultiIndex.from_frame(excluded))
    zero = left.index[(left == 0) & ~left.index.isin(successors["part_id"], level=0)]
    empty = [f"part {part!r} in region {region!r}" for part, region in zero]
    waiting = sorted(set(successors["successor_id"]) - set(active["part_id"]))
    metadata = {
        "corrections": len(corrections),
        "successors": len(successors),
        "successors_not_ordered_yet": len(waiting),
        "unknown_series": len(problems),
        "series_without_orders": len(empty),
    }
    described = f"{count(len(corrections), 'correction')} and {count(len(successors), 'successor')}"
    if waiting:
        described += f"; not ordered yet: {listed([f'part {part!r}' for part in waiting], _MOST_NAMED)}"
    faults = [f"not among the active series: {listed(problems, _MOST_NAMED)}"] if problems else []
    if empty:
        faults.append(f"forecast as zero, as no order that counts is left: {listed(empty, _MOST_NAMED)}")
    return Finding(not faults, "; ".join(faults) or described, metadata)


def check_planning_files(unrecognised: Sequence[str]) -> Finding:
    """Check that every file of the planning folder is of a known kind, given the names of those that are not."""
    description = "; ".join(describe_unrecognised(unrecognised)) or "every planning file is of a known kind"
    return Finding(not unrecognised, description, {"unrecognised_files": len(unrecognised)})
