"""Known covariates: from the planning files into the lake."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.pipeline import build_pipeline
from forecasting_assets.planning.covariates import covariate_rows
from forecasting_assets.settings import Settings
from forecasting_assets.tables import KNOWN_COVARIATES
from forecasting_assets.workflows.week_result import WeekResult, WeekResults


def write_covariates(settings: Settings, lake: Lake, weeks: Sequence[date]) -> WeekResults:
    """Write what became known of covariates in each of `weeks`.

    Raises
    ------
    PlanningFileError
        If a planning file cannot be used.
    """
    folder = PlanningFolder.of(settings)
    first = pd.Timestamp(settings.calendar.first_week)
    (rows_of,) = build_pipeline(settings)[KNOWN_COVARIATES.name].planning
    for week in weeks:
        rows = covariate_rows(folder.used_by(week, rows_of))
        # What is about weeks before the first becomes known in the first, and no forecast could ever use it.
        rows = rows[rows["target_week"] >= first]
        # Forecasts of a week that has closed could not have used what was published after it.
        in_time = rows["target_week"] >= pd.Timestamp(week)
        written = lake.write_pandas(rows[in_time], KNOWN_COVARIATES, week)
        metadata = {
            "covariates": ", ".join(sorted(rows["covariate"].unique())),
            "values_published_late": int((~in_time).sum()),
        }
        yield week, WeekResult(written, metadata)
