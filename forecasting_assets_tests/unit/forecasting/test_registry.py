import pandas as pd
import pytest

from forecasting_assets.forecasting.model import ForecastingModel, ModelContext, ModelData, NotEnoughHistory
from forecasting_assets.forecasting.registry import (
    ModelNotFoundError,
    Sarimax,
    SarimaxFallback,
    Xgb,
    find_model,
    find_models,
    fit_or_fall_back,
    predict,
    reference_of,
)
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market

HISTORY = market(weeks=90)
DATA = ModelData(pd.DataFrame(), HISTORY, GroupTotals.from_history(HISTORY))
CONTEXT = ModelContext(3, ForecastingSettings())
WEEK = add_weeks(FIRST, 88)


class TooYoung(ForecastingModel):
    """Never has enough history."""

    name = "too_young"

    def fit(self, data, week, context):
        raise NotEnoughHistory(week, "two years are needed")

    def predict(self, fitted, data, origins, context):
        raise AssertionError("it was never trained")


class Unnamed(TooYoung):
    name = "Not a name"


class Combined(TooYoung):
    name = "combined"


class PlainAverage(TooYoung):
    name = "plain_average"


class LastWeek(TooYoung):
    """Forecasts as SARIMAX does, and does not return what it would be without covariates."""

    name = "last_week"

    def predict(self, fitted, data, origins, context):
        table = Sarimax().predict(fitted, data, origins, context)
        return table.drop(columns="without_covariates")


class Unfinished(ForecastingModel):
    name = "unfinished"


def reference(model):
    return f"{__name__}:{model.__name__}"


def test_models_are_found_by_name_or_class():
    assert [type(model) for model in find_models(("xgb", "sarimax"))] == [Xgb, Sarimax]
    model = find_model(reference(TooYoung))
    assert type(model) is TooYoung
    assert reference_of(model) == reference(TooYoung)
    assert reference_of(Xgb()) == "xgb"


@pytest.mark.parametrize(
    ("references", "reason"),
    [
        (("prophet",), "use sarimax, xgb"),
        (("no_such_module:Model",), "cannot be imported"),
        ((f"{__name__}:NoSuchClass",), "cannot be imported"),
        (("offered_models:",), "use sarimax, xgb"),
        ((":Model",), "use sarimax, xgb"),
        ((f"{__name__}:market",), "subclass of ForecastingModel"),
        ((reference(Unfinished),), "does not define fit"),
        ((reference(Unnamed),), "lower-case"),
        ((reference(Combined),), "may not have the name"),
        ((reference(PlainAverage),), "may not have the name"),
        (("xgb", "xgb"), "another model"),
    ],
)
def test_a_model_that_cannot_be_used_is_named_with_the_remedy(references, reason):
    with pytest.raises(ModelNotFoundError, match=reason) as caught:
        find_models(references)
    assert caught.value.reference == references[0]


@pytest.mark.parametrize("source", ["this is no Python", "raise RuntimeError('no licence')"])
def test_a_module_that_cannot_be_run_is_named(monkeypatch, tmp_path, source):
    (tmp_path / "broken_models.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelNotFoundError, match=r"cannot be imported: (SyntaxError|RuntimeError)"):
        find_model("broken_models:Model")


def test_a_package_offers_models_by_entry_points(monkeypatch, tmp_path):
    (tmp_path / "offered_models.py").write_text(
        f"from {__name__} import TooYoung\n\n\nclass Offered(TooYoung):\n    name = 'offered'\n"
    )
    folder = tmp_path / "offered-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[forecasting_assets.models]\nlast_year = offered_models:Offered\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_model("last_year").name == "offered"


def test_sarimax_forecasts_in_the_place_of_a_model_without_enough_history():
    fitted = fit_or_fall_back(TooYoung(), DATA, WEEK, CONTEXT)
    assert isinstance(fitted, SarimaxFallback)
    assert "two years are needed" in fitted.reason
    instead = predict(TooYoung(), fitted, DATA, [WEEK], CONTEXT)
    model = Sarimax()
    own = predict(model, model.fit(DATA, WEEK, CONTEXT), DATA, [WEEK], CONTEXT)
    assert set(instead["method"]) == {"sarimax"}
    pd.testing.assert_frame_equal(instead, own)


def test_a_model_need_not_say_what_it_would_forecast_without_covariates():
    table = predict(LastWeek(), Sarimax().fit(DATA, WEEK, CONTEXT), DATA, [WEEK], CONTEXT)
    assert len(table)
    assert table["without_covariates"].isna().all()


def test_a_model_that_json_cannot_hold_is_named_with_the_remedy(tmp_path):
    with pytest.raises(TypeError, match=r"model 'too_young' cannot be kept as JSON.*define save and load"):
        TooYoung().save(market(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_saved_model_is_loaded_as_it_was(tmp_path):
    model = Sarimax()
    fitted = model.fit(DATA, WEEK, CONTEXT)
    model.save(fitted, tmp_path)
    again = predict(model, model.load(tmp_path), DATA, [WEEK], CONTEXT)
    pd.testing.assert_frame_equal(again, predict(model, fitted, DATA, [WEEK], CONTEXT))
