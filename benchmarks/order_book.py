"""Compare the accuracy of forecasts that know the order book with that of forecasts that do not.

Both sides forecast the demand of the same synthetic marketplace, in which most orders say when they are wanted, from
the same origins by the same code: one from weekly_demand and order_book, the other from weekly_demand alone.
"""

import argparse
from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from benchmarks import results
from devtools.feature_table import features
from forecasting_assets.demo import Marketplace
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.orders import order_lines
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.metrics import error_sums, metrics, naive_errors
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.panel import Panel, split_history
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.settings import CalendarSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks, weeks_of

HORIZON = 8
SETTINGS = ForecastingSettings()
COUNTRIES = CalendarSettings().holiday_countries
#: Weeks between two origins; the models are fitted again at each.
STEP = 4
#: How much lower the scaled pinball loss must be with the book.
GOAL = 0.10
MODELS = ("demand_forecast", "sarimax_model", "xgb_model")


def demand_and_book(market: Marketplace) -> pd.DataFrame:
    """Return weekly_demand and order_book (rows with a `due_week`) of a marketplace, up to its last week."""
    demand = expected_demand(market)
    lines = pd.concat([order_lines(demand, week) for week in range(market.weeks)], ignore_index=True)
    lines["week"] = weeks_of(lines["order_date"]).astype("datetime64[ns]")
    due = lines["due_date"].fillna(lines["order_date"])
    lines["wanted"] = np.maximum(weeks_of(due).astype("datetime64[ns]"), lines["week"])
    names = [*SERIES, "part_category"]
    wanted = lines.groupby([*names, "wanted"])[["quantity"]].sum().reset_index()
    tables = [wanted.rename(columns={"wanted": "week"})]
    for ahead in range(1, HORIZON + 1):
        booked_by = lines["wanted"] - pd.Timedelta(weeks=ahead)
        booked = lines[lines["week"] <= booked_by].assign(week=booked_by, due_week=lines["wanted"])
        tables.append(booked.groupby([*names, "week", "due_week"])[["quantity"]].sum().reset_index())
    history = pd.concat(tables, ignore_index=True)
    history = history[history["week"] <= pd.Timestamp(market.week_starts[-1])]
    return history.astype({"quantity": float, "week": "datetime64[ns]"})


def forecast(history: pd.DataFrame, table: pd.DataFrame, origins: Sequence[date]) -> dict[str, pd.DataFrame]:
    """Forecast from each origin, with the models fitted at it; demand_forecast weights both models equally."""
    totals, made = GroupTotals.from_history(history), []
    for origin in origins:
        known = history[history["week"] <= pd.Timestamp(origin)]
        model = xgb.fit(ModelData(table, known, totals), origin, ModelContext(HORIZON, SETTINGS, COUNTRIES))
        now = table[table["week"] == pd.Timestamp(origin)]
        made.append(
            (
                sarimax.predict(model.sarimax, known, totals, [origin], SETTINGS),
                xgb.predict(model, now, known, totals, SETTINGS),
            )
        )
    linear, trees = (pd.concat(tables, ignore_index=True) for tables in zip(*made, strict=True))
    key = [*SERIES, "origin_week", "target_week", "horizon"]
    both = pd.concat([linear, trees]).groupby(key, as_index=False).mean(numeric_only=True)
    return dict(zip(MODELS, (both, linear, trees), strict=True))


def losses(forecasts: pd.DataFrame, panel: Panel, origins: Sequence[date]) -> list[float]:
    """Return the scaled pinball loss over all horizons, then that of each horizon."""
    index, total = SeriesIndex(panel.series), 0.0
    for origin in origins:
        rows = forecasts[forecasts["origin_week"] == pd.Timestamp(origin)]
        now = panel.column(origin) + 1
        scale = naive_errors(panel.demand[:, :now].copy(), np.minimum(panel.first_order, now - 1))
        actual = panel.demand[:, now : now + HORIZON]
        total = total + error_sums(actual, index.forecast_array(rows, HORIZON), scale).sum(axis=0)
    all_sums = np.concatenate([np.sum(total, axis=0, keepdims=True), total])
    return [float(loss) for loss in metrics(all_sums)["scaled_pinball"]]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, default=60)
    parser.add_argument("--lines", type=int, default=900, help="order lines a week")
    parser.add_argument("--origins", type=int, default=6)
    options = parser.parse_args()
    weeks = 120 + STEP * options.origins + HORIZON
    market = Marketplace(weeks=weeks, parts=options.parts, lines_per_week=options.lines)
    history = demand_and_book(market)
    demand, _ = split_history(history)
    demand = demand.drop(columns="due_week")
    last = market.week_starts[-1]
    origins = [add_weeks(last, -HORIZON - STEP * n) for n in reversed(range(options.origins))]
    panel = Panel.from_history(demand, market.first_week, last)
    table = features(demand, HORIZON)
    sides = {"without the book": demand, "with the book": history}
    found = {
        (model, side): losses(forecasts, panel, origins)
        for side, known in sides.items()
        for model, forecasts in forecast(known, table, origins).items()
    }
    rows = [
        {"": f"{model} {side}", "all": loss[0]} | {f"h = {h}": loss[h] for h in range(1, HORIZON + 1)}
        for (model, side), loss in sorted(found.items(), key=lambda item: MODELS.index(item[0][0]))
    ]
    gain = 1 - found[MODELS[0], "with the book"][0] / found[MODELS[0], "without the book"][0]
    compared = (
        f"Scaled pinball loss by weeks ahead (h), with the order book and without, on the synthetic marketplace: "
        f"{len(panel.series):,} series, {options.origins} origins, models fitted at each. demand_forecast weights the "
        "two models equally here."
    )
    parts = [
        results.table(rows),
        f"- Loss of demand_forecast, lower with the book by: {results.against(gain, at_least=GOAL)}",
    ]
    print("\n\n".join([compared, *parts]))
    results.section("order_book", "Order book", compared, ["xgboost"], parts, "once")


if __name__ == "__main__":
    main()
