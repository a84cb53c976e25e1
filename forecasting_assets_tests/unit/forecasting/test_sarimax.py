import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.features.calendar import calendar_features
from forecasting_assets.forecasting import sarimax
from forecasting_assets.forecasting.candidates import CANDIDATES, average_candidates
from forecasting_assets.forecasting.cleaning import Corrections
from forecasting_assets.forecasting.forecast_arrays import FORECAST_COLUMNS, VALUES
from forecasting_assets.forecasting.model import ModelContext
from forecasting_assets.forecasting.panel import ForecastDataError, Panel
from forecasting_assets.forecasting.part_sample import PartSample, sample_parts
from forecasting_assets.forecasting.rolling import MAX_GROWTH, error_scales
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market, table_of

SETTINGS = ForecastingSettings()
COUNTRIES = ("DE",)
CONTEXT = ModelContext(8, SETTINGS, COUNTRIES)
WITHOUT_HOLIDAYS = ModelContext(8, SETTINGS)


def with_holidays(history):
    """Halve the demand of weeks with a public holiday."""
    days = calendar_features(history["week"].dt.date.unique(), COUNTRIES).set_index("week")["holidays"]
    factor = np.where(history["week"].map(days) > 0, 0.5, 1.0)
    return history.assign(quantity=np.ceil(history["quantity"] * factor))


HISTORY = with_holidays(market(weeks=120))
TOTALS = GroupTotals.from_history(HISTORY)
FITTED = add_weeks(FIRST, 92)
ORIGINS = [add_weeks(FITTED, w) for w in range(24)]
KEYS = ["part_id", "region", "origin_week", "horizon"]


@pytest.fixture(scope="module")
def model():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = sarimax.fit(HISTORY, TOTALS, FITTED, CONTEXT)
    assert fitted.holidays is not None
    return fitted


@pytest.fixture(scope="module")
def forecasts(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sarimax.predict(model, HISTORY, TOTALS, ORIGINS, SETTINGS)


def same(one, other):
    one, other = (t.sort_values(KEYS, ignore_index=True) for t in (one, other))
    pd.testing.assert_frame_equal(one[KEYS], other[KEYS])
    np.testing.assert_allclose(one[VALUES], other[VALUES], rtol=1e-8, atol=1e-9)


def forecasts_from(history, origins, fitted=None, totals=None):
    """Forecast from weeks numbered from FIRST, by a model fitted at the first of them."""
    totals = totals or GroupTotals.from_history(history)
    weeks = [add_weeks(FIRST, o) for o in origins]
    model = sarimax.fit(history, totals, add_weeks(FIRST, fitted or origins[0]), WITHOUT_HOLIDAYS)
    return sarimax.predict(model, history, totals, weeks, SETTINGS)


def matrix(predicted, column):
    """Arrange as (series, origins, horizons) a forecast table in which every series has every origin."""
    ordered = predicted.sort_values(KEYS)[column].to_numpy()
    return ordered.reshape(-1, predicted["origin_week"].nunique(), 8)


def targets(demand, origins):
    return np.stack([demand[:, o + 1 : o + 9] for o in origins], axis=1)


def test_every_active_series_has_every_horizon_and_valid_values(forecasts):
    assert list(forecasts.columns) == [*FORECAST_COLUMNS, "without_covariates"]
    for origin in ORIGINS:
        known = HISTORY[HISTORY["week"] <= str(origin)]
        recent = known[known["week"] > str(add_weeks(origin, -52))]
        predicted = forecasts[forecasts["origin_week"] == str(origin)]
        active = set(recent[["part_id", "region"]].itertuples(index=False, name=None))
        assert set(predicted[["part_id", "region"]].itertuples(index=False, name=None)) == active
        assert (predicted.groupby(["part_id", "region"])["horizon"].agg(set) == set(range(1, 9))).all()
    assert forecasts["origin_week"].nunique() == len(ORIGINS)
    assert not forecasts.duplicated(KEYS).any()
    values = forecasts[VALUES].to_numpy()
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values[:, 1:], axis=1) >= 0).all()
    assert forecasts["mean"].between(forecasts["q05"], forecasts["q95"]).mean() > 0.95


@pytest.mark.parametrize("history_weeks", [78, 156])
def test_a_single_week_has_the_same_forecasts_as_in_a_range(history_weeks):
    settings = ForecastingSettings(history_weeks=history_weeks)
    model = sarimax.fit(HISTORY, TOTALS, FITTED, ModelContext(8, settings, COUNTRIES))
    forecasts = sarimax.predict(model, HISTORY, TOTALS, ORIGINS, settings)
    for origin in (ORIGINS[0], ORIGINS[3], ORIGINS[-1]):
        known = HISTORY[HISTORY["week"] <= str(origin)]
        alone = sarimax.predict(model, known, GroupTotals.from_history(known), [origin], settings)
        same(alone, forecasts[forecasts["origin_week"] == str(origin)])


def test_the_order_of_rows_and_origins_does_not_matter(forecasts):
    shuffled = HISTORY.sample(frac=1, random_state=0)
    totals = GroupTotals.from_history(shuffled)
    model = sarimax.fit(shuffled, totals, FITTED, CONTEXT)
    same(sarimax.predict(model, shuffled, totals, ORIGINS[::-1], SETTINGS), forecasts)


def test_history_before_its_window_does_not_matter():
    settings = ForecastingSettings(history_weeks=78)
    begin = add_weeks(FITTED, 1 - settings.history_weeks)
    cut = HISTORY[HISTORY["week"] >= str(begin)]
    assert len(cut) < len(HISTORY)
    predicted = []
    for history in (cut, HISTORY):
        totals = GroupTotals.from_history(history)
        model = sarimax.fit(history, totals, FITTED, ModelContext(8, settings, COUNTRIES))
        predicted.append(sarimax.predict(model, history, totals, ORIGINS, settings))
    same(*predicted)


@pytest.mark.parametrize("poison", [1e6, 1e-3])
@pytest.mark.parametrize("last", [0, 4, 15])
def test_nothing_after_the_origin_changes_a_forecast(forecasts, last, poison):
    after = HISTORY["week"] > str(ORIGINS[last])
    new = HISTORY[after].assign(part_id="NEW", quantity=poison)
    poisoned = pd.concat([HISTORY.assign(quantity=HISTORY["quantity"].mask(after, poison)), new])
    totals = GroupTotals.from_history(poisoned)
    model = sarimax.fit(poisoned, totals, FITTED, CONTEXT)
    predicted = sarimax.predict(model, poisoned, totals, ORIGINS, SETTINGS)
    until = [t[t["origin_week"] <= str(ORIGINS[last])] for t in (predicted, forecasts)]
    same(*until)
    assert "NEW" in set(predicted["part_id"])


def test_the_regions_of_a_part_and_the_group_totals_are_sufficient(model, forecasts):
    for parts in (["P02"], ["P05", "P00", "P03"]):
        some = HISTORY[HISTORY["part_id"].isin(parts)]
        predicted = sarimax.predict(model, some, TOTALS, ORIGINS, SETTINGS)
        same(predicted, forecasts[forecasts["part_id"].isin(parts)])


def test_group_totals_and_other_regions_are_used(model, forecasts):
    """Without this, the test above would also pass for forecasts that borrow nothing."""
    some = HISTORY[HISTORY["part_id"] == "P00"]
    one = some[some["region"] == "R0"]
    for history, totals in ((some, GroupTotals.from_history(some)), (one, TOTALS)):
        predicted = sarimax.predict(model, history, totals, ORIGINS, SETTINGS)
        kept = forecasts.merge(predicted[KEYS], on=KEYS).sort_values(KEYS)
        assert not np.allclose(kept["q50"], predicted.sort_values(KEYS)["q50"], rtol=1e-3)


def test_a_model_restored_from_json_gives_the_same_forecasts(model, forecasts):
    read = SarimaxModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert read.week == FITTED
    assert read.horizon == 8
    pd.testing.assert_frame_equal(sarimax.predict(read, HISTORY, TOTALS, ORIGINS, SETTINGS), forecasts)


def test_units_do_not_matter(forecasts):
    dozens = HISTORY.assign(quantity=HISTORY["quantity"] / 12)
    totals = GroupTotals.from_history(dozens)
    model = sarimax.fit(dozens, totals, FITTED, CONTEXT)
    predicted = sarimax.predict(model, dozens, totals, ORIGINS, SETTINGS)
    same(predicted.assign(**predicted[VALUES] * 12), forecasts)


def test_invalid_demand_names_column_and_value():
    bad = HISTORY.assign(quantity=-1.0)
    with pytest.raises(ForecastDataError, match=r"quantity: -1\.0"):
        sarimax.fit(bad, TOTALS, FITTED, CONTEXT)


@pytest.mark.filterwarnings("error")
def test_forecasts_of_the_first_weeks_are_as_large_as_demand():
    for week in (0, 1, 2, 8):
        predicted = forecasts_from(HISTORY, [week])
        known = HISTORY[HISTORY["week"] <= str(add_weeks(FIRST, week))]
        assert len(predicted) == 8 * known.groupby(["part_id", "region"]).ngroups > 0
        largest = predicted.merge(known.groupby(["part_id", "region"])["quantity"].max().reset_index())
        assert np.isfinite(predicted[VALUES]).all(axis=None)
        assert (largest["q95"] <= MAX_GROWTH * largest["quantity"] * (1 + 1e-9)).all()
        assert (predicted["q95"] > 0).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("week", [-5, 119 + 52])
def test_a_week_without_active_series_has_no_forecasts(week):
    nothing = forecasts_from(HISTORY, [week])
    assert list(nothing.columns) == [*FORECAST_COLUMNS, "without_covariates"]
    assert nothing.empty


@pytest.mark.filterwarnings("error")
def test_constant_demand_is_forecast_exactly():
    predicted = forecasts_from(table_of(np.full((3, 100), 5.0)), [99])
    np.testing.assert_allclose(predicted[VALUES], 5.0, rtol=0.01)


def test_a_forecast_lies_between_those_of_the_candidates_where_no_season_is_known():
    rng = np.random.default_rng(2)
    history = table_of(rng.lognormal(3, 0.3, (5, 40)))
    totals, week = GroupTotals.from_history(history), add_weeks(FIRST, 39)
    model = sarimax.fit(history, totals, week, WITHOUT_HOLIDAYS)
    panel = Panel.from_history(history, add_weeks(week, 1 - SETTINGS.history_weeks), week)
    rolling = sarimax.rolling_forecasts(model, panel, totals)
    of_each = [average_candidates(rolling.endog, panel.first_order, 8, [c]) for c in CANDIDATES]
    predicted = np.stack(of_each)[:, :, -1]
    assert (rolling.location[:, -1] > predicted.min(axis=0)).all()
    assert (rolling.location[:, -1] < predicted.max(axis=0)).all()
    assert not rolling.season.any()


def test_errors_are_of_the_target_week_and_unknown_until_it_closes(model):
    panel = Panel.from_history(HISTORY, add_weeks(FITTED, 1 - SETTINGS.history_weeks), ORIGINS[-1])
    rolling = sarimax.rolling_forecasts(model, panel, TOTALS)
    n_weeks = panel.demand.shape[1]
    for h in (1, 3, 8):
        error = rolling.error[:, :, h - 1]
        assert np.isnan(error[:, n_weeks - h :]).all()
        row, origin = np.nonzero(np.isfinite(error))
        assert (panel.first_order[row] <= origin).all()
        expected = rolling.endog[row, origin + h] - rolling.location[row, origin, h - 1]
        np.testing.assert_allclose(error[row, origin], expected)
        assert len(row) == np.maximum(n_weeks - h - panel.first_order, 0).sum()


def test_an_excluded_week_before_the_first_order_does_not_begin_a_series(model):
    panel = Panel.from_history(HISTORY, add_weeks(FITTED, 1 - SETTINGS.history_weeks), FITTED)
    late = int(panel.first_order.argmax())
    begun = panel.first_order[late]
    assert begun > 3
    excluded = np.zeros(panel.demand.shape, dtype=bool)
    excluded[late, [1, begun]] = True
    corrected = replace(panel, corrections=Corrections(excluded, np.zeros_like(excluded)))
    endog = sarimax.rolling_forecasts(model, corrected, TOTALS).endog[late]
    assert not endog[:begun].any()
    assert np.isnan(endog[begun])


def test_a_random_walk_is_forecast_as_well_as_by_its_last_value():
    walks = 1000 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.05, (60, 112)), axis=1))
    predicted = forecasts_from(table_of(walks[:, :104]), [103])
    ours = np.abs(matrix(predicted, "q50")[:, 0] - walks[:, 104:]).sum()
    last = np.abs(walks[:, [103]] - walks[:, 104:]).sum()
    assert 0.9 * last < ours < 1.1 * last


def test_the_level_of_noisy_demand_is_estimated():
    demand = 100 * np.random.default_rng(5).lognormal(0, 0.3, (40, 112))
    predicted = forecasts_from(table_of(demand[:, :104]), [103])
    ours = np.abs(matrix(predicted, "q50")[:, 0] - demand[:, 104:]).mean()
    assert ours < 1.1 * np.abs(100 - demand[:, 104:]).mean()


def seasonal(weeks=156 + 8, series=30, seed=6):
    """Generate demand of parts that each have a season, with phases that cancel in the total of their category."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(series)[:, None] / series
    season = 0.5 * np.sin(2 * np.pi * np.arange(weeks) / 52 + phase)
    return [200 * np.exp(season + rng.normal(0, 0.1, season.shape)) for _ in range(3)]


def test_a_category_that_begins_series_by_series_has_no_season_from_it():
    """The total of the category rises in its first weeks, a year ago, and in no series."""
    demand = 100 * np.random.default_rng(8).lognormal(0, 0.02, (25, 118))
    demand *= np.arange(118) >= 60 + np.arange(25)[:, None] % 5
    predicted = forecasts_from(table_of(demand[:, :110]), [109])
    error = np.abs(matrix(predicted, "q50")[:, 0] / demand[:, 110:] - 1)
    assert error.mean() < 0.05


def test_a_season_is_forecast():
    demand, *_ = seasonal()
    predicted = forecasts_from(table_of(demand[:, :156]), [155])
    ours = np.abs(matrix(predicted, "q50")[:, 0] - demand[:, 156:])
    assert ours.mean() < 0.7 * np.abs(demand[:, [155]] - demand[:, 156:]).mean()
    half_a_year = forecasts_from(table_of(demand[:, :156] * (np.arange(156) >= 130)), [155])
    assert ours.mean() < 0.7 * np.abs(matrix(half_a_year, "q50")[:, 0] - demand[:, 156:]).mean()


def test_a_young_region_borrows_the_season_of_its_part():
    old, also_old, young = seasonal()
    young[:, :135] = 0
    alone = table_of(young[:, :156], "young")
    together = pd.concat([table_of(old[:, :156], "old"), table_of(also_old[:, :156], "other"), alone])
    errors = []
    for history in (together, alone):
        predicted = forecasts_from(history, [155])
        predicted = predicted[predicted["region"] == "young"]
        errors.append(np.abs(matrix(predicted, "q50")[:, 0] - young[:, 156:]).mean())
    assert errors[0] < 0.6 * errors[1]


def test_a_young_part_borrows_the_season_of_its_category():
    rng = np.random.default_rng(7)
    season = 0.5 * np.sin(2 * np.pi * np.arange(164) / 52)
    demand = 200 * np.exp(season + rng.normal(0, 0.1, (30, 164)))
    demand[20:, :135] = 0
    history = table_of(demand[:, :156])
    errors = []
    for rows in (history, history[history["part_id"] >= "P020"]):
        predicted = forecasts_from(rows, [155])
        predicted = predicted[predicted["part_id"] >= "P020"]
        errors.append(np.abs(matrix(predicted, "q50")[:, 0] - demand[20:, 156:]).mean())
    assert errors[0] < 0.75 * errors[1]


def noisy_levels(seed, series=80, weeks=150):
    rng = np.random.default_rng(seed)
    level = np.cumsum(rng.normal(0, 0.05, (series, weeks)), axis=1)
    return 100 * np.exp(level + rng.normal(0, 0.3, (series, weeks)))


def test_intervals_have_nominal_coverage():
    demand, origins = noisy_levels(8), [115, 119, 123, 127, 131, 135, 139]
    predicted, actual = forecasts_from(table_of(demand), origins), targets(demand, origins)
    for low, high, nominal in (("q05", "q95", 0.9), ("q10", "q90", 0.8), ("q25", "q75", 0.5)):
        inside = (matrix(predicted, low) <= actual) & (actual <= matrix(predicted, high))
        np.testing.assert_allclose(inside.mean(), nominal, atol=0.03)
        np.testing.assert_allclose(inside.mean(axis=(0, 1)), nominal, atol=0.08)


def test_quantiles_have_nominal_coverage_for_sparse_demand():
    rng = np.random.default_rng(9)
    demand = rng.lognormal(2, 0.8, (100, 150)) * (rng.random((100, 150)) < 0.3)
    origins = [115, 123, 131, 139]
    predicted, actual = forecasts_from(table_of(demand), origins), targets(demand, origins)
    for quantile, level in (("q75", 0.75), ("q90", 0.9), ("q95", 0.95)):
        assert (actual <= matrix(predicted, quantile)).mean() == pytest.approx(level, abs=0.03)
    assert predicted["q50"].mean() < 0.1 * demand.mean()


def test_intervals_of_noisier_series_are_wider():
    rng = np.random.default_rng(10)
    noise = np.repeat([0.1, 0.3], 30)[:, None]
    predicted = forecasts_from(table_of(100 * np.exp(noise * rng.normal(size=(60, 120)))), [119])
    width = (matrix(predicted, "q95") - matrix(predicted, "q05")).mean(axis=(1, 2))
    assert width[:30].max() < width[30:].min()


def test_intervals_of_a_random_walk_grow_with_the_horizon():
    walks = 1000 * np.exp(np.cumsum(np.random.default_rng(11).normal(0, 0.05, (60, 112)), axis=1))
    predicted = forecasts_from(table_of(walks), [111])
    width = (matrix(predicted, "q90") - matrix(predicted, "q10")).mean(axis=(0, 1))
    assert (np.diff(width) > 0).all()
    assert width[7] / width[0] == pytest.approx(np.sqrt(8), rel=0.3)


@pytest.mark.parametrize("chance", [1.0, 0.3])
def test_the_mean_of_skewed_demand_is_not_its_median(chance):
    rng = np.random.default_rng(12)
    demand = 10 * rng.lognormal(0, 0.9, (100, 150)) * (rng.random((100, 150)) < chance)
    predicted = forecasts_from(table_of(demand), [120, 128, 136, 141])
    true = 10 * chance * np.exp(0.9**2 / 2)
    mean, median = predicted["mean"].mean(), predicted["q50"].mean()
    assert abs(mean - true) < 0.3 * abs(median - true)


def test_forecasts_are_limited_by_the_largest_demand_so_far():
    growing = np.exp(0.6 * np.arange(30)) * np.ones((20, 1))
    predicted = forecasts_from(table_of(growing), [29])
    largest = growing[0, -1]
    assert predicted["q50"].max() > largest
    assert predicted[VALUES].max(axis=None) <= MAX_GROWTH * largest * (1 + 1e-9)


def test_a_sample_has_whole_parts_and_about_the_requested_number_of_series():
    table = pd.DataFrame([(f"P{i}", f"R{r}") for i in range(200) for r in range(i % 4 + 1)])
    table.columns = ["part_id", "region"]
    before: set[str] = set()
    for n_series in (10, 100, 300):
        drawn = sample_parts(table, n_series)
        parts = set(drawn["part_id"])
        assert drawn.equals(table[table["part_id"].isin(parts)])
        assert n_series <= len(drawn) < n_series + 4
        assert set(sample_parts(table.sample(frac=1, random_state=1), n_series)["part_id"]) == parts
        assert before < parts
        before = parts
    assert sample_parts(table, len(table)).equals(table)


def test_a_sample_of_chunks_equals_the_sample_of_all_rows_and_keeps_nothing_else():
    table = pd.DataFrame(
        [(f"P{i}", f"R{r}", w) for i in range(300) for r in range(3) for w in range(i % 9 + 1)],
        columns=["part_id", "region", "week"],
    ).sample(frac=1, random_state=0)
    of_all = sample_parts(table, 50)
    sample = PartSample(50)
    for begin in range(0, len(table), 100):
        sample.add(table.iloc[begin : begin + 100])
    assert sample.rows.equals(of_all)
    held = sum(map(len, sample._kept))
    assert held < len(table) / 5


@pytest.mark.parametrize("amplitude", [0.5, 0.8])
@pytest.mark.parametrize("opposed", [False, True])
def test_a_strong_season_is_forecast_as_well_as_by_seasonal_naive(amplitude, opposed):
    """Alone, and with the opposite season in the same category."""
    rng, weeks = np.random.default_rng(11), np.arange(164)
    phase = np.where((np.arange(8) % 2 == 1) & opposed, np.pi, 0.0)[:, None]
    demand = 200 * (1 + amplitude * np.sin(2 * np.pi * weeks / 52 + phase)) * rng.lognormal(0, 0.05, (8, 164))
    predicted = forecasts_from(table_of(demand[:, :156]), [155])
    actual = demand[:, 156:]
    error = np.abs(matrix(predicted, "q50")[:, 0] - actual).sum() / actual.sum()
    naive = np.abs(demand[:, 104:112] - actual).sum() / actual.sum()
    assert error < 1.1 * naive
    assert abs(matrix(predicted, "mean")[:, 0].sum() / actual.sum() - 1) < 0.05


def test_an_absurd_quantity_a_year_ago_changes_no_other_series():
    demand, *_ = seasonal()
    absurd = demand[:, :156].copy()
    absurd[0, 106] = 2e9
    usual, other = (
        matrix(forecasts_from(table_of(d), [155]), "mean")[:, 0] for d in (demand[:, :156], absurd)
    )
    np.testing.assert_allclose(other[1:], usual[1:], rtol=0.05)
    np.testing.assert_allclose(other[0], usual[0], rtol=0.25)


def test_an_absurd_quantity_does_not_raise_the_means_of_other_series():
    rng = np.random.default_rng(9)
    demand = 10 * rng.lognormal(0, 0.6, (40, 130))
    absurd = demand.copy()
    absurd[0, 124] = 1e6
    week = add_weeks(FIRST, 129)
    usual, other = (
        sarimax.fit(table, GroupTotals.from_history(table), week, WITHOUT_HOLIDAYS).smearing
        for table in (table_of(demand), table_of(absurd))
    )
    assert usual[0] < 0.9
    np.testing.assert_allclose(other, usual, atol=0.05)


def test_the_scale_of_errors_is_learned_for_each_horizon():
    """The errors of a random walk grow with the horizon, those of noise around a level do not."""
    rng = np.random.default_rng(8)
    walks = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, (20, 150)), axis=1))
    noise = 100 * rng.lognormal(0, 0.1, (20, 150))
    history = table_of(np.concatenate([walks, noise]))
    totals, week = GroupTotals.from_history(history), add_weeks(FIRST, 149)
    model = sarimax.fit(history, totals, week, WITHOUT_HOLIDAYS)
    panel = Panel.from_history(history, add_weeks(week, 1 - SETTINGS.history_weeks), week)
    rolling = sarimax.rolling_forecasts(model, panel, totals)
    scales = error_scales(rolling, model.error_by_horizon, model.spread)
    growth = scales[:, -1, -1] / scales[:, -1, 0]
    assert np.median(growth[:20]) > 1.5 * np.median(growth[20:])
    np.testing.assert_allclose(
        scales[:, 0], scales[:, :1, 0] * (model.error_by_horizon / model.error_by_horizon[0])
    )

    column = np.arange(rolling.error.shape[1])[:, None]
    later = replace(rolling, error=np.where(column > 180, 9.0, rolling.error))
    poisoned = error_scales(later, model.error_by_horizon, model.spread)
    # The first of these errors is known at the end of week 182.
    np.testing.assert_array_equal(poisoned[:, :182], scales[:, :182])
    assert (poisoned[:, 182, 0] != scales[:, 182, 0]).any()
