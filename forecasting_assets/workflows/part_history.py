"""The history of some parts, as their forecasts are made from it by one process."""

from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.workflows.model_cache import demand_with_totals, history_weeks, known_covariates
from forecasting_assets.workflows.planner_notes import read_notes


def part_history(
    settings: Settings, lake: Lake, fitted_at: date, week: date, parts: np.ndarray
) -> tuple[pd.DataFrame, GroupTotals]:
    """Read what forecasts of `parts` from `week` are made from, with models fitted at `fitted_at`.

    Parameters
    ----------
    settings, lake
        Settings of the home, and its tables.
    fitted_at, week
        The week of the fit, and the origin.
    parts
        The parts; all their regions are read, as models learn from them together.

    Returns
    -------
    tuple
        Demand, bookings, known covariates and notes of the parts, as for `sarimax.predict`; and the totals of all.
    """
    weeks = history_weeks(settings, fitted_at, week)
    notes = read_notes(settings, lake, weeks)
    history, totals = [notes[notes["part_id"].isin(parts)]] if len(notes) else [], []
    for rows, of_rows in demand_with_totals(lake, weeks, notes):
        totals.append(of_rows)
        history.append(rows[rows["part_id"].isin(parts)])
    history += [
        rows[rows["part_id"].isin(parts) | rows["part_id"].isna()]
        for rows in known_covariates(settings, lake, fitted_at, week)
    ]
    return pd.concat(history, ignore_index=True), GroupTotals.joined(totals)
