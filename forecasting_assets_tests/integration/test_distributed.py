"""XGBoost whose mean several Spark tasks train together: as good as that of one machine, here and through Connect."""

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from devtools.feature_table import features
from devtools.model_cache import forget_fits
from forecasting_assets.forecasting import on_spark, xgb
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.settings import SparkSettings
from forecasting_assets.tables import QUANTILES, SERIES, XGB_MODEL
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.homes import PLANNED, Home, rows, written_at
from forecasting_assets_tests.support.market import FIRST, market
from forecasting_assets_tests.support.spark import spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

pytestmark = pytest.mark.spark

WEEK = PLANNED[1]
THROUGH_CONNECT = """
import os, time
from forecasting_assets.runtime.spark import answers
from forecasting_assets.runtime.spark_server import start_server
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.settings import load_settings
from forecasting_assets.weeks import parse_week
settings = load_settings()
start_server(settings.spark)
while not answers(os.environ["FORECASTING_SPARK_SERVER"]):
    time.sleep(1)
assert materialize(settings, [parse_week(os.environ["WEEK"])], "key:xgb_model")
"""


@pytest.fixture(scope="module")
def distributed(home, tmp_path_factory) -> Home:
    """The home with one week forecast by a model that two tasks have trained."""
    copy = home.copy(tmp_path_factory.mktemp("distributed") / "home")
    with (copy.path / "forecasting.toml").open("a") as file:
        file.write("xgb_distributed_rows = 500\n")
    assert materialize(copy.settings, [WEEK], "key:xgb_model")
    return copy


def test_tasks_train_the_mean_together_and_the_rest_stays_as_it_is(home, distributed):
    alone, together = (rows(of, XGB_MODEL, WEEK) for of in (home, distributed))
    assert set(together["method"]) == {"xgb"}
    same = [*SERIES, "target_week", *QUANTILES]
    pd.testing.assert_frame_equal(together[same], alone[same], rtol=1e-9)
    assert not np.allclose(together["mean"], alone["mean"], rtol=1e-6)


def test_a_model_that_tasks_have_trained_is_found_again_and_forecasts_the_same(distributed, tmp_path):
    copy = distributed.copy(tmp_path / "home")
    assert materialize(copy.settings, [WEEK], "key:xgb_model")
    assert written_at(copy, XGB_MODEL, WEEK) != written_at(distributed, XGB_MODEL, WEEK)
    pd.testing.assert_frame_equal(
        rows(copy, XGB_MODEL, WEEK), rows(distributed, XGB_MODEL, WEEK), rtol=0, atol=0
    )


@pytest.mark.matrix
def test_the_same_is_trained_through_spark_connect(distributed, tmp_path):
    copy = distributed.copy(tmp_path / "home")
    forget_fits(copy.path)
    environment = {**os.environ, "FORECASTING_HOME": str(copy.path), "WEEK": str(WEEK)}
    made = subprocess.run(
        [sys.executable, "-c", THROUGH_CONNECT], env=environment, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert written_at(copy, XGB_MODEL, WEEK) != written_at(distributed, XGB_MODEL, WEEK)
    pd.testing.assert_frame_equal(rows(copy, XGB_MODEL, WEEK), rows(distributed, XGB_MODEL, WEEK), rtol=1e-9)


# ------------------------------------------------------------------ without Dagster, on a larger market

HISTORY = market(weeks=110, series=120)
TOTALS = GroupTotals.from_history(HISTORY)
FEATURES = features(HISTORY)
FITTED_AT = add_weeks(FIRST, 95)
FORECASTING = ForecastingSettings(xgb_distributed_rows=10_000)


@pytest.fixture(scope="module")
def plan() -> xgb.TrainingPlan:
    return xgb.plan_training(ModelData(FEATURES, HISTORY, TOTALS), FITTED_AT, ModelContext(8, FORECASTING))[0]


@pytest.fixture(scope="module")
def alone() -> xgb.XgbModel:
    """The model as one machine fits it."""
    return xgb.fit(ModelData(FEATURES, HISTORY, TOTALS), FITTED_AT, ModelContext(8, FORECASTING))


@pytest.fixture(scope="module")
def frames() -> tuple["DataFrame", "DataFrame"]:
    """Demand and features as Spark has them."""
    session = spark_session(SparkSettings(master="local[2]"))
    demand, known = (
        session.createDataFrame(table.assign(week=table["week"].dt.date)) for table in (HISTORY, FEATURES)
    )
    return demand, known


def errors(model: xgb.XgbModel) -> tuple[float, float]:
    """WAPE and root mean squared error relative to mean demand, of the weeks after the fit."""
    origins = FEATURES[FEATURES["week"].between(str(FITTED_AT), str(add_weeks(FITTED_AT, 5)))]
    made = xgb.predict(model, origins, HISTORY, TOTALS, FORECASTING)
    demand = HISTORY.rename(columns={"week": "target_week", "quantity": "came"})
    came = made.merge(demand, "left", [*SERIES, "target_week"])["came"].fillna(0.0)
    error = made["mean"] - came
    return error.abs().sum() / came.sum(), np.sqrt((error**2).mean()) / came.mean()


def test_a_model_that_tasks_train_together_is_as_good_as_that_of_one_machine(plan, alone, frames):
    demand, known = frames
    assert plan.rows > 2 * FORECASTING.xgb_distributed_rows
    mean = on_spark.train_mean(demand, known, plan, FORECASTING)
    together = errors(plan.model(mean, alone.quantiles))
    # Tasks draw other rows for each tree, so the model differs from that of one machine as one of another seed does.
    training = plan.mean_rows(FEATURES, plan.baseline(HISTORY, TOTALS, FORECASTING), FORECASTING)
    seeds = [FORECASTING.model_copy(update={"seed": seed}) for seed in range(6)]
    by_seed = np.array([errors(plan.model(training.train(seed), alone.quantiles)) for seed in seeds])
    assert (together < by_seed.mean(axis=0) + 3 * by_seed.std(axis=0)).all()
    again = on_spark.train_mean(demand, known, plan, FORECASTING)
    assert again.save_raw() == mean.save_raw()


def test_a_task_that_fails_ends_the_training_and_says_why(plan, frames):
    from pyspark.sql import functions as F

    demand, known = frames
    # A single row cannot be learnt from, so that one task fails while the other waits for it.
    broken = (F.col("part_id") == plan.parts[0]) & (F.col("week") == add_weeks(FITTED_AT, -20))
    ratio = F.when(broken, float("inf")).otherwise(F.col("price_ratio"))
    known = known.withColumn("price_ratio", ratio)
    with pytest.raises(on_spark.DistributedFitError, match=r"by 2 Spark tasks: .*contains `inf`"):
        on_spark.train_mean(demand, known, plan, FORECASTING)
