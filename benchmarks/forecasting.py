"""Compare the speed of the two models with AutoARIMA of statsforecast and XGBoost of mlforecast, on the demo's data.

SARIMAX: seconds of fits and forecasts of all series over a range of weeks, refits included, per series and week;
compared with AutoARIMA(season_length=1) with intervals, which is fitted to each series in each week, on a sample of
them. XGBoost: a fit and the forecasts of one week, including the SARIMAX that it builds on; compared with one
recursive XGBoost of mlforecast with the settings of `peers.py` on the same series. Its seconds are reported with
conformal intervals, without intervals and, as ours read the feature table, without computing its features. All use one
thread; seconds are CPU seconds. Runs are interleaved, and medians of seconds and of ratios are reported, as the speed
of the machine varies.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import date

import pandas as pd

from benchmarks import peers, results
from devtools.feature_table import features as feature_table
from forecasting_assets.demo import Marketplace, generate
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.part_sample import sample_parts
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.settings import CalendarSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import refit_week, weeks_of

HORIZON = 8
ORIGINS = 26
#: AutoARIMA forecasts every 20th series at every 13th origin.
ARIMA_SERIES_STEP, ARIMA_ORIGIN_STEP = 20, 13
SETTINGS = ForecastingSettings()
COUNTRIES = CalendarSettings().holiday_countries
PACKAGES = ["forecasting-assets", "statsforecast", "mlforecast", "xgboost"]


def weekly_demand(market: Marketplace) -> pd.DataFrame:
    """Return part_id, part_category, region, week and quantity of the marketplace's clean orders."""
    lines = generate(market).truth
    week = weeks_of(lines["order_date"]).astype("datetime64[ns]")
    return (
        lines.assign(week=week)
        .groupby([*SERIES, "week"], as_index=False)
        .agg(part_category=("part_category", "first"), quantity=("quantity", "sum"))
    )


def run_sarimax(demand: pd.DataFrame, totals: GroupTotals, origins: list[date]) -> int:
    """Fit at every refit week of `origins` and forecast at all of them; return the number of forecasts."""
    origins_by_refit: dict[date, list[date]] = {}
    for origin in origins:
        origins_by_refit.setdefault(refit_week(origin, SETTINGS.refit_weeks), []).append(origin)
    rows = 0
    for week, refit_origins in origins_by_refit.items():
        sample = sample_parts(demand[demand["week"] <= pd.Timestamp(week)], SETTINGS.fit_series)
        model = sarimax.fit(sample, totals, week, ModelContext(HORIZON, SETTINGS, COUNTRIES))
        rows += len(sarimax.predict(model, demand, totals, refit_origins, SETTINGS))
    return rows // HORIZON


def run_arima(histories: list[pd.DataFrame]) -> int:
    """Forecast with AutoARIMA; return the number of forecasts."""
    return sum(len(peers.peer("AutoARIMA", 1)(history, HORIZON)) for history in histories) // HORIZON


def run_xgb(features: pd.DataFrame, demand: pd.DataFrame, totals: GroupTotals, week: date) -> int:
    """Fit XGBoost and forecast one week; return the number of forecasts."""
    model = xgb.fit(ModelData(features, demand, totals), week, ModelContext(HORIZON, SETTINGS, COUNTRIES))
    rows = features[features["week"] == pd.Timestamp(week)]
    return len(xgb.predict(model, rows, demand, totals, SETTINGS)) // HORIZON


def seconds(run: Callable[[], int]) -> tuple[float, int]:
    """Return CPU seconds, which other processes do not affect, and the number of forecasts."""
    begin = time.process_time()
    count = run()
    return time.process_time() - begin, count


def without_features(history: pd.DataFrame) -> tuple[float, int]:
    """Measure fit and recursive forecast of mlforecast with its training features computed before."""
    forecaster = peers.mlforecast({"XGBoost": peers.regressor("XGBoost", 1)})
    x, y = forecaster.preprocess(history, static_features=peers.STATIC, dropna=False, return_X_y=True)

    def run() -> int:
        forecaster.fit_models(x, y)
        return len(forecaster.predict(h=HORIZON)) // HORIZON

    return seconds(run)


def compare(
    title: str, runs: dict[str, Callable[[], tuple[float, int]]], repeats: int
) -> tuple[str, dict[str, float]]:
    """Run all in turn, several times.

    Returns
    -------
    str
        Table of the results.
    dict
        CPU time per forecast of each, relative to the first.
    """
    outcomes: dict[str, list[tuple[float, int]]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            outcomes[name].append(run())
    base = [took / count for took, count in outcomes[next(iter(runs))]]
    rows, ratios = [], {}
    for name, repetitions in outcomes.items():
        each = [took / count for took, count in repetitions]
        ratios[name] = statistics.median(e / b for e, b in zip(each, base, strict=True))
        rows.append(
            {
                title: name,
                "forecasts": repetitions[0][1],
                "CPU s": statistics.median(took for took, _ in repetitions),
                "ms each": 1000 * statistics.median(each),
                "times ours": ratios[name],
            }
        )
    table = results.table(rows)
    print(f"\n{table}", flush=True)
    return table, ratios


def compare_sarimax(
    market: Marketplace, demand: pd.DataFrame, totals: GroupTotals, repeats: int
) -> tuple[str, float]:
    """Return the table, and the time of AutoARIMA relative to SARIMAX."""
    origins = market.week_starts[-ORIGINS:]
    histories = []
    for origin in origins[::ARIMA_ORIGIN_STEP]:
        history = peers.history(demand, market.first_week, origin)
        histories.append(history[history["unique_id"] % ARIMA_SERIES_STEP == 0])
    # Imports and compilation are not to be measured.
    run_arima([histories[0][histories[0]["unique_id"] < 3]])
    run_sarimax(demand, totals, origins[-1:])
    arima = "statsforecast AutoARIMA"
    n_refits = len({refit_week(origin, SETTINGS.refit_weeks) for origin in origins})
    table, ratios = compare(
        f"SARIMAX over {ORIGINS} weeks with {n_refits} fits; AutoARIMA of one series in {ARIMA_SERIES_STEP} "
        f"at {len(histories)} of the weeks",
        {
            "sarimax": lambda: seconds(lambda: run_sarimax(demand, totals, origins)),
            arima: lambda: seconds(lambda: run_arima(histories)),
        },
        repeats,
    )
    return table, ratios[arima]


def compare_xgb(
    market: Marketplace, demand: pd.DataFrame, totals: GroupTotals, repeats: int
) -> tuple[str, float]:
    """Return the table, and the time of XGBoost relative to that of mlforecast with intervals."""
    week = refit_week(market.week_starts[-1], SETTINGS.refit_weeks)
    features = feature_table(demand, HORIZON)
    # The fit uses demand up to its own week only; the forecasts of one week are made from it.
    features = features[features["week"] <= pd.Timestamp(week)]
    history = peers.history(demand, market.first_week, week)
    # Imports and compilation are not to be measured.
    peers.recursive("XGBoost", 1, intervals=False)(history[history["unique_id"] < 20], HORIZON)
    with_intervals, points = (
        peers.recursive("XGBoost", 1, intervals=intervals) for intervals in (True, False)
    )
    boosted = "mlforecast XGBoost, mean and intervals"
    table, ratios = compare(
        "XGBoost, a fit and the forecasts of one week",
        {
            "xgb, mean and 7 quantiles, features given": lambda: seconds(
                lambda: run_xgb(features, demand, totals, week)
            ),
            boosted: lambda: seconds(lambda: len(with_intervals(history, HORIZON)) // HORIZON),
            "mlforecast XGBoost, mean": lambda: seconds(lambda: len(points(history, HORIZON)) // HORIZON),
            "mlforecast XGBoost, mean, training features given": lambda: without_features(history),
        },
        repeats,
    )
    return table, 1 / ratios[boosted]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    market = Marketplace()
    demand = weekly_demand(market)
    totals = GroupTotals.from_history(demand)
    sarimax_table, arima_ratio = compare_sarimax(market, demand, totals, repeats)
    xgb_table, xgb_ratio = compare_xgb(market, demand, totals, repeats)
    n_series = peers.history(demand, market.first_week, market.week_starts[-1])["unique_id"].nunique()
    goals = (
        f"AutoARIMA takes {results.against(arima_ratio, at_least=10)} times as long per series and origin as "
        f"sarimax_model; xgb_model takes {results.against(xgb_ratio, at_most=1)} times as long as mlforecast's XGBoost "
        "with intervals."
    )
    results.section(
        "forecasting",
        "Speed of the models",
        "The two models compared with AutoARIMA of statsforecast and XGBoost of mlforecast, on the demo's "
        f"marketplace: {n_series:,} series, {market.weeks} weeks, horizon {HORIZON}. One thread each, CPU seconds, "
        "interleaved runs.",
        PACKAGES,
        [sarimax_table, xgb_table, goals],
        repeats,
    )


if __name__ == "__main__":
    main()
