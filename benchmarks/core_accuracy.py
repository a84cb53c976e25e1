"""Accuracy of the forecasting core on every data set of the yardstick, in minutes: no Spark, Dagster or lake.

    make bench-core_accuracy EVALS=../shared/evals
    python -m benchmarks.core_accuracy --data smooth_weekly,frat --every 4

Both models are fitted and forecast at every origin that is scored, without and with the plan (prices and promotions
known ahead) where a data set has one. Weights and widths of the combination, which need earlier forecasts, are left to
`benchmarks.accuracy`; the plain average of both models stands in for it. The last row of each table has the best peer
of each metric in `peer_scores.csv` of the yardstick, among those without or with the plan.

With --classes the forecasts of each category and region, at which capacity is planned, are compared as well: the sum of
the means of its parts, with the sum of AutoETS of each part (bottom-up), and with SARIMAX fitted to the demand of
categories and regions (direct).
"""

import argparse
import os
import tempfile
import time
from datetime import date
from pathlib import Path

import pandas as pd

from benchmarks import peers, results
from benchmarks.accuracy import METRICS, as_lake_rows, value, write
from benchmarks.yardstick import Yardstick, report
from devtools.feature_table import features
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.forecast_arrays import VALUES
from forecasting_assets.forecasting.model import ModelData
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.planning.covariates import covariate_rows, first_known
from forecasting_assets.settings import CalendarSettings
from forecasting_assets.tables import SERIES

SETTINGS = ForecastingSettings()
COUNTRIES = CalendarSettings().holiday_countries
CELL = [*SERIES, "origin_week", "target_week", "horizon"]
PACKAGES = ["forecasting-assets", "statsforecast", "xgboost"]
#: Columns of `peer_scores.csv`.
PEER_COLUMNS = {
    "WAPE": "WAPE_q50",
    "MASE": "MASE_q50",
    "RMSE": "RMSE",
    "RMSSE": "RMSSE",
    "pinball": "scaled_pinball",
}


def with_categories(demand: pd.DataFrame, landing: Path) -> pd.DataFrame:
    """Add up landed order lines by series and week, with the category of each part."""
    names = ["part_id", "part_category"]
    files = [pd.read_csv(file, dtype=str, usecols=names) for file in sorted(landing.glob("*"))]
    categories = pd.concat(files).drop_duplicates("part_id").set_index("part_id")["part_category"]
    weekly = demand.groupby([*SERIES, "week"], as_index=False)["quantity"].sum()
    return weekly.assign(part_category=weekly["part_id"].map(categories))


def known_covariates(plan: pd.DataFrame, first: date, horizon: int) -> pd.DataFrame:
    """Return a plan as rows of the history, each known as many weeks ahead as forecasts are made."""
    always = pd.Series(pd.NaT, plan.index, dtype="datetime64[ns]")
    rows = covariate_rows(plan.assign(published=always, file="plan", row=range(len(plan))))
    rows = rows.rename(columns={"target_week": "week"})
    return rows.assign(known=first_known(rows, horizon, first))


def forecasts(yardstick: Yardstick, with_plan: bool) -> dict[str, list[pd.DataFrame]]:
    """Forecast every origin of a data set from what is landed by then."""
    tables: dict[str, list[pd.DataFrame]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-core-") as folder, tempfile.TemporaryDirectory() as plans:
        for origin in yardstick.origins:
            demand = with_categories(yardstick.land(origin, Path(folder)), Path(folder))
            history = demand
            if with_plan:
                plan = yardstick.land_plan(origin, Path(plans))
                known = known_covariates(plan, demand["week"].min().date(), yardstick.horizon)
                history = pd.concat([demand, known], ignore_index=True)
            totals = GroupTotals.from_history(history)
            model = sarimax.fit(history, totals, origin, yardstick.horizon, SETTINGS)
            linear = sarimax.predict(model, history, totals, [origin], SETTINGS)
            tables.setdefault("sarimax", []).append(linear)
            table = features(demand, yardstick.horizon)
            data = ModelData(table, history, totals)
            fitted = xgb.fit(data, origin, yardstick.horizon, SETTINGS, COUNTRIES)
            now = table[table["week"] == pd.Timestamp(origin)]
            trees = xgb.predict(fitted, now, history, totals, SETTINGS)
            both = pd.concat([linear, trees]).groupby(CELL, as_index=False)[VALUES].mean()
            tables.setdefault("xgb", []).append(trees)
            tables.setdefault("average", []).append(both)
    return tables


def of_classes(demand: pd.DataFrame) -> pd.DataFrame:
    """Add up demand by category, region and week, each pair as a part of its own."""
    keys = ["part_category", "region", "week"]
    summed = demand.groupby(keys, as_index=False)["quantity"].sum()
    return summed.assign(part_id=summed["part_category"])


def class_scores(yardstick: Yardstick, tables: dict[str, list[pd.DataFrame]]) -> list[dict[str, str]]:
    """Return WAPE and bias of the forecasts of each category and region, by the mean."""
    errors: dict[str, list[pd.DataFrame]] = {}
    cell = ["part_category", "region", "target_week"]
    with tempfile.TemporaryDirectory(prefix="bench-core-") as folder:
        for i, origin in enumerate(yardstick.origins):
            at = pd.Timestamp(origin)
            demand = with_categories(yardstick.land(origin, Path(folder)), Path(folder))
            truth = yardstick.truth[yardstick.truth["origin_week"] == at]
            demand = demand.merge(truth[SERIES].drop_duplicates(), on=SERIES)
            category = demand.drop_duplicates("part_id").set_index("part_id")["part_category"]
            actual = truth.assign(part_category=truth["part_id"].map(category)).groupby(cell)["actual"].sum()

            classes, horizon = of_classes(demand), yardstick.horizon
            totals = GroupTotals.from_history(classes)
            model = sarimax.fit(classes, totals, origin, horizon, SETTINGS)
            direct = sarimax.predict(model, classes, totals, [origin], SETTINGS)
            history = peers.history(demand, demand["week"].min().date(), origin)
            bottom_up = as_lake_rows(peers.peer("AutoETS", 1)(history, horizon), history, origin)
            made = {name: of_model[i] for name, of_model in tables.items()}
            made |= {"SARIMAX of classes": direct, "AutoETS bottom-up": bottom_up}
            for name, table in made.items():
                of = table["part_id"] if name == "SARIMAX of classes" else table["part_id"].map(category)
                summed = table.assign(part_category=of).groupby(cell)["mean"].sum()
                both = pd.DataFrame({"actual": actual, "mean": summed}).loc[actual.index].fillna(0.0)
                errors.setdefault(name, []).append(both)
    rows = []
    for name, cells in errors.items():
        both = pd.concat(cells)
        error, units = both["mean"] - both["actual"], both["actual"].sum()
        wape, bias = 100 * error.abs().sum() / units, 100 * error.sum() / units
        rows.append({f"{yardstick.name}: classes": name, "WAPE": f"{wape:.4g}", "bias %": f"{bias:.4g}"})
    return rows


def best_peers(yardstick: Yardstick, with_plan: bool) -> dict[str, str]:
    """Return the best figure of any listed peer in each metric; empty if none is listed for all series."""
    peers_of_all = pd.read_csv(yardstick.folder / "peer_scores.csv")
    of_set = peers_of_all[(peers_of_all["dataset"] == yardstick.name) & (peers_of_all["peer"] != "Zero")]
    of_set = of_set[of_set["peer"].str.endswith("_plan") == with_plan].set_index("peer")
    if of_set.empty or yardstick.every > 1:
        return {}
    best = {metric: of_set[column].astype(float) for metric, column in PEER_COLUMNS.items()}
    return {metric: f"{of.min():,.4g} ({of.idxmin()})" for metric, of in best.items() if of.notna().any()}


def scored(yardstick: Yardstick, tables: dict[str, list[pd.DataFrame]], with_plan: bool) -> str:
    """Return a table of the scores of all models, with the best peers."""
    label, rows = f"{yardstick.name}{' with its plan' if with_plan else ''}", []
    for model, made in tables.items():
        with tempfile.TemporaryDirectory(prefix="bench-core-") as lake:
            for origin, table in zip(yardstick.origins, made, strict=True):
                write(table, Path(lake), model, origin)
            scores = yardstick.scores(Path(lake), model)
        rows.append({label: model} | {metric: f"{value(scores, metric):,.4g}" for metric in METRICS})
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
    parser.add_argument("--classes", action="store_true", help="forecasts of categories and regions as well")
    options = parser.parse_args()
    evals = options.evals.absolute()
    names = options.data.split(",") if options.data else None
    parts = []
    for name in names or sorted(file.parent.name for file in evals.glob("data/*/meta.json")):
        yardstick = Yardstick(evals, name, options.every)
        for with_plan in [False, True] if yardstick.has_plan else [False]:
            begin = time.process_time()
            tables = forecasts(yardstick, with_plan)
            seconds = f"{time.process_time() - begin:.0f} seconds of processor time."
            made = [scored(yardstick, tables, with_plan), seconds]
            if options.classes and not with_plan:
                made.append(results.table(class_scores(yardstick, tables)))
            report("\n\n".join(made))
            parts += made
    if not names and options.every == 1:
        results.section(
            "core_accuracy",
            "Accuracy of the models on all data sets",
            "SARIMAX, XGBoost and their plain average, fitted at every origin of each data set of the yardstick, and "
            "the best peer of each metric. WAPE and bias in %; pinball is scaled.",
            PACKAGES,
            parts,
            "once, in one go",
        )


if __name__ == "__main__":
    main()
