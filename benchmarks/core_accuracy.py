"""Accuracy of the forecasting core on every data set of the yardstick, in minutes: no Spark, Dagster or lake.

    make bench-core_accuracy EVALS=../shared/evals
    python -m benchmarks.core_accuracy --data smooth_weekly,frat --every 4

Both models are fitted and forecast at every origin that is scored, without and with the plan (prices and promotions
known ahead) where a data set has one. Weights and widths of the combination, which need earlier forecasts, are left to
`benchmarks.accuracy`; the plain average of both models stands in for it. The last row of each table has the best peer
of each metric in `peer_scores.csv` of the yardstick, among those without or with the plan.

The plain average is also reconciled with forecasts of each market, a category in a region. With --markets the sums of
the means of each market are compared as well, with those of AutoETS and with the forecasts of the markets.
"""

import argparse
import os
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import peers, results
from benchmarks.accuracy import as_lake_rows, write
from benchmarks.markets import market_table, own_forecasts, with_markets
from benchmarks.scores import best_peers, figures
from benchmarks.yardstick import Yardstick, data_sets, report
from devtools.feature_table import features
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.combine import plain_average
from forecasting_assets.forecasting.forecast_arrays import VALUES
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.planning.covariates import covariate_rows, first_known
from forecasting_assets.settings import CalendarSettings
from forecasting_assets.tables import SERIES

SETTINGS = ForecastingSettings()
COUNTRIES = CalendarSettings().holiday_countries
CELL = [*SERIES, "origin_week", "target_week", "horizon"]
PACKAGES = ["forecasting-assets", "statsforecast", "xgboost"]


def known_covariates(plan: pd.DataFrame, first: date, horizon: int) -> pd.DataFrame:
    """Return a plan as rows of the history, each known as many weeks ahead as forecasts are made."""
    always = pd.Series(pd.NaT, plan.index, dtype="datetime64[ns]")
    rows = covariate_rows(plan.assign(published=always, file="plan", row=range(len(plan))))
    rows = rows.rename(columns={"target_week": "week"})
    return rows.assign(known=first_known(rows, horizon, first))


def forecasts(
    yardstick: Yardstick, with_plan: bool
) -> tuple[dict[str, list[pd.DataFrame]], list[pd.DataFrame]]:
    """Forecast every origin of a data set from what is landed by then.

    Returns
    -------
    tuple
        Model, or average of the models, to a forecast table of each origin; and MARKET_FORECAST of each origin.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    of_markets, context = [], ModelContext(yardstick.horizon, SETTINGS, COUNTRIES)
    with tempfile.TemporaryDirectory(prefix="bench-core-") as folder, tempfile.TemporaryDirectory() as plans:
        for origin in yardstick.origins:
            demand = yardstick.land(origin, Path(folder))
            history = demand
            if with_plan:
                plan = yardstick.land_plan(origin, Path(plans))
                known = known_covariates(plan, demand["week"].min().date(), yardstick.horizon)
                history = pd.concat([demand, known], ignore_index=True)
            of_models = forecasts_of_models(demand, history, origin, context)
            markets = own_forecasts(demand, origin, yardstick.horizon, COUNTRIES)
            linear, average = of_models["sarimax"], of_models["average"]
            planned = linear[linear["without_covariates"].notna()]
            reconciled = with_markets(average, markets, category_of_parts(demand), planned)
            for name, table in (of_models | {"reconciled": reconciled}).items():
                tables.setdefault(name, []).append(table)
            of_markets.append(markets)
    return tables, of_markets


def forecasts_of_models(
    demand: pd.DataFrame, history: pd.DataFrame, origin: date, context: ModelContext
) -> dict[str, pd.DataFrame]:
    """Fit both models at an origin; return the forecast table of each and that of their plain average.

    `history` is `demand` with what else is known, such as the plan of prices and promotions.
    """
    totals = GroupTotals.from_history(history)
    model = sarimax.fit(history, totals, origin, context)
    linear = sarimax.predict(model, history, totals, [origin], context.settings)
    table = features(demand, context.horizon)
    fitted = xgb.fit(ModelData(table, history, totals), origin, context)
    now = table[table["week"] == pd.Timestamp(origin)]
    trees = xgb.predict(fitted, now, history, totals, context.settings)
    return {"sarimax": linear, "xgb": trees, "average": averaged([linear, trees])}


def category_of_parts(demand: pd.DataFrame) -> pd.Series:
    """Return the category of each part, by part_id."""
    return demand.drop_duplicates("part_id").set_index("part_id")["part_category"]


def averaged(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the plain average of forecast tables."""
    cells = pd.MultiIndex.from_frame(pd.concat(tables)[CELL].drop_duplicates())
    forecasts = np.stack([table.set_index(CELL)[VALUES].reindex(cells) for table in tables])
    return pd.DataFrame(plain_average(forecasts), cells, VALUES).reset_index()


def market_scores(
    yardstick: Yardstick, tables: dict[str, list[pd.DataFrame]], of_markets: list[pd.DataFrame]
) -> str:
    """Return a table of WAPE and bias of what `forecasts` returns, added up by market, by the mean."""
    bottom_up = []
    with tempfile.TemporaryDirectory(prefix="bench-core-") as folder:
        for origin in yardstick.origins:
            demand = yardstick.land(origin, Path(folder))
            scored_demand = yardstick.scored_series(demand, origin)
            history = peers.history(scored_demand, demand["week"].min().date(), origin)
            forecast = peers.peer("AutoETS", 1)(history, yardstick.horizon)
            bottom_up.append(as_lake_rows(forecast, history, origin))
    category = category_of_parts(demand)
    compared = {
        name: pd.concat(made).assign(part_category=lambda table: table["part_id"].map(category))
        for name, made in (tables | {"AutoETS bottom-up": bottom_up}).items()
    }
    # With a short history there are no forecasts of markets.
    if not any(table.empty for table in of_markets):
        compared["market_forecast"] = pd.concat(of_markets)
    truth = yardstick.truth.assign(part_category=yardstick.truth["part_id"].map(category))
    return market_table(truth, compared, f"{yardstick.name}: categories and regions")


def scored(yardstick: Yardstick, tables: dict[str, list[pd.DataFrame]], with_plan: bool) -> str:
    """Return a table of the scores of all models, with the best peers."""
    label, rows = f"{yardstick.name}{' with its plan' if with_plan else ''}", []
    for model, made in tables.items():
        with tempfile.TemporaryDirectory(prefix="bench-core-") as lake:
            for origin, table in zip(yardstick.origins, made, strict=True):
                write(table, Path(lake), model, origin)
            scores = yardstick.scores(Path(lake), model)
        rows.append({label: model} | figures(scores))
    if best := best_peers(yardstick, with_plan):
        rows.append({label: "best peer"} | best)
    return results.table(rows)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--evals", type=Path, default=os.environ.get("EVALS") or "../shared/evals")
    parser.add_argument("--data", help="data sets, with commas between them; all by default")
    parser.add_argument("--every", type=int, default=1, help="one series in N")
    parser.add_argument("--markets", action="store_true", help="forecasts of categories and regions as well")
    options = parser.parse_args()
    evals = options.evals.absolute()
    names = options.data.split(",") if options.data else None
    parts = []
    for name in names or data_sets(evals):
        yardstick = Yardstick(evals, name, options.every)
        for with_plan in [False, True] if yardstick.has_plan else [False]:
            begin = time.process_time()
            tables, of_markets = forecasts(yardstick, with_plan)
            seconds = f"{time.process_time() - begin:.0f} seconds of processor time."
            made = [scored(yardstick, tables, with_plan), seconds]
            if options.markets and not with_plan:
                made.append(market_scores(yardstick, tables, of_markets))
            report("\n\n".join(made))
            parts += made
    if not names and options.every == 1:
        results.section(
            "core_accuracy",
            "Accuracy of the models on all data sets",
            "SARIMAX, XGBoost, their plain average and this reconciled with forecasts of markets, fitted at every "
            "origin of each data set of the yardstick, and the best peer of each metric. WAPE and bias in %; pinball "
            "is scaled.",
            PACKAGES,
            parts,
            "once, in one go",
        )


if __name__ == "__main__":
    main()
