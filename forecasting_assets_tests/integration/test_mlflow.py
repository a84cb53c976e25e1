"""MLflow holds every week's models, closed and loadable, and they predict what the assets wrote."""

import logging
import sqlite3
from contextlib import closing
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting.checks import check_beats_naive
from forecasting_assets.forecasting.xgb import MEAN_PARAMETERS
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.tables import (
    BACKTEST_REPORT,
    DEMAND_HISTORY,
    ORDER_BOOK,
    QUANTILES,
    SARIMAX_MODEL,
    SERIES,
    WEEKLY_DEMAND,
    XGB_MODEL,
)
from forecasting_assets.tracking.client import CHAMPION
from forecasting_assets.tracking.store import EXPERIMENT
from forecasting_assets.tracking.week_run import ALIAS_WEEKS
from forecasting_assets.weeks import add_weeks, refit_week
from forecasting_assets_tests.support.homes import PLANNED, WEEKS
from forecasting_assets_tests.support.logged_models import predictions

pytestmark = pytest.mark.spark

MODELS = "key:sarimax_model or key:xgb_model"


@pytest.fixture
def client(home):
    import mlflow

    # The registry follows it; a registry set for itself would be that of the copies in other tests as well.
    mlflow.set_tracking_uri(home.settings.tracking_uri)
    return mlflow.MlflowClient()


def runs(client):
    return client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id], max_results=1000)


def test_every_run_is_closed_and_nested_in_that_of_its_dagster_run(client):
    found = runs(client)
    assert {run.info.status for run in found} == {"FINISHED"}
    weeks = [run for run in found if "week" in run.data.tags]
    models = {(model, str(week)) for model in ("sarimax_model", "xgb_model") for week in PLANNED}
    made = [run for run in weeks if run.data.tags["asset"] in ("sarimax_model", "xgb_model")]
    assert {(run.data.tags["asset"], run.data.tags["week"]) for run in made} == models
    parents = {run.info.run_id for run in found} - {run.info.run_id for run in weeks}
    assert {run.data.tags["mlflow.parentRunId"] for run in weeks} <= parents
    assert all(run.data.tags["dagster_run_id"] for run in weeks)
    assert all(run.data.params["refit_week"] for run in made)
    (parent,) = (run for run in found if run.info.run_id in parents)
    assert parent.data.tags["weeks"] == f"{PLANNED[0]} to {PLANNED[-1]}"
    assert str(PLANNED[0]) in parent.info.run_name


def test_each_model_has_its_own_parameters_and_the_data_it_used(client):
    assets = {run.data.tags.get("asset") for run in runs(client)}
    assert assets >= {"sarimax_model", "xgb_model"}
    for run in runs(client):
        params, asset = run.data.params, run.data.tags.get("asset")
        names = sorted(data.dataset.name for data in run.inputs.dataset_inputs)
        if asset == "sarimax_model":
            assert not [name for name in params if name.startswith("xgb_")]
            assert names == ["order_book", "weekly_demand"]
        elif asset == "xgb_model":
            assert float(params["mean_eta"]) == MEAN_PARAMETERS["eta"]
            assert names == ["feature_table", "order_book", "weekly_demand"]
            assert all(len(data.dataset.digest) == 12 for data in run.inputs.dataset_inputs)


def test_metrics_have_the_horizon_as_step_and_can_be_compared_with_naive(home, client):
    week = PLANNED[-1]
    report = home.lake.read_pandas(BACKTEST_REPORT, [week])
    newest: dict[str, Any] = {}
    for run in runs(client):  # the newest come first
        if run.data.tags.get("week") == str(week):
            newest.setdefault(run.data.tags["asset"], run)
    names = {"demand_forecast": "combined", "seasonal_naive": "seasonal_naive", "xgb_model": "xgb"}
    for asset, model in names.items():
        wape = report[
            (report["model"] == model) & (report["metric"] == "wape") & (report["segment"] == "all")
        ]
        expected = wape.set_index("horizon")["value"].dropna()
        run_id = newest[asset].info.run_id
        assert newest[asset].data.metrics["wape/all"] == pytest.approx(expected[0])
        history = {m.step: m.value for m in client.get_metric_history(run_id, "wape_by_horizon")}
        assert history == pytest.approx(expected.drop(0).to_dict())
    champion = client.get_model_version_by_alias("xgb_model", CHAMPION)
    assert float(champion.tags["wape"]) < float(champion.tags["wape_seasonal_naive"])


def test_weeks_far_back_have_no_alias_but_are_still_found(home_copy):
    import mlflow

    client = mlflow.MlflowClient(home_copy.settings.tracking_uri, home_copy.settings.tracking_uri)
    old = add_weeks(PLANNED[-1], -ALIAS_WEEKS)
    client.set_registered_model_alias("sarimax_model", f"week-{old}", "1")
    assert materialize(home_copy.settings, [PLANNED[-1]], "key:sarimax_model")
    aliases = client.get_registered_model("sarimax_model").aliases
    assert f"week-{old}" not in aliases
    assert f"week-{PLANNED[-1]}" in aliases
    assert not [alias for alias in aliases if alias.startswith("fit-")]


def test_models_of_a_copied_home_are_not_written_into_the_one_it_is_copied_from(home, home_copy):
    files = {file for file in (home.path / "mlartifacts").rglob("*") if file.is_file()}
    assert materialize(home_copy.settings, [PLANNED[-1]], "key:sarimax_model")
    assert {file for file in (home.path / "mlartifacts").rglob("*") if file.is_file()} == files
    assert [file for file in (home_copy.path / "mlartifacts").rglob("*") if file not in files]


def test_the_runs_hold_the_rolling_origin_metrics_of_their_week(client):
    version = client.get_model_version_by_alias("xgb_model", f"week-{PLANNED[-1]}")
    metrics = client.get_run(version.run_id).data.metrics
    assert metrics["n/all"] > 0
    assert 0 < metrics["wape/all"] < 2
    assert 0 <= metrics["coverage_90/all"] <= 1


def test_the_champion_is_of_the_newest_week_whose_forecasts_beat_the_naive_one(home, client):
    reports = {week: home.lake.read_pandas(BACKTEST_REPORT, [week]) for week in PLANNED}
    findings = {week: check_beats_naive(report) for week, report in reports.items()}
    proven = [str(week) for week, found in findings.items() if found.passed and found.metadata]
    assert proven
    assert len(proven) < len(PLANNED)  # no forecast has met its week in the first of them
    for model in ("sarimax_model", "xgb_model"):
        assert client.get_model_version_by_alias(model, CHAMPION).tags["week"] == proven[-1]


def test_an_older_week_does_not_take_the_champion_back(home_copy):
    import mlflow

    client = mlflow.MlflowClient(home_copy.settings.tracking_uri)
    before = client.get_model_version_by_alias("xgb_model", CHAMPION).tags["week"]
    assert materialize(home_copy.settings, [PLANNED[2]], "key:backtest_report")
    assert client.get_model_version_by_alias("xgb_model", CHAMPION).tags["week"] == before


def written(home, table, week):
    frame = home.lake.read_pandas(table, [week])
    return frame.sort_values([*SERIES, "horizon"], ignore_index=True)[
        [*SERIES, "horizon", "mean", *QUANTILES]
    ]


@pytest.mark.parametrize("week", [PLANNED[0], PLANNED[-1]])
def test_the_logged_xgboost_predicts_what_the_asset_wrote(home, client, week):
    weeks, features = [w for w in WEEKS if w <= week], feature_columns(6)
    # Rows of the order book have no features, which whole numbers cannot express.
    numbers = {column.name: float for column in features.columns if column.type == "long"}
    known = home.lake.read_pandas(features, weeks).astype(numbers)
    rows = pd.concat([known, home.lake.read_pandas(ORDER_BOOK, weeks)])[[*features.names, "due_week"]]
    pd.testing.assert_frame_equal(
        predictions("xgb_model", week, rows), written(home, XGB_MODEL, week), rtol=1e-9
    )


@pytest.mark.parametrize("week", [PLANNED[0], PLANNED[-1]])
def test_the_logged_sarimax_predicts_what_the_asset_wrote(home, client, week):
    tables = [
        home.lake.read_pandas(table, [w for w in WEEKS if w <= week]) for table in (WEEKLY_DEMAND, ORDER_BOOK)
    ]
    rows = pd.concat(tables)[DEMAND_HISTORY.names]
    pd.testing.assert_frame_equal(
        predictions("sarimax_model", week, rows), written(home, SARIMAX_MODEL, week), rtol=1e-9
    )


def forecasts(home, week):
    return {table.name: written(home, table, week) for table in (SARIMAX_MODEL, XGB_MODEL)}


def fitted(home, week):
    """By model, what its newest materialization says of where its fit came from."""
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        events = {
            model: instance.fetch_materializations(
                dg.AssetRecordsFilter(dg.AssetKey(model), asset_partitions=[str(week)]), limit=1
            ).records[0]
            for model in ("sarimax_model", "xgb_model")
        }
    made = {model: event.asset_materialization for model, event in events.items()}
    return {model: event.metadata["fitted"].value for model, event in made.items() if event is not None}


NEW = dict.fromkeys(["sarimax_model", "xgb_model"], "in this run")


def test_weeks_are_forecast_by_the_models_that_learnt_the_same_before(home, home_copy):
    import mlflow

    client = mlflow.MlflowClient(home_copy.settings.tracking_uri, home_copy.settings.tracking_uri)
    refit = {week: refit_week(week, home.settings.forecasting.refit_weeks) for week in PLANNED}
    kept, anew, *_ = dict.fromkeys(refit.values())
    forgotten = [week for week in PLANNED if refit[week] == anew]
    for version in client.search_model_versions("name = 'xgb_model'"):
        if version.tags["week"] in map(str, forgotten):
            client.delete_model_version_tag("xgb_model", version.version, "fit")
    assert materialize(home_copy.settings, PLANNED, MODELS)
    for week in PLANNED:
        said = fitted(home_copy, week)
        assert said["sarimax_model"].startswith("before, as models:/sarimax_model/")
        assert (said["xgb_model"] == "in this run") == (week in forgotten)
        for table, before in forecasts(home, week).items():
            pd.testing.assert_frame_equal(forecasts(home_copy, week)[table], before, rtol=0, atol=0)
    assert kept != anew


def test_models_whose_files_are_gone_are_fitted_anew_and_said_to_be(home, home_copy):
    week = PLANNED[-1]
    with closing(sqlite3.connect(home_copy.path / "mlflow.db")) as database, database:
        for table, column in {
            "model_versions": "storage_location",
            "logged_models": "artifact_location",
        }.items():
            database.execute(f"UPDATE {table} SET {column} = {column} || '/gone'")
    assert materialize(home_copy.settings, [week], MODELS)
    assert fitted(home_copy, week) == NEW
    with dg.DagsterInstance.from_config(str(home_copy.path / "dagster")) as instance:
        (run,) = instance.get_runs(limit=1)
        said = [
            event.user_message for event in instance.all_logs(run.run_id) if event.level == logging.WARNING
        ]
    assert len(said) == 2
    assert all("cannot be read" in text and "trained again" in text for text in said)
    for table, before in forecasts(home, week).items():
        pd.testing.assert_frame_equal(forecasts(home_copy, week)[table], before, rtol=1e-9)


def test_no_artifact_is_a_pickle(home, client):
    files = [file for file in (home.path / "mlartifacts").rglob("*") if file.is_file()]
    assert {"mean.ubj", "quantiles.ubj", "description.json"} <= {file.name for file in files}
    assert not [file for file in files if file.suffix in (".pkl", ".pickle", ".joblib")]


def test_a_failed_run_is_closed_as_failed(home_copy):
    import mlflow

    # The network cannot be read, while the model of the same run is tracked.
    network = home_copy.path / "landing" / "network"
    (network / "lanes.csv").unlink()
    assert not materialize(home_copy.settings, [PLANNED[-1]], "key:xgb_model or key:manufacturer_network")
    client = mlflow.MlflowClient(home_copy.settings.tracking_uri)
    newest = next(run for run in runs(client) if "week" not in run.data.tags)
    assert newest.info.status == "FAILED"
    assert not [run for run in runs(client) if run.info.status == "RUNNING"]
