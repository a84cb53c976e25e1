"""Forecasts of a week judged and combined, from the lake into the lake."""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting.backtest import Backtest, PastForecasts, rolling_backtest
from forecasting_assets.forecasting.combine import combine
from forecasting_assets.forecasting.registry import Sarimax, find_models
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.lake.reports import report_path, write_report
from forecasting_assets.pipeline import PAST_OVERRIDES
from forecasting_assets.reporting import backtest_html, charts, png
from forecasting_assets.reporting.forecast_page import FORECAST_PAGE
from forecasting_assets.reporting.formats import Money
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    BACKTEST_REPORT,
    CLEANED_POINTS,
    DEMAND_FORECAST,
    ERROR_CORRELATIONS,
    FORECAST_ERRORS,
    MARKET_FORECAST,
    ORDER_BOOK,
    PART_ERRORS,
    QUANTILES,
    SERIES,
    WEEKLY_DEMAND,
    WITHOUT_COVARIATES,
    Table,
    model_table,
)
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.week_result import WeekResult

_BOOK_COLUMNS = [*SERIES, "due_week", "quantity"]
_FORECAST_COLUMNS = [*SERIES, "origin_week", "horizon", "mean", *QUANTILES, WITHOUT_COVARIATES.name]
_LEFT_OUT_COLUMNS = [*SERIES, "demand_week", "usual", "reason"]
#: Weeks of demand in the picture beside the forecast.
_WEEKS_SHOWN = 52


def model_tables(settings: Settings) -> dict[str, Table]:
    """Return the table of the forecasts of each model, by its name in the backtest."""
    return {model.name: model_table(model.name) for model in find_models(settings.forecasting.models)}


def backtest_weeks(settings: Settings, lake: Lake, weeks: Sequence[date]) -> Mapping[date, Backtest]:
    """Judge earlier forecasts, as known at the end of each of `weeks`.

    Parameters
    ----------
    settings
        Settings of the home.
    lake
        Its tables.
    weeks
        The weeks, sorted.

    Returns
    -------
    Mapping
        Week -> what is known then.

    Raises
    ------
    PlanningFileError
        If forecast overrides cannot be used.
    """
    calendar, forecasting = settings.calendar, settings.forecasting
    window = 2 * forecasting.backtest_weeks
    first = max(add_weeks(weeks[0], 1 - window - forecasting.history_weeks), calendar.first_week)
    demand = lake.read_pandas(
        WEEKLY_DEMAND, weeks_between(first, weeks[-1]), [*SERIES, "part_category", "quantity"]
    )
    origins = weeks_between(add_weeks(weeks[0], -window), weeks[-1])
    tables = model_tables(settings)
    existing = {name: set(lake.existing(table, origins)) for name, table in tables.items()}
    features = feature_columns(calendar.horizon_weeks)
    overrides = PlanningFolder.of(settings).used_by(weeks[-1], PAST_OVERRIDES)

    def load_forecasts(model: str, origin: date) -> pd.DataFrame | None:
        if origin not in existing[model]:
            return None
        return lake.read_pandas(tables[model], [origin], _FORECAST_COLUMNS)

    def load_segments(origin: date) -> pd.DataFrame:
        return lake.read_pandas(features, [origin], [*SERIES, "segment", "part_category", "mean_52", "price"])

    def load_book(origin: date) -> pd.DataFrame:
        return lake.read_pandas(ORDER_BOOK, [origin], _BOOK_COLUMNS, missing_ok=True)

    def load_markets(origin: date) -> pd.DataFrame:
        return _beside_sarimax(lake, MARKET_FORECAST, tables, origin)

    def load_left_out(week: date) -> pd.DataFrame:
        return _beside_sarimax(lake, CLEANED_POINTS, tables, week, _LEFT_OUT_COLUMNS)

    past = PastForecasts(
        tuple(tables), load_forecasts, load_segments, load_book, load_markets, load_left_out, overrides
    )
    return rolling_backtest(weeks, past, demand, calendar.horizon_weeks, forecasting)


def write_backtest(settings: Settings, lake: Lake, week: date, backtest: Backtest) -> WeekResult:
    """Write the backtest of a week, as tables and as page."""
    report = backtest.report
    lake.write_pandas(backtest.correlations, ERROR_CORRELATIONS, week)
    lake.write_pandas(backtest.errors, FORECAST_ERRORS, week)
    lake.write_pandas(backtest.parts, PART_ERRORS, week)
    rows = lake.write_pandas(report, BACKTEST_REPORT, week)
    draw = {"error_by_horizon": charts.error_by_horizon, "error_by_segment": charts.error_by_segment}
    figures = {name: chart(report) for name, chart in draw.items()}
    narrow = [chart(report, narrow=True) for chart in draw.values()]
    money = Money(settings.reports.currency)
    page = backtest_html(week, backtest, money, list(figures.values()), narrow)
    path = write_report(settings.reports_path, week, "backtest.html", page)
    home = backtest.correlations.iloc[0]
    metadata = {name: float(home[name]) for name in ("part_correlation", "week_correlation")}
    return WeekResult(rows, metadata, {name: png(figure) for name, figure in figures.items()}, path)


def metrics_by_step(report: pd.DataFrame, model: str) -> dict[str, dict[int, float]]:
    """Return the metrics of a model as MLflow keeps them.

    Returns
    -------
    dict
        Name -> step -> value. `wape/smooth` and the like are over all horizons, with step 0; `wape_by_horizon` is over
        all series, with the horizon as step.
    """
    scores = report[(report["model"] == model) & (report["metric"] != "weight")]
    metrics: dict[str, dict[int, float]] = {}
    columns = (scores[name].tolist() for name in ("metric", "segment", "horizon", "value"))
    for metric, segment, horizon, value in zip(*columns, strict=True):
        if horizon == 0:
            metrics[f"{metric}/{segment}"] = {0: value}
        elif segment == "all":
            metrics.setdefault(f"{metric}_by_horizon", {})[horizon] = value
    return metrics


def _beside_sarimax(
    lake: Lake, table: Table, tables: Mapping[str, Table], week: date, columns: list[str] | None = None
) -> pd.DataFrame:
    """Read a table that is written with the forecasts of SARIMAX; no rows if it is not among the models."""
    weeks = [week] if Sarimax.name in tables else []
    return lake.read_pandas(table, weeks, columns, missing_ok=True)


def combine_week(settings: Settings, lake: Lake, week: date) -> WeekResult:
    """Combine the forecasts of a week and write the result."""
    features, tables = feature_columns(settings.calendar.horizon_weeks), model_tables(settings)
    forecast = combine(
        {name: lake.read_pandas(table, [week], _FORECAST_COLUMNS) for name, table in tables.items()},
        lake.read_pandas(features, [week], [*SERIES, "segment", "part_category"]),
        lake.read_pandas(BACKTEST_REPORT, [week]),
        lake.read_pandas(ORDER_BOOK, [week], _BOOK_COLUMNS),
        _beside_sarimax(lake, MARKET_FORECAST, tables, week),
    )
    rows = lake.write_pandas(forecast, DEMAND_FORECAST, week)
    since = max(add_weeks(week, 1 - _WEEKS_SHOWN), settings.calendar.first_week)
    history = lake.read_pandas(WEEKLY_DEMAND, weeks_between(since, week), [*SERIES, "quantity"])
    picture = png(charts.demand_and_forecast(history, forecast))
    # The demand plan of the week writes the page, as it shows bookings and overrides as well.
    page = report_path(settings.reports_path, week, FORECAST_PAGE)
    expected = {"expected_units": float(forecast["mean"].sum())}
    return WeekResult(rows, expected, {"demand_and_forecast": picture}, report=page)
