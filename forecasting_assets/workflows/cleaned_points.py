"""Weeks of demand that the models leave out, from the lake into the lake."""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from forecasting_assets.forecasting.cleaned_points import cleaned_points
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.planner_notes import by_knowledge
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import CLEANED_POINTS, SERIES, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows.model_cache import history_weeks
from forecasting_assets.workflows.planner_notes import read_notes

#: Rows of demand that are in memory at once.
_ROWS_AT_ONCE = 2_000_000


def write_cleaned_points(
    settings: Settings, lake: Lake, groups: Mapping[date, Sequence[date]]
) -> dict[date, dict[str, int]]:
    """Write what the models of some weeks leave out.

    Parameters
    ----------
    settings, lake
        Settings of the home, and its tables.
    groups
        Refit week -> the weeks that are forecast with its models.

    Returns
    -------
    dict
        Week -> left_out/<reason> -> number of weeks of demand that are left out.
    """
    counts = {}
    for fitted_at, weeks in groups.items():
        for week, points in _points(settings, lake, fitted_at, sorted(weeks)).items():
            lake.write_pandas(points, CLEANED_POINTS, week)
            found = points["reason"].value_counts()
            reasons = CLEANED_POINTS.columns[-1].values
            counts[week] = {f"left_out/{reason}": int(found.get(reason, 0)) for reason in reasons}
    return counts


def _points(settings: Settings, lake: Lake, fitted_at: date, weeks: list[date]) -> dict[date, pd.DataFrame]:
    """Find what the models fitted at a week leave out of the weeks up to each of `weeks`, a few parts at a time."""
    history = history_weeks(settings, fitted_at, weeks[-1])
    notes = read_notes(settings, lake, history)
    groups = 1 + lake.total_rows(WEEKLY_DEMAND, history) // _ROWS_AT_ONCE
    first = add_weeks(fitted_at, 1 - settings.forecasting.history_weeks)
    points: dict[date, list[pd.DataFrame]] = {week: [] for week in weeks}
    for group in range(groups):
        batches = lake.batches(WEEKLY_DEMAND, history, [*SERIES, "part_category", "quantity"])
        demand = pd.concat([_of_group(rows, group, groups) for rows in batches], ignore_index=True)
        if len(notes):
            demand = pd.concat([demand, _of_group(notes, group, groups)], ignore_index=True)
        for origins, known in by_knowledge(demand, weeks):
            panel = Panel.from_history(known, first, origins[-1])
            found = cleaned_points(panel, panel.column(fitted_at))
            for week in origins:
                points[week].append(found[found["demand_week"] <= pd.Timestamp(week)])
    return {week: pd.concat(parts, ignore_index=True) for week, parts in points.items()}


def _of_group(rows: pd.DataFrame, group: int, groups: int) -> pd.DataFrame:
    """Return the rows of one of `groups` groups of parts."""
    if groups == 1:
        return rows
    chosen: pd.DataFrame = rows[pd.util.hash_array(rows["part_id"].to_numpy(object)) % groups == group]
    return chosen
