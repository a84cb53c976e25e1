"""What planners know, from planning files to the forecasts of both models, with the real Spark and Dagster."""

import shutil

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting.combine import combine
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.tables import (
    BACKTEST_REPORT,
    CLEANED_POINTS,
    KNOWN_COVARIATES,
    ORDER_BOOK,
    SARIMAX_MODEL,
    SERIES,
    WEEKLY_DEMAND,
    XGB_MODEL,
)
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.covariate_what_if import covariate_effect, demand_changes
from forecasting_assets.workflows.what_if import Case, plan_case
from forecasting_assets_tests.support.homes import PLANNED, WEEKS, rows
from forecasting_assets_tests.support.logged_models import predictions

pytestmark = [pytest.mark.spark, pytest.mark.matrix]

WEEK, HORIZON = PLANNED[-1], 6
MODELS = "key:sarimax_model or key:xgb_model"


def land_plan(home, parts, region):
    """Land price lists of `parts` in every region, and events of all parts in `region`."""
    rng = np.random.default_rng(3)
    weeks = weeks_between(WEEKS[0], add_weeks(WEEK, HORIZON))
    prices = pd.MultiIndex.from_product([parts, weeks], names=["part_id", "week"]).to_frame(index=False)
    promoted = rng.random(len(prices)) < 0.2
    prices = prices.assign(region="", unit_price=np.where(promoted, 8.0, 10.0), promotion=promoted * 1)
    events = pd.DataFrame(
        {"part_id": "", "region": region, "week": weeks, "fair": rng.integers(0, 2, len(weeks))}
    )
    folder = home.path / "landing" / "planning"
    folder.mkdir(exist_ok=True)
    prices.to_csv(folder / "known_covariates-prices.csv", index=False)
    events.to_csv(folder / "known_covariates-fairs.csv", index=False)


def forecasts(home, week):
    return {table.name: rows(home, table, week) for table in (SARIMAX_MODEL, XGB_MODEL)}


def logged_forecasts(home, model, known):
    """Forecast WEEK with a model as it is logged in MLflow, from rows of the lake."""
    import mlflow

    mlflow.set_tracking_uri(home.settings.tracking_uri)
    features = feature_columns(HORIZON)
    table = features if model == "xgb_model" else WEEKLY_DEMAND
    covariates = known.rename(columns={"week": "known", "target_week": "week"})
    tables = [home.lake.read_pandas(t, WEEKS) for t in (table, ORDER_BOOK)]
    numbers = {column.name: float for column in features.columns if column.type == "long"}
    history = pd.concat([*tables, covariates])
    history = history.astype({name: kind for name, kind in numbers.items() if name in history})
    return predictions(model, WEEK, history)


def data_used(model):
    """Return the tables that the logged model of WEEK was made from."""
    import mlflow

    client = mlflow.MlflowClient()
    run_id = client.get_model_version_by_alias(model, f"week-{WEEK}").run_id
    assert run_id
    inputs = client.get_run(run_id).inputs
    assert inputs
    return [data.dataset.name for data in inputs.dataset_inputs]


def test_series_with_a_plan_are_forecast_with_it_and_all_others_as_before(home_copy):
    before = forecasts(home_copy, WEEK)
    series = home_copy.lake.read_pandas(WEEKLY_DEMAND, WEEKS, SERIES)[SERIES].drop_duplicates()
    parts, region = sorted(series["part_id"].unique())[:10], sorted(series["region"].unique())[0]
    land_plan(home_copy, parts, region)
    assert materialize(home_copy.settings, WEEKS, "key:known_covariates")
    assert materialize(home_copy.settings, PLANNED[-2:], MODELS)
    after = forecasts(home_copy, WEEK)
    for table, unplanned in before.items():
        planned = unplanned["part_id"].isin(parts) | (unplanned["region"] == region)
        assert 0.2 < planned.mean() < 0.8
        pd.testing.assert_frame_equal(after[table][~planned], unplanned[~planned], rtol=1e-9, obj=table)
        assert (after[table].loc[planned, "mean"] != unplanned.loc[planned, "mean"]).mean() > 0.9, table

    # A week by itself has the same forecasts as in a range, and what is published later changes nothing.
    late = pd.DataFrame({"part_id": parts, "region": "", "week": add_weeks(WEEK, 1), "unit_price": 1e6})
    late = late.assign(published=add_weeks(WEEK, 1))
    late.to_csv(home_copy.path / "landing" / "planning" / "known_covariates-late.csv", index=False)
    assert freshness_of(home_copy.settings).state("known_covariates", WEEK).state == "fresh"
    for name in after:
        shutil.rmtree(home_copy.path / "lake" / name / f"week={WEEK}")
    assert materialize(home_copy.settings, [WEEK], MODELS)
    for table, alone in forecasts(home_copy, WEEK).items():
        pd.testing.assert_frame_equal(alone, after[table], rtol=1e-9, obj=table)
    known = home_copy.lake.read_pandas(KNOWN_COVARIATES, WEEKS)
    assert known["value"].max() == 10
    for table, made in forecasts(home_copy, WEEK).items():
        logged = logged_forecasts(home_copy, table, known)
        pd.testing.assert_frame_equal(logged, made[logged.columns], rtol=1e-9, obj=table)
        assert "known_covariates" in data_used(table)

    # The same models forecast a case with other prices; weeks and parts without a changed price stay as they are.
    changes = [f"{parts[0]}/*@{add_weeks(WEEK, 2)}:unit_price=-50%"]
    effect, beyond = covariate_effect(home_copy.settings, home_copy.lake, WEEK, changes)
    segments = rows(home_copy, feature_columns(HORIZON), WEEK)[[*SERIES, "segment"]]
    tables = {name.removesuffix("_model"): table for name, table in after.items()}
    combined = combine(tables, segments, rows(home_copy, BACKTEST_REPORT, WEEK))
    of_part = combined[combined["part_id"] == parts[0]].sort_values([*SERIES, "target_week"])
    np.testing.assert_allclose(effect["before"], of_part["mean"], rtol=1e-6)
    changed = (effect["before"] - effect["after"]).abs() > 1e-9
    # XGBoost also sees the price of the week before a target.
    assert set(effect.loc[changed, "target_week"].dt.date) <= set(
        weeks_between(add_weeks(WEEK, 2), add_weeks(WEEK, 3))
    )
    assert changed.any()
    assert len(beyond)
    named = beyond[["part_id", "covariate", "lowest", "highest"]].drop_duplicates().to_numpy().tolist()
    assert named == [[parts[0], "unit_price", 8.0, 10.0]]
    case = Case(covariate=changes)
    assert plan_case(home_copy.settings, home_copy.lake, WEEK, case).change.demand == demand_changes(effect)


def test_corrections_and_successors_change_the_series_they_name_from_the_week_they_are_entered(home_copy):
    before = {week: forecasts(home_copy, week) for week in PLANNED[-2:]}
    demand = home_copy.lake.read_pandas(WEEKLY_DEMAND, WEEKS[-26:], [*SERIES, "quantity"])
    largest = demand.groupby(SERIES)["quantity"].sum().sort_values(ascending=False)
    part, region = largest.index[0]
    # A successor takes over with its first order: where it is not ordered, the part keeps its demand.
    heir = next(other for other, place in largest.index if other != part and place == region)
    folder, week = home_copy.path / "landing" / "planning", add_weeks(WEEK, -10)
    folder.mkdir(exist_ok=True)
    entered = add_weeks(WEEK, 0)
    (folder / "demand_corrections.csv").write_text(
        f"part_id,region,week,action,entered\n{part},{region},{week},exclude,{entered}\n"
    )
    (folder / "successors.csv").write_text(
        f"part_id,successor_id,from_week,share,entered\n{part},{heir},{add_weeks(WEEK, -4)},0.5,{entered}\n"
    )
    states = [freshness_of(home_copy.settings).state("xgb_model", week).state for week in PLANNED[-2:]]
    assert states == ["fresh", "out of date"]
    assert materialize(home_copy.settings, PLANNED[-2:], MODELS)
    for name, table in forecasts(home_copy, PLANNED[-2]).items():
        pd.testing.assert_frame_equal(table, before[PLANNED[-2]][name], rtol=1e-9, obj=name)
    for name, table in forecasts(home_copy, WEEK).items():
        sums, old = (one.groupby(SERIES)["mean"].sum() for one in (table, before[WEEK][name]))
        assert sums[part, region] < 0.9 * old[part, region], name
        assert sums[heir, region] > 1.1 * old[heir, region], name
    points = rows(home_copy, CLEANED_POINTS, WEEK)
    excluded = points[points["reason"] == "excluded"]
    assert excluded[[*SERIES, "demand_week"]].to_numpy().tolist() == [[part, region, pd.Timestamp(week)]]
