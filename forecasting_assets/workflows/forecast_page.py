"""The page about the forecasts of a week, from the lake and MLflow into the folder of reports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches

import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting import xgb
from forecasting_assets.forecasting.drivers import forecast_drivers
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.reports import unique_name, write_report
from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.forecast_page import (
    FORECAST_PAGE,
    ForecastPage,
    forecast_html,
    series_on_page,
)
from forecasting_assets.reporting.outlook import EARLIER_ORIGINS, HISTORY_WEEKS, ForecastTables
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    CLEANED_POINTS,
    DEMAND_FORECAST,
    DEMAND_PLAN,
    FORECAST_ERRORS,
    PART_ERRORS,
    QUANTILES,
    SERIES,
    WEEKLY_DEMAND,
    XGB_MODEL,
)
from forecasting_assets.tracking.week_model import week_model_files
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.model_cache import MODEL_FOLDER
from forecasting_assets.workflows.part_history import part_history


class UnknownSeriesError(PicklableError, ValueError):
    """A part or region that has no forecast in a week.

    Attributes
    ----------
    part, region, week
        What was asked for.
    """

    def __init__(self, part: str, region: str | None, week: date, known: Sequence[str]) -> None:
        what = f"part {part!r}" + (f" in region {region!r}" if region else "")
        instead = f"; is it {' or '.join(known)}?" if known else ""
        super().__init__(f"{week}: there is no forecast of {what}{instead}")
        self.part, self.region, self.week = part, region, week


@dataclass(frozen=True)
class ShownPart:
    """The forecasts of a part, as `forecasting-assets show` prints them.

    Attributes
    ----------
    tables
        What is shown.
    path
        The page with the same numbers.
    """

    tables: ForecastTables
    path: str


def write_forecast_page(settings: Settings, lake: Lake, week: date) -> tuple[str, str]:
    """Write forecast.html of a week that has a demand plan.

    Returns
    -------
    tuple
        Path of the page, and why no forecast is explained by its drivers; empty if some are.
    """
    tables = _read(settings, lake, week, lambda rows: rows)
    chosen = series_on_page(tables.plan, tables.parts)
    tables = _explained(settings, lake, tables, chosen)
    page = ForecastPage(tables, chosen, Commands.of(settings.home))
    return write_report(settings.reports_path, week, FORECAST_PAGE, forecast_html(page)), tables.no_drivers


def show_part(
    settings: Settings, lake: Lake, part: str, region: str | None = None, week: date | None = None
) -> ShownPart:
    """Write a page about the forecasts of one part.

    Parameters
    ----------
    settings, lake
        Settings of the home, and its tables.
    part
        The part.
    region
        Region to show; all if None.
    week
        The origin; the newest week with a demand plan if None.

    Raises
    ------
    UnknownSeriesError
        If the week has no forecast of it.
    MissingWeeksError
        If the week has no demand plan.
    """
    week = week or max(lake.existing_weeks(DEMAND_PLAN), default=add_weeks(settings.calendar.first_week, 0))
    lake.require(DEMAND_PLAN, [week])

    def of_part(rows: pd.DataFrame) -> pd.DataFrame:
        of_region = rows["region"] == region if region else True
        return rows[(rows["part_id"] == part) & of_region]

    tables = _read(settings, lake, week, of_part)
    if tables.plan.empty:
        raise UnknownSeriesError(part, region, week, _similar(lake, week, part, region))
    chosen = tables.plan[SERIES].drop_duplicates(ignore_index=True)
    # Errors of groups are those of all series, which the page of a part does not show.
    tables = replace(_explained(settings, lake, tables, chosen), errors=tables.errors.iloc[:0])
    file = f"forecast-{unique_name(part if region is None else f'{part} {region}')}.html"
    page = forecast_html(ForecastPage(tables, chosen, Commands.of(settings.home), part), file)
    return ShownPart(tables, write_report(settings.reports_path, week, file, page))


def _similar(lake: Lake, week: date, part: str, region: str | None) -> list[str]:
    """Return names that may be meant: regions of the part, or parts with a similar name."""
    names = lake.read_pandas(DEMAND_PLAN, [week], SERIES)[SERIES].drop_duplicates()
    regions = names.loc[names["part_id"] == part, "region"].tolist()
    if region and regions:
        return [f"{part} in {name}" for name in regions]
    return get_close_matches(part, names["part_id"].unique().tolist(), 3)


def _read(
    settings: Settings, lake: Lake, week: date, of: Callable[[pd.DataFrame], pd.DataFrame]
) -> ForecastTables:
    """Read the tables of a week, of each the rows that `of` keeps; drivers are added later."""
    horizon, columns = settings.calendar.horizon_weeks, [*SERIES, "part_category", "quantity"]
    before = weeks_between(add_weeks(week, 1 - HISTORY_WEEKS), week)
    earlier = weeks_between(add_weeks(week, -EARLIER_ORIGINS), add_weeks(week, -1))
    means = [*SERIES, "origin_week", "horizon", "mean"]
    history = [
        of(rows) for rows in lake.batches(WEEKLY_DEMAND, lake.existing(WEEKLY_DEMAND, before), columns)
    ]
    forecasts = [
        of(rows) for rows in lake.batches(DEMAND_FORECAST, lake.existing(DEMAND_FORECAST, earlier), means)
    ]
    return ForecastTables(
        week,
        horizon,
        pd.concat(history, ignore_index=True),
        of(lake.read_pandas(DEMAND_FORECAST, [week], [*SERIES, "horizon", "mean", *QUANTILES])),
        of(lake.read_pandas(DEMAND_PLAN, [week])),
        pd.concat(forecasts, ignore_index=True),
        of(lake.read_pandas(PART_ERRORS, [week], missing_ok=True)),
        lake.read_pandas(FORECAST_ERRORS, [week], missing_ok=True),
        left_out=of(lake.read_pandas(CLEANED_POINTS, [week], missing_ok=True)),
    )


def _explained(
    settings: Settings, lake: Lake, tables: ForecastTables, chosen: pd.DataFrame
) -> ForecastTables:
    """Return the tables with the drivers of the `chosen` series, or with the reason why there are none."""
    week, tracking = tables.week, (settings.tracking_uri, settings.artifacts_uri)
    try:
        with week_model_files(*tracking, XGB_MODEL.name, week) as folder:
            if folder is None:
                return replace(tables, no_drivers="MLflow has no XGBoost model of this week.")
            model = xgb.load(folder / MODEL_FOLDER)
    # Any failure to read MLflow's files: the page is complete without drivers.
    except Exception as error:
        reason = f"the XGBoost model of this week cannot be read from MLflow ({error})."
        return replace(tables, no_drivers=reason)
    return replace(tables, drivers=_drivers(settings, lake, week, model, chosen))


def _drivers(
    settings: Settings, lake: Lake, week: date, model: xgb.XgbModel, chosen: pd.DataFrame
) -> pd.DataFrame:
    """Explain the forecasts of the `chosen` series by `model`."""
    features = lake.read_pandas(feature_columns(settings.calendar.horizon_weeks), [week]).merge(
        chosen, on=SERIES
    )
    history, totals = part_history(settings, lake, model.week, week, chosen["part_id"].unique())
    return forecast_drivers(model, features, history, totals, settings.forecasting)
