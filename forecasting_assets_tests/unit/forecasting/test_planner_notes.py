"""What planners say about past weeks and about parts, in the forecasts of both models."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.cleaned_points import cleaned_points
from forecasting_assets.forecasting.cleaning import INTERRUPTION_WEEKS
from forecasting_assets.forecasting.forecast_arrays import VALUES
from forecasting_assets.forecasting.model import ModelContext, ModelData
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.planner_notes import (
    MIN_REMAINING,
    by_knowledge,
    correction_notes,
)
from forecasting_assets.forecasting.registry import Sarimax, predict
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.successions import succession_notes
from forecasting_assets.forecasting.xgb import Baseline
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST

SETTINGS = ForecastingSettings()
WEEKS, HORIZON = 120, 4
LAST = add_weeks(FIRST, WEEKS - 1)
CONTEXT = ModelContext(HORIZON, SETTINGS)
KEY = [*SERIES, "origin_week", "horizon"]


def market(series: int = 12) -> np.ndarray:
    """Generate the demand of steady, seasonal series, (series, weeks)."""
    rng = np.random.default_rng(2)
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(WEEKS) / 52)
    return np.round(
        100 * (1 + np.arange(series) % 4)[:, None] * season * rng.lognormal(0, 0.1, (series, WEEKS))
    )


def history_of(demand: np.ndarray) -> pd.DataFrame:
    """Build the rows of orders: two categories, two regions, each series a part of its own."""
    series, week = np.nonzero(demand)
    return pd.DataFrame(
        {
            "part_id": [f"P{i:02}" for i in series],
            "region": [f"R{i % 2}" for i in series],
            "part_category": [f"C{i // 2 % 2}" for i in series],
            "week": pd.to_datetime([add_weeks(FIRST, int(w)) for w in week]),
            "quantity": demand[series, week],
        }
    )


def corrected(history: pd.DataFrame, weeks: list[int], action: str, entered: date, part: str = "P00"):
    """Add corrections of some weeks of a part."""
    rows = pd.DataFrame(
        {
            "part_id": part,
            "region": f"R{int(part[1:]) % 2}",
            "week": pd.to_datetime([add_weeks(FIRST, w) for w in weeks]),
            "action": action,
            "entered": pd.Timestamp(entered),
        }
    )
    return pd.concat([history, correction_notes(rows)], ignore_index=True)


def succession(share: float | None = None, entered: date = LAST, from_week: int = WEEKS - 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "part_id": ["P00"],
            "successor_id": ["P02"],
            "region": [None],
            "from_week": [pd.Timestamp(add_weeks(FIRST, from_week))],
            "share": [np.nan if share is None else share],
            "entered": [pd.Timestamp(entered)],
        }
    )


def fitted_model(history: pd.DataFrame, fitted: date = LAST) -> SarimaxModel:
    """Fit a model and restore it from what MLflow would keep of it."""
    model = sarimax.fit(history, GroupTotals.from_history(history), fitted, CONTEXT)
    return SarimaxModel.from_dict(model.to_dict())


def forecast(
    history: pd.DataFrame, model: SarimaxModel | None = None, origins: list[date] | None = None
) -> pd.DataFrame:
    data = ModelData(pd.DataFrame(), history, GroupTotals.from_history(history))
    model = model or fitted_model(history)
    return predict(Sarimax(), model, data, origins or [LAST], CONTEXT).sort_values(KEY)


def of_part(forecasts: pd.DataFrame, part: str = "P00") -> np.ndarray:
    return forecasts.loc[forecasts["part_id"] == part, "mean"].to_numpy()


@pytest.fixture(scope="module")
def usual():
    return forecast(history_of(market()))


@pytest.mark.parametrize("units", [2e9, 30_000.0])
def test_an_absurd_quantity_a_year_ago_changes_no_other_series(usual, units):
    demand = market()
    demand[0, WEEKS - 52 + 1] = units
    changed = forecast(history_of(demand))
    others = (usual["part_id"] != "P00").to_numpy()
    np.testing.assert_allclose(changed[others]["mean"], usual[others]["mean"], rtol=0.01)


@pytest.mark.parametrize("weeks", [3, 16, 26])
def test_weeks_without_stock_that_are_excluded_do_not_count_as_no_demand(usual, weeks):
    demand, gap = market(), list(range(WEEKS - 1 - weeks, WEEKS - 1))
    demand[0, gap] = 0
    history = history_of(demand)
    excluded = corrected(history, gap, "exclude", LAST)
    model = fitted_model(excluded)
    found = forecast(excluded, model)
    np.testing.assert_allclose(of_part(found), of_part(usual), rtol=0.1)
    width, usually = ((of["q95"] - of["q05"])[of["part_id"] == "P00"].mean() for of in (found, usual))
    assert width == pytest.approx(usually, rel=0.15)
    if weeks < INTERRUPTION_WEEKS:
        assert of_part(forecast(history)).mean() < 0.8 * of_part(usual).mean()
    panel = Panel.from_history(excluded, FIRST, LAST)
    base = Baseline.from_history(
        model, excluded, GroupTotals.from_history(excluded), LAST, SETTINGS, with_earlier_years=False
    )
    column = base.panel.column(LAST)
    ordered = panel.demand[0, WEEKS - 52 :]
    assert base.usual.level[0, column] == pytest.approx(ordered[ordered > 0].mean(), rel=0.2)
    assert np.isnan(base.rolling.error[0, column - 1 - weeks : column - 1, 0]).all()


@pytest.mark.parametrize("weeks_ago", [1, 3, 10, 40])
def test_a_launch_that_is_excluded_is_as_if_it_had_not_been_ordered(weeks_ago):
    demand, launch = market(), WEEKS - 1 - weeks_ago
    demand[0, :launch] = 0
    without = demand.copy()
    demand[0, launch], without[0, launch] = 50 * demand[0].max(), 0
    history = history_of(demand)
    model, expected = fitted_model(history_of(without)), forecast(history_of(without))
    excluded = corrected(history, [launch], "exclude", LAST)
    pd.testing.assert_frame_equal(
        forecast(excluded, model)[VALUES].reset_index(drop=True), expected[VALUES].reset_index(drop=True)
    )
    assert abs(of_part(forecast(history, model)) / of_part(expected) - 1).max() > 0.01


def test_a_part_whose_orders_are_all_excluded_is_forecast_as_zero_from_whatever_range_of_origins():
    demand, launch = market(), WEEKS - 4
    demand[0, :launch] = 0
    demand[0, launch + 1] = 0
    history, origins = history_of(demand), [add_weeks(FIRST, launch + n) for n in (0, 1, 2)]
    excluded = corrected(history, [launch], "exclude", origins[0])
    model = fitted_model(excluded, add_weeks(FIRST, launch - 4))
    found = forecast(excluded, model, origins)
    of_new = found[found["part_id"] == "P00"]
    nothing_counts = of_new["origin_week"].isin(pd.to_datetime(origins[:2]))
    assert (of_new.loc[nothing_counts, VALUES] == 0).all(axis=None)
    assert (of_new.loc[~nothing_counts, "mean"] > 0).all()
    alone = forecast(excluded, model, origins[:1])
    first = found[found["origin_week"] == pd.Timestamp(origins[0])]
    np.testing.assert_allclose(alone[VALUES], first[VALUES], rtol=1e-9)


def young_with(units: float) -> np.ndarray:
    """Return the demand of the market, in which the first part has four weeks with orders, one of them absurd."""
    demand = market()
    demand[0, : WEEKS - 4] = 0
    demand[0, WEEKS - 3] = units
    return demand


def test_an_absurd_quantity_of_a_young_part_changes_no_forecast_and_is_listed():
    expected = forecast(history_of(young_with(100)))
    history = history_of(young_with(2e9))
    found = forecast(history)
    np.testing.assert_allclose(found["mean"], expected["mean"], rtol=0.2)
    others = (expected["part_id"] != "P00").to_numpy()
    np.testing.assert_allclose(found.loc[others, "mean"], expected.loc[others, "mean"], rtol=0.01)
    limits = GroupTotals.from_history(history).limits(FIRST, LAST)
    points = cleaned_points(Panel.from_history(history, FIRST, LAST, limits), WEEKS - 1)
    assert points[["part_id", "quantity", "reason"]].values.tolist() == [["P00", 2e9, "outlier"]]
    # Planners decide: kept, it counts; excluded, it is theirs.
    kept = forecast(corrected(history, [WEEKS - 3], "keep", LAST))
    assert of_part(kept).mean() > 1000 * of_part(expected).mean()
    excluded = corrected(history, [WEEKS - 3], "exclude", LAST)
    points = cleaned_points(Panel.from_history(excluded, FIRST, LAST, limits), WEEKS - 1)
    assert points["reason"].tolist() == ["excluded"]


def test_an_absurd_quantity_of_a_predecessor_with_few_orders_is_not_inherited():
    demand = np.zeros((12, WEEKS))
    demand[1:] = market()[1:]
    demand[0, [10, 40, 70, 100]] = 5.0
    demand[2, :] = 0
    demand[2, WEEKS - 3 :] = 5.0
    plain, demand[0, 70] = demand.copy(), 2e9
    means = []
    for orders in (history_of(plain), history_of(demand)):
        notes = succession_notes(orders, succession(), corrected(orders[:0], [], "keep", LAST))
        means.append(of_part(forecast(pd.concat([orders, notes], ignore_index=True)), "P02"))
    assert means[1].mean() < 3 * means[0].mean() + 5


def test_an_absurd_quantity_after_the_fit_is_the_same_alone_and_in_a_range():
    demand = young_with(2e9)
    demand[0, WEEKS - 2] = 3e9
    history, fitted = history_of(demand), add_weeks(LAST, -3)
    origins = [add_weeks(LAST, -n) for n in (2, 1, 0)]
    model = fitted_model(history, fitted)
    together = forecast(history, model, origins)
    for origin in origins:
        alone = forecast(history[history["week"] <= pd.Timestamp(origin)], model, [origin])
        of_origin = together[together["origin_week"] == pd.Timestamp(origin)]
        np.testing.assert_allclose(of_origin[VALUES], alone[VALUES], rtol=1e-9)
    assert of_part(together).max() < 1e6


@pytest.mark.parametrize("weeks", [11, 16, 26])
def test_a_closure_that_has_ended_lowers_no_forecast(usual, weeks):
    demand = market()
    demand[0, WEEKS - 1 - weeks : WEEKS - 1] = 0
    np.testing.assert_allclose(of_part(forecast(history_of(demand))), of_part(usual), rtol=0.1)
    # Until then, the part fades.
    demand[0, WEEKS - 1] = 0
    assert of_part(forecast(history_of(demand))).mean() < 0.3 * of_part(usual).mean()


def test_what_is_left_out_is_listed_and_a_planner_can_keep_it():
    demand = market()
    demand[0, 80], demand[1, 85], demand[2, 60:70] = 1e6, 1e6, 0
    history = corrected(history_of(demand), [80, 90], "exclude", LAST)
    history = corrected(history, [85], "keep", LAST, "P01")
    found = cleaned_points(Panel.from_history(history, FIRST, LAST), WEEKS - 1)
    weeks = [pd.Timestamp(add_weeks(FIRST, w)) for w in (80, 90, *range(60, 70))]
    assert found["demand_week"].tolist() == weeks
    assert found["reason"].tolist() == ["excluded"] * 2 + ["interruption"] * 10
    assert found["quantity"].tolist() == [1e6, demand[0, 90], *[0.0] * 10]
    assert found["usual"].iloc[0] == pytest.approx(np.median(demand[0]), rel=0.1)


def test_the_correction_entered_last_counts():
    history = corrected(history_of(market()), [80], "exclude", add_weeks(LAST, -2))
    history = corrected(history, [80], "keep", LAST)
    before, after = (Panel.from_history(history, FIRST, last) for last in (add_weeks(LAST, -1), LAST))
    assert before.corrections
    assert before.corrections.excluded[0, 80]
    assert after.corrections
    assert not after.corrections.excluded.any()
    assert after.corrections.kept[0, 80]


def notes_of_both_kinds(history: pd.DataFrame, entered: date) -> pd.DataFrame:
    history = corrected(history, [70, WEEKS - 8], "exclude", entered)
    history = corrected(history, [75], "keep", entered, "P04")
    notes = succession_notes(history[history["note"].isna()], succession(entered=entered, from_week=60))
    return pd.concat([history, notes], ignore_index=True)


def test_notes_entered_later_change_nothing_and_a_range_is_as_its_weeks():
    demand = market()
    demand[4, 75] = 1e6
    fitted, entered = add_weeks(LAST, -3), add_weeks(LAST, -1)
    origins = [fitted, add_weeks(LAST, -2), entered, LAST]
    noted = notes_of_both_kinds(history_of(demand), entered)
    model = fitted_model(noted, fitted)
    together = forecast(noted, model, origins)
    alone = pd.concat([forecast(noted, model, [origin]) for origin in origins]).sort_values(KEY)
    np.testing.assert_allclose(together[VALUES], alone[VALUES], rtol=1e-9)
    unaware = forecast(history_of(demand), fitted_model(history_of(demand), fitted), origins)
    before = (together["origin_week"] < pd.Timestamp(entered)).to_numpy()
    np.testing.assert_array_equal(together[before][VALUES], unaware[before][VALUES])
    assert not np.allclose(together[~before]["mean"], unaware[~before]["mean"], rtol=0.01)


def test_origins_that_know_the_same_notes_share_a_panel():
    noted = notes_of_both_kinds(history_of(market()), add_weeks(LAST, -1))
    groups = [group for group, _ in by_knowledge(noted, [add_weeks(LAST, -w) for w in range(4)])]
    assert groups == [[add_weeks(LAST, -3), add_weeks(LAST, -2)], [add_weeks(LAST, -1), LAST]]


@given(share=st.floats(0.05, 1.0), begun=st.integers(90, WEEKS - 2), planned=st.integers(80, WEEKS - 1))
@settings(max_examples=20, deadline=None)
def test_what_a_successor_inherits_its_predecessor_no_longer_has(share, begun, planned):
    demand = market(4)
    demand[2, :begun] = 0
    history = history_of(demand)
    notes = succession_notes(history, succession(share, from_week=planned))
    panel = Panel.from_history(pd.concat([history, notes]), FIRST, LAST)
    takes_over = max(begun, planned)
    np.testing.assert_allclose(panel.demand[2, :takes_over], (demand[2] + share * demand[0])[:takes_over])
    left = max(1 - share, MIN_REMAINING)
    np.testing.assert_allclose(panel.demand[0, :takes_over], left * demand[0, :takes_over])
    np.testing.assert_array_equal(panel.demand[[0, 2], takes_over:], demand[[0, 2], takes_over:])
    np.testing.assert_array_equal(panel.demand[[1, 3]], demand[[1, 3]])
    assert panel.active(WEEKS - 1).all()
    assert panel.active(begun - 1).tolist() == [True, True, False, True]


def test_a_successor_is_forecast_at_once_and_its_predecessor_fades(usual):
    demand = market()
    demand[2, : WEEKS - 2] = 0
    demand[2, WEEKS - 2 :], demand[0, WEEKS - 2 :] = demand[0, WEEKS - 2 :], 0
    history = history_of(demand)
    noted = pd.concat([history, succession_notes(history, succession())], ignore_index=True)
    found = forecast(noted)
    np.testing.assert_allclose(of_part(found, "P02"), of_part(usual, "P00"), rtol=0.05)
    assert of_part(found, "P00").max() < 0.03 * of_part(usual, "P00").min()
    others = ~found["part_id"].isin(["P00", "P02"])
    assert len(found) == len(usual)
    np.testing.assert_allclose(found[others]["mean"], forecast(history)[others]["mean"], rtol=0.01)


def test_origins_are_told_apart_by_notes_of_other_parts_too():
    """A task without the part that a correction is about uses its category total as known at each origin."""
    history = history_of(market())
    noted = pd.DataFrame({"known": [pd.Timestamp(add_weeks(FIRST, WEEKS - 2))]})
    origins = [add_weeks(FIRST, WEEKS - n) for n in (3, 2, 1)]
    groups = [of for of, _ in by_knowledge(history, origins, noted)]
    assert groups == [origins[:1], origins[1:]]
    assert [of for of, _ in by_knowledge(history, origins)] == [origins]
