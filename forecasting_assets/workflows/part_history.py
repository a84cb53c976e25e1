"""The history of some parts, as their forecasts are made from it by one process."""

from datetime import date
from itertools import chain

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import ORDER_BOOK, SERIES, WEEKLY_DEMAND
from forecasting_assets.workflows.model_cache import history_weeks, known_covariates
from forecasting_assets.workflows.order_book import books_with_rows
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
    weeks, columns = history_weeks(settings, fitted_at, week), [*SERIES, "part_category", "quantity"]
    notes = read_notes(settings, lake, weeks)
    batches = [lake.batches(WEEKLY_DEMAND, weeks, columns)]
    if booked := list(books_with_rows(lake, weeks)):
        batches.append(lake.batches(ORDER_BOOK, booked, [*columns, "due_week"]))
    history, totals = [notes[notes["part_id"].isin(parts)]] if len(notes) else [], []
    for rows in chain(*batches):
        totals.append(GroupTotals.from_history(pd.concat([rows, notes]) if len(notes) else rows))
        history.append(rows[rows["part_id"].isin(parts)])
    history += [
        rows[rows["part_id"].isin(parts) | rows["part_id"].isna()]
        for rows in known_covariates(settings, lake, fitted_at, week)
    ]
    return pd.concat(history, ignore_index=True), GroupTotals.joined(totals)
