"""What planners say about past demand and about parts, from the planning files to notes of the history."""

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from forecasting_assets.forecasting.planner_notes import NOTE_COLUMNS, correction_notes
from forecasting_assets.forecasting.successions import succession_notes
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.pipeline import CORRECTIONS, SUCCESSIONS
from forecasting_assets.settings import Settings
from forecasting_assets.tables import SERIES, WEEKLY_DEMAND
from forecasting_assets.tables.frames import stack

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TEXTS = [*SERIES, "part_category", "note", "other_part_id"]
_DATES = ["week", "known", "until"]


def read_notes(settings: Settings, lake: Lake, weeks: list[date]) -> pd.DataFrame:
    """Read the notes that forecasts from the last of `weeks` may use.

    Parameters
    ----------
    settings, lake
        Settings of the home, and its tables.
    weeks
        Weeks of the demand that the forecasts are made from, sorted; there may be none.

    Returns
    -------
    DataFrame
        `planner_notes.NOTE_COLUMNS`; empty if planners have said nothing.

    Raises
    ------
    PlanningFileError
        If a planning file cannot be used.
    """
    if not weeks:  # a model that is fitted before the first week of history
        return pd.DataFrame(columns=NOTE_COLUMNS)
    folder = PlanningFolder.of(settings)
    corrections, successors = (folder.used_by(weeks[-1], of) for of in (CORRECTIONS, SUCCESSIONS))
    corrected = correction_notes(corrections)
    notes = [corrected]
    if len(successors):
        named = pd.concat([successors["part_id"], successors["successor_id"]]).unique()
        columns = [*SERIES, "part_category", "quantity"]
        demand = [rows[rows["part_id"].isin(named)] for rows in lake.batches(WEEKLY_DEMAND, weeks, columns)]
        notes.append(succession_notes(pd.concat(demand, ignore_index=True), successors, corrected))
    return stack(notes)


def on_spark(session: "SparkSession", notes: pd.DataFrame) -> "DataFrame":
    """Return notes as a table of Spark."""
    types = dict.fromkeys(_TEXTS, "STRING") | dict.fromkeys(_DATES, "DATE")
    schema = ", ".join(f"`{name}` {types.get(name, 'DOUBLE')}" for name in NOTE_COLUMNS)
    days = {name: pd.to_datetime(notes[name]).dt.date for name in _DATES}
    cells = notes.assign(**days).astype(object)
    rows = [
        [None if missing else value for value, missing in zip(row, empty, strict=True)]
        for row, empty in zip(cells.to_numpy(), cells.isna().to_numpy(), strict=True)
    ]
    return session.createDataFrame(rows, schema)
