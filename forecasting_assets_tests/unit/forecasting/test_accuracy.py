"""Forecasts do not become worse: accuracy on a small panel of many demand patterns against recorded figures."""

import pandas as pd
import pytest

from forecasting_assets_tests.unit.forecasting import accuracy

MODELS = ["sarimax", "xgb", "combined"]
#: How much worse a figure may be than the recorded one: versions of XGBoost and of numpy differ by less.
TOLERANCE = 0.02
#: Shares of weeks inside the 80 % intervals that are still acceptable.
COVERAGE = (0.65, 0.90)


@pytest.fixture(scope="module")
def report() -> pd.DataFrame:
    return accuracy.measure()


def figure(report: pd.DataFrame, model: str, metric: str, segment: str = "all") -> float:
    rows = report[
        (report["model"] == model)
        & (report["metric"] == metric)
        & (report["segment"] == segment)
        & (report["horizon"] == 0)
    ]
    (value,) = rows["value"]
    return value


def test_the_panel_is_the_one_of_the_recorded_figures_and_has_every_demand_pattern(report):
    panel = accuracy.panel()
    assert panel["quantity"].sum() == accuracy.recorded()["units"]
    assert len(panel.drop_duplicates(["part_id", "region"])) == sum(accuracy.KINDS.values())
    for segment in ("smooth", "intermittent", "lumpy", "new"):
        assert figure(report, "combined", "n", segment) > 100


@pytest.mark.parametrize("metric", ["wape", "pinball"])
@pytest.mark.parametrize("model", MODELS)
def test_no_model_is_worse_than_recorded(report, model, metric):
    recorded = accuracy.recorded()["figures"][model][metric]
    assert figure(report, model, metric) <= recorded * (1 + TOLERANCE), accuracy.__doc__


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_better_than_the_seasonal_naive_forecast(report, model):
    for segment in ("all", "smooth", "intermittent", "lumpy"):
        naive = figure(report, "seasonal_naive", "wape", segment)
        assert figure(report, model, "wape", segment) < naive, segment


def test_the_combination_is_better_than_the_average_of_its_models(report):
    sarimax, xgb = (figure(report, model, "scaled_pinball") for model in ("sarimax", "xgb"))
    assert figure(report, "combined", "scaled_pinball") < (sarimax + xgb) / 2


@pytest.mark.parametrize("model", MODELS)
def test_intervals_hold_about_the_share_of_weeks_that_they_promise(report, model):
    coverage = figure(report, model, "coverage_80")
    recorded = accuracy.recorded()["figures"][model]["coverage_80"]
    assert COVERAGE[0] < coverage < COVERAGE[1]
    assert abs(coverage - 0.8) <= abs(recorded - 0.8) + TOLERANCE
