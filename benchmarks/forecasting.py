"""Speed of the two models beside AutoARIMA of statsforecast and XGBoost of mlforecast, on the demo's marketplace.

SARIMAX: seconds of fits and forecasts of all series over a range of weeks, refits included, told by series and
week, beside AutoARIMA(season_length=1) with intervals, which is fitted for each series and week by itself, on a
sample of them. XGBoost: a fit and the forecasts of one week, SARIMAX that it starts from included, beside one
recursive XGBoost of mlforecast with the settings of `peers.py` on the same series. Its seconds are told with its
conformal intervals, without any, and, as our features come from the feature table, without making its features.
One thread each; seconds are the processor's. Runs are interleaved and the medians of seconds and of ratios are
told, as the machine's speed varies.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import date

import pandas as pd

from benchmarks import peers, results
from forecasting_assets.demo import Marketplace, generate
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import refit_week
from forecasting_assets_tests.unit.forecasting.data import features as feature_table

HORIZON = 8
ORIGINS = 26
#: AutoARIMA forecasts one series in so many, at one origin in so many.
ARIMA_SERIES_STEP, ARIMA_ORIGIN_STEP = 20, 13
SETTINGS = ForecastingSettings()
PACKAGES = ["forecasting-assets", "statsforecast", "mlforecast", "xgboost"]


def weekly_demand(market: Marketplace) -> pd.DataFrame:
    """part_id, part_category, region, week, quantity of the marketplace's clean orders."""
    lines = generate(market).truth
    day = lines["order_date"].dt.normalize()
    week = (day - pd.to_timedelta(day.dt.dayofweek, unit="D")).astype("datetime64[ns]")
    return (
        lines.assign(week=week)
        .groupby([*SERIES, "week"], as_index=False)
        .agg(part_category=("part_category", "first"), quantity=("quantity", "sum"))
    )


def run_sarimax(demand: pd.DataFrame, totals: GroupTotals, origins: list[date]) -> int:
    """Fit at every refit week of `origins` and forecast them all; the number of forecasts."""
    groups: dict[date, list[date]] = {}
    for origin in origins:
        groups.setdefault(refit_week(origin, SETTINGS.refit_weeks), []).append(origin)
    rows = 0
    for week, of_week in groups.items():
        sample = sarimax.sample_parts(demand[demand["week"] <= pd.Timestamp(week)], SETTINGS.fit_series)
        model = sarimax.fit(sample, totals, week, HORIZON, SETTINGS)
        rows += len(sarimax.predict(model, demand, totals, of_week, SETTINGS))
    return rows // HORIZON


def run_arima(histories: list[pd.DataFrame]) -> int:
    return sum(len(peers.peer("AutoARIMA", 1)(history, HORIZON)) for history in histories) // HORIZON


def run_xgb(features: pd.DataFrame, demand: pd.DataFrame, totals: GroupTotals, week: date) -> int:
    model = xgb.fit(features, demand, totals, week, HORIZON, SETTINGS)
    rows = features[features["week"] == pd.Timestamp(week)]
    return len(xgb.predict(model, rows, demand, totals, SETTINGS)) // HORIZON


def seconds(run: Callable[[], int]) -> tuple[float, int]:
    """Those of the processor, which do not depend on what else is running, and the number of forecasts."""
    begin = time.process_time()
    count = run()
    return time.process_time() - begin, count


def without_features(history: pd.DataFrame) -> tuple[float, int]:
    """Seconds of fitting and of the recursive forecast of mlforecast, its training features given."""
    forecaster = peers.mlforecast({"XGBoost": peers.regressor("XGBoost", 1)})
    x, y = forecaster.preprocess(history, static_features=peers.STATIC, dropna=False, return_X_y=True)

    def run() -> int:
        forecaster.fit_models(x, y)
        return len(forecaster.predict(h=HORIZON)) // HORIZON

    return seconds(run)


def compare(title: str, runs: dict[str, Callable[[], tuple[float, int]]], repeats: int) -> tuple[str, dict]:
    """Run all in turn, `repeats` times; the table, and the CPU time of each forecast as multiples of the first's."""
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            found[name].append(run())
    base = [took / count for took, count in found[next(iter(runs))]]
    rows, ratios = [], {}
    for name, of_runs in found.items():
        each = [took / count for took, count in of_runs]
        ratios[name] = statistics.median(e / b for e, b in zip(each, base, strict=True))
        rows.append(
            {
                title: name,
                "forecasts": of_runs[0][1],
                "CPU s": statistics.median(took for took, _ in of_runs),
                "ms each": 1000 * statistics.median(each),
                "times ours": ratios[name],
            }
        )
    made = results.table(rows)
    print(f"\n{made}", flush=True)
    return made, ratios


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    market = Marketplace()
    demand = weekly_demand(market)
    totals = GroupTotals.of(demand)
    origins = market.week_starts[-ORIGINS:]
    last = origins[-1]
    history = peers.history(demand, market.first_week, last)
    histories = []
    for origin in origins[::ARIMA_ORIGIN_STEP]:
        known = peers.history(demand, market.first_week, origin)
        histories.append(known[known["unique_id"] % ARIMA_SERIES_STEP == 0])
    fitted_at = refit_week(last, SETTINGS.refit_weeks)
    features = feature_table(demand, HORIZON)
    # The fit looks at demand up to its own week alone; forecasts of one week are made from it.
    features = features[features["week"] <= pd.Timestamp(fitted_at)]
    at_fit = peers.history(demand, market.first_week, fitted_at)

    n_refits = len({refit_week(origin, SETTINGS.refit_weeks) for origin in origins})
    # Imports and compilation are not what is measured.
    some = at_fit[at_fit["unique_id"] < 3]
    run_arima([some])
    run_sarimax(demand, totals, [last])
    peers.recursive("XGBoost", 1, intervals=False)(at_fit[at_fit["unique_id"] < 20], HORIZON)

    with_intervals, points = (peers.recursive("XGBoost", 1, intervals=given) for given in (True, False))
    arima = "statsforecast AutoARIMA"
    sarimax_table, sarimax_ratios = compare(
        f"SARIMAX over {ORIGINS} weeks with {n_refits} fits; AutoARIMA of one series in {ARIMA_SERIES_STEP} "
        f"at {len(histories)} of the weeks",
        {
            "sarimax": lambda: seconds(lambda: run_sarimax(demand, totals, origins)),
            arima: lambda: seconds(lambda: run_arima(histories)),
        },
        repeats,
    )
    boosted = "mlforecast XGBoost, mean and intervals"
    xgb_table, xgb_ratios = compare(
        "XGBoost, a fit and the forecasts of one week",
        {
            "xgb, mean and 7 quantiles, features given": lambda: seconds(
                lambda: run_xgb(features, demand, totals, fitted_at)
            ),
            boosted: lambda: seconds(lambda: len(with_intervals(at_fit, HORIZON)) // HORIZON),
            "mlforecast XGBoost, mean": lambda: seconds(lambda: len(points(at_fit, HORIZON)) // HORIZON),
            "mlforecast XGBoost, mean, training features given": lambda: without_features(at_fit),
        },
        repeats,
    )
    goals = (
        f"AutoARIMA takes {results.against(sarimax_ratios[arima], at_least=10)} times as long a series and origin "
        f"as sarimax_model; xgb_model takes {results.against(1 / xgb_ratios[boosted], at_most=1)} times as long as "
        "mlforecast's XGBoost with intervals."
    )
    results.section(
        "forecasting",
        "Speed of the models",
        f"The two models beside AutoARIMA of statsforecast and XGBoost of mlforecast, on the demo's marketplace: "
        f"{history['unique_id'].nunique():,} series, {market.weeks} weeks, horizon {HORIZON}. One thread each, seconds "
        "of the processor, runs interleaved.",
        PACKAGES,
        [sarimax_table, xgb_table, goals],
        repeats,
    )


if __name__ == "__main__":
    main()
