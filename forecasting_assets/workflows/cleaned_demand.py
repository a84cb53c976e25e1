"""What models leave out of demand, and forecasts of markets made from the rest, from the lake into the lake.

Both tables stand beside that of SARIMAX, which defines what is left out and forecasts the markets.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import chain

import pandas as pd

from forecasting_assets.forecasting.cleaned_points import cleaned_points
from forecasting_assets.forecasting.cleaning import CategoryLimits
from forecasting_assets.forecasting.market_demand import add_up, market_demand
from forecasting_assets.forecasting.market_forecast import forecast_markets
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.part_sample import part_group
from forecasting_assets.forecasting.planner_notes import by_knowledge
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import Settings
from forecasting_assets.tables import CLEANED_POINTS, MARKET_FORECAST, ORDER_BOOK, SERIES, WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks
from forecasting_assets.workflows.model_cache import history_weeks, model_context
from forecasting_assets.workflows.order_book import books_with_rows
from forecasting_assets.workflows.planner_notes import read_notes

#: Rows of demand that are in memory at once.
_ROWS_AT_ONCE = 2_000_000
_COLUMNS = [*SERIES, "part_category", "quantity"]


def write_cleaned_demand(
    settings: Settings, lake: Lake, groups: Mapping[date, Sequence[date]]
) -> dict[date, dict[str, int]]:
    """Write what the models of some weeks leave out, and the forecasts of markets.

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
    counts, context = {}, model_context(settings)
    for fitted_at, weeks in groups.items():
        for origins, points, demand in _cleaned(settings, lake, fitted_at, sorted(weeks)):
            markets = forecast_markets(demand, fitted_at, origins, context)
            for week in origins:
                at = pd.Timestamp(week)
                known = points[points["demand_week"] <= at]
                lake.write_pandas(known, CLEANED_POINTS, week)
                lake.write_pandas(markets[markets["origin_week"] == at], MARKET_FORECAST, week)
                found = known["reason"].value_counts()
                reasons = CLEANED_POINTS.columns[-1].values
                counts[week] = {f"left_out/{reason}": int(found.get(reason, 0)) for reason in reasons}
    return counts


def _cleaned(
    settings: Settings, lake: Lake, fitted_at: date, weeks: list[date]
) -> Iterator[tuple[list[date], pd.DataFrame, pd.DataFrame]]:
    """Clean the demand that models fitted at a week use, a few parts at a time.

    Yields
    ------
    tuple
        Some of `weeks` that know the same notes of planners, what is left out of demand up to them, and the demand of
        markets.
    """
    history = history_weeks(settings, fitted_at, weeks[-1])
    knowledge = list(by_knowledge(read_notes(settings, lake, history), weeks))
    first = add_weeks(fitted_at, 1 - settings.forecasting.history_weeks)
    horizon, limits = settings.calendar.horizon_weeks, _limits(lake, history, first, fitted_at)
    points: list[list[pd.DataFrame]] = [[] for _ in knowledge]
    markets: list[list[pd.DataFrame]] = [[] for _ in knowledge]
    for demand, group, groups in _some_parts(lake, history):
        newest = _newest_categories(demand, fitted_at)
        for number, (origins, notes) in enumerate(knowledge):
            known = pd.concat([demand, part_group(notes, group, groups)]) if len(notes) else demand
            panel = Panel.from_history(known, first, origins[-1], limits)
            column = panel.column(fitted_at)
            points[number].append(cleaned_points(panel, column))
            category = panel.series[SERIES].merge(newest, how="left", on=SERIES)["part_category"]
            category = category.fillna(panel.series["part_category"])
            markets[number].append(market_demand(panel, category, column, horizon))
    for number, (origins, _) in enumerate(knowledge):
        yield origins, pd.concat(points[number], ignore_index=True), add_up(markets[number])


def _limits(lake: Lake, weeks: Sequence[date], first: date, fitted_at: date) -> CategoryLimits:
    """Return the limits of series by category that models fitted at a week use."""
    batches = lake.batches(WEEKLY_DEMAND, weeks, _COLUMNS)
    totals = [GroupTotals.from_history(rows) for rows in batches]
    return GroupTotals.joined(totals).limits(first, fitted_at)


def _some_parts(lake: Lake, weeks: Sequence[date]) -> Iterator[tuple[pd.DataFrame, int, int]]:
    """Read demand and order book of `weeks`, one group of parts after the other, with its number and that of groups."""
    booked = list(books_with_rows(lake, weeks))
    rows_in_all = lake.total_rows(WEEKLY_DEMAND, weeks) + lake.total_rows(ORDER_BOOK, booked)
    groups = 1 + rows_in_all // _ROWS_AT_ONCE
    for group in range(groups):
        batches = [lake.batches(WEEKLY_DEMAND, weeks, _COLUMNS)]
        if booked:
            batches.append(lake.batches(ORDER_BOOK, booked, [*_COLUMNS, "due_week"]))
        rows = [part_group(batch, group, groups) for batch in chain(*batches)]
        yield pd.concat(rows, ignore_index=True), group, groups


def _newest_categories(demand: pd.DataFrame, week: date) -> pd.DataFrame:
    """Return the category that each series was last ordered in up to a week: part_id, region, part_category."""
    known = demand[demand["week"] <= pd.Timestamp(week)]
    if "due_week" in known:
        known = known[known["due_week"].isna()]
    newest = known.sort_values("week", kind="stable").drop_duplicates(SERIES, keep="last")
    return newest[[*SERIES, "part_category"]]
