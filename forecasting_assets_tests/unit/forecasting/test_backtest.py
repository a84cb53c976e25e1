import numpy as np
import pandas as pd
import pytest

from devtools.feature_table import features
from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting import backtest as backtest_module
from forecasting_assets.forecasting.backtest import PastForecasts, rolling_backtest
from forecasting_assets.forecasting.combine import combine
from forecasting_assets.forecasting.forecast_arrays import LEVELS, forecast_table
from forecasting_assets.forecasting.naive import seasonal_naive
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.value_added import STEPS
from forecasting_assets.tables import QUANTILES
from forecasting_assets.weeks import add_weeks, week_index
from forecasting_assets_tests.support.market import FIRST, market

HISTORY = market(weeks=100)
FEATURES = features(HISTORY, 3).assign(price=lambda f: 1.0 + f["part_id"].str.len())
SETTINGS = ForecastingSettings(backtest_weeks=8, weight_prior_cells=20)
HORIZON = 3
MEMBERS = ("sarimax", "xgb")
MODELS = [*MEMBERS, "combined", "seasonal_naive"]
WEEKS = [add_weeks(FIRST, w) for w in range(90, 100)]
KNOWN = ["part_id", "region", "segment", "part_category", "mean_52", "price"]
KEY = ["origin_week", "model", "segment", "horizon", "metric"]


def segments(origin):
    return FEATURES.loc[FEATURES["week"] == str(origin), KNOWN]


def forecasts(model, origin):
    """Generate forecasts that differ by model and origin; none at some origins, as in a lake with gaps."""
    active = FEATURES[FEATURES["week"] == str(origin)]
    if week_index(origin) % 11 == 0 or active.empty:
        return None
    rng = np.random.default_rng([week_index(origin), MODELS.index(model)])
    level = active["mean_13"].to_numpy()[:, None] * rng.lognormal(
        0, 0.3 if model == "xgb" else 0.6, (len(active), HORIZON)
    )
    values = level[..., None] * np.array([1.0, *(0.5 + LEVELS)])
    table = forecast_table(active[["part_id", "region"]], active["week"].to_numpy(), values)
    # Without covariates, forecasts of the third week would be a tenth higher.
    return table.assign(without_covariates=(1.1 * table["q50"]).where(table["horizon"] == 3))


def judged(weeks, history=HISTORY):
    return rolling_backtest(weeks, PastForecasts(MEMBERS, forecasts, segments), history, HORIZON, SETTINGS)


def last_report(forecasts_of):
    """Return the report of the last week on other forecasts."""
    past = PastForecasts(MEMBERS, forecasts_of, segments)
    return rolling_backtest(WEEKS[-1:], past, HISTORY, HORIZON, SETTINGS)[WEEKS[-1]].report


def backtest(weeks, history=HISTORY):
    return {week: result.report for week, result in judged(weeks, history).items()}


@pytest.fixture(scope="module")
def results():
    return judged(WEEKS)


@pytest.fixture(scope="module")
def reports(results):
    return {week: result.report for week, result in results.items()}


def value(report, model, metric, segment="all", horizon=0):
    rows = report.set_index(KEY[1:])["value"]
    return rows[model, segment, horizon, metric]


def cells(week, model):
    """Return the cells that count for the report of `week`, one row each, in plain pandas."""
    tables = [forecasts(model, add_weeks(week, -n)) for n in range(1, SETTINGS.backtest_weeks + 1)]
    table = pd.concat([t for t in tables if t is not None])
    table = table[table["target_week"] <= str(week)]
    demand = HISTORY.rename(columns={"week": "target_week", "quantity": "actual"})
    columns = ["part_id", "region", "target_week"]
    return table.merge(demand[[*columns, "actual"]], how="left", on=columns).fillna({"actual": 0.0})


def test_errors_compare_earlier_forecasts_with_weeks_closed_since(reports):
    for week, report in reports.items():
        for model in ("sarimax", "xgb"):
            table = cells(week, model)
            assert value(report, model, "n") == len(table)
            rmse = np.sqrt(((table["mean"] - table["actual"]) ** 2).mean())
            assert value(report, model, "rmse") == pytest.approx(rmse)
            third = table[table["horizon"] == 3]
            wape = (third["q50"] - third["actual"]).abs().sum() / third["actual"].sum()
            assert value(report, model, "wape", horizon=3) == pytest.approx(wape)


def test_segments_and_horizons_add_up_to_all(reports):
    report = reports[WEEKS[-1]]
    for model in MODELS:
        n = report[(report["metric"] == "n") & (report["model"] == model)]
        parts = n[(n["segment"] != "all") & (n["horizon"] > 0)]["value"].sum()
        assert parts == value(report, model, "n")


def test_a_single_week_is_the_same_as_in_a_range(results):
    for week in (WEEKS[0], WEEKS[5], WEEKS[-1]):
        alone = judged([week], HISTORY[HISTORY["week"] <= str(week)].sample(frac=1, random_state=0))[week]
        pd.testing.assert_frame_equal(alone.report, results[week].report, rtol=1e-9)
        pd.testing.assert_frame_equal(alone.correlations, results[week].correlations, rtol=1e-9)
        pd.testing.assert_frame_equal(alone.errors, results[week].errors, rtol=1e-9)
        pd.testing.assert_frame_equal(alone.parts, results[week].parts, rtol=1e-9)


def test_nothing_after_the_week_changes_its_report(results, reports):
    week = WEEKS[4]
    poisoned = HISTORY.assign(quantity=HISTORY["quantity"].where(HISTORY["week"] <= str(week), 1e6))
    changed = judged(WEEKS, poisoned)
    for table in ("report", "errors", "parts"):
        pd.testing.assert_frame_equal(getattr(changed[week], table), getattr(results[week], table), rtol=1e-9)
    assert value(changed[WEEKS[5]].report, "xgb", "rmse") > 10 * value(reports[WEEKS[5]], "xgb", "rmse")


def combined_at(week, change=lambda table: table):
    """Return the combinations that count for `week`, of forecasts that `change` alters, with actual demand."""
    origins = [add_weeks(week, -n) for n in range(1, 9)]
    known, combined = backtest(sorted(origins)), []
    for origin in origins:
        tables = {model: forecasts(model, origin) for model in MEMBERS}
        if all(table is not None for table in tables.values()):
            tables = {model: change(table) for model, table in tables.items()}
            combined.append(combine(tables, segments(origin), known[origin]))
    table = pd.concat(combined)
    demand = HISTORY.rename(columns={"week": "target_week", "quantity": "actual"}).drop(
        columns="part_category"
    )
    table = table[table["target_week"] <= str(week)].merge(
        demand, how="left", on=["part_id", "region", "target_week"]
    )
    return table.fillna({"actual": 0.0})


def test_combined_uses_the_report_of_each_origin(reports):
    table = combined_at(WEEKS[-1])
    error = table["mean"] - table["actual"]
    assert value(reports[WEEKS[-1]], "combined", "rmse") == pytest.approx(np.sqrt((error**2).mean()))


def test_combined_is_reconciled_with_the_markets_of_each_origin(results):
    changed = add_weeks(WEEKS[-1], -2)
    assert forecasts("xgb", changed) is not None

    def far_more(origin):
        if origin != changed:
            return None
        markets = segments(origin).groupby(["part_category", "region"]).size().rename("series").reset_index()
        names = markets.rename(columns={"part_category": "part_id"})
        values = np.full((len(names), HORIZON, 1 + len(LEVELS)), 1e5)
        table = forecast_table(names, np.full(len(names), np.datetime64(origin)), values)
        return table.rename(columns={"part_id": "part_category"}).merge(
            markets, on=["part_category", "region"]
        )

    past = PastForecasts(MEMBERS, forecasts, segments, markets=far_more)
    found = rolling_backtest(WEEKS[-1:], past, HISTORY, HORIZON, SETTINGS)[WEEKS[-1]]
    before = results[WEEKS[-1]]
    for step in ("plain_average", "weighted_average"):
        assert value(found.report, step, "wape") == value(before.report, step, "wape")
    assert value(before.report, "reconciled", "wape") == value(before.report, "weighted_average", "wape")
    assert value(found.report, "reconciled", "wape") > value(before.report, "reconciled", "wape")

    def totals(backtest):
        rows = backtest.errors[
            (backtest.errors["grouping"] == "total") & (backtest.errors["model"] == "combined")
        ]
        return rows.set_index(["origin_week", "horizon"])["forecast"]

    ratio = totals(found) / totals(before)
    moved = ratio.index.get_level_values("origin_week") == pd.Timestamp(changed)
    assert moved.sum() == 2
    assert (ratio[moved] > 1.2).all()
    np.testing.assert_allclose(ratio[~moved], 1.0)


def test_without_covariates_the_weighted_medians_are_those_without_them(reports):
    table = combined_at(
        WEEKS[-1], lambda table: table.assign(mean=table["without_covariates"].fillna(table["q50"]))
    )
    wape = (table["mean"] - table["actual"]).abs().sum() / table["actual"].sum()
    assert value(reports[WEEKS[-1]], "without_covariates", "wape") == pytest.approx(wape)
    assert wape != pytest.approx(value(reports[WEEKS[-1]], "weighted_average", "wape"))


def test_models_are_compared_where_each_of_them_has_forecasts():
    def late(models):
        begin = add_weeks(WEEKS[-1], -6)
        report = last_report(lambda m, o: None if m in models and o < begin else forecasts(m, o))
        return [value(report, "xgb", "weight", horizon=h) for h in (1, 2)]

    assert late(["xgb"]) == pytest.approx(late(MEMBERS))
    assert late(["xgb"]) != pytest.approx(late([]))


@pytest.mark.parametrize("recently", MEMBERS)
def test_the_model_that_was_better_recently_gets_more_weight(recently, monkeypatch):
    def better_at_times(model, origin):
        now = recently if origin >= add_weeks(WEEKS[-1], -4) else MEMBERS[1 - MEMBERS.index(recently)]
        return forecasts("xgb" if model == now else "sarimax", origin)

    def weight():
        return value(last_report(better_at_times), recently, "weight", horizon=1)

    fading = weight()
    monkeypatch.setattr("forecasting_assets.forecasting.backtest.MEMORY", 1.0)
    assert fading > weight()


def test_intervals_that_were_too_narrow_long_ago_are_hardly_widened(monkeypatch):
    def narrow_at_first(model, origin):
        table = forecasts(model, origin)
        if table is None or origin >= add_weeks(WEEKS[-1], -4):
            return table
        narrow = {q: table["q50"] + 0.1 * (table[q] - table["q50"]) for q in QUANTILES}
        return table.assign(**narrow)

    def width():
        return value(last_report(narrow_at_first), "combined", "width")

    fading = width()
    monkeypatch.setattr("forecasting_assets.forecasting.backtest.MEMORY", 1.0)
    assert fading < width() - 0.005


def test_steps_towards_the_combined_forecast_are_judged_on_the_same_cells(reports):
    report = reports[WEEKS[-1]]
    both = cells(WEEKS[-1], "sarimax").merge(
        cells(WEEKS[-1], "xgb"), on=["part_id", "region", "origin_week", "horizon"], suffixes=("", "_xgb")
    )
    average = ((np.sqrt(both["q50"]) + np.sqrt(both["q50_xgb"])) / 2) ** 2
    plain = (average - both["actual"]).abs().sum() / both["actual"].sum()
    assert value(report, "plain_average", "wape") == pytest.approx(plain)
    # The median stays as it is when intervals are calibrated.
    assert value(report, "weighted_average", "wape") == pytest.approx(value(report, "combined", "wape"))
    assert value(report, "without_covariates", "n") == len(both)
    assert report.loc[report["model"].isin(STEPS), "horizon"].eq(0).all()


def test_without_covariates_there_is_no_step_of_them():
    def without_covariates(model, origin):
        table = forecasts(model, origin)
        return None if table is None else table.assign(without_covariates=np.nan)

    report = last_report(without_covariates)
    assert set(report["model"]) == {*MODELS, "plain_average", "weighted_average", "reconciled"}


def test_the_better_model_has_the_larger_weight_and_weights_add_up(reports):
    report = reports[WEEKS[-1]]
    weights = report[report["metric"] == "weight"]
    assert len(weights) == 2 * len(SEGMENTS) * HORIZON
    assert weights.groupby(["segment", "horizon"])["value"].sum().to_numpy() == pytest.approx(1.0)
    assert value(report, "xgb", "scaled_pinball") < value(report, "sarimax", "scaled_pinball")
    assert value(report, "xgb", "weight", horizon=1) > 0.5


def test_a_model_that_has_just_been_added_counts_once_it_has_been_judged(reports, monkeypatch):
    week = WEEKS[-1]

    def absurd_since(first):
        def of(model, origin):
            table = forecasts("xgb" if model == "added" else model, origin)
            if model != "added" or table is None:
                return table
            return table.assign(mean=1e9 * table["mean"], q50=1e9 * table["q50"]) if origin >= first else None

        past = PastForecasts((*MEMBERS, "added"), of, segments)
        return rolling_backtest([week], past, HISTORY, HORIZON, SETTINGS)[week].report

    just_added = absurd_since(week)
    for model in MEMBERS:
        of_three = value(just_added, model, "weight", horizon=1)
        assert of_three == pytest.approx(value(reports[week], model, "weight", horizon=1), abs=1e-5)
    assert 0 < value(just_added, "added", "weight", horizon=1) < 1e-5
    monkeypatch.setattr(backtest_module, "NEW_MODEL_ORIGINS", 4)
    soon = absurd_since(add_weeks(week, -3))
    assert 0 < value(soon, "added", "weight", horizon=1) < 1e-5
    assert value(soon, "xgb", "weight", horizon=1) == pytest.approx(
        value(reports[week], "xgb", "weight", horizon=1), abs=1e-5
    )
    assert 1e-5 < value(absurd_since(add_weeks(week, -4)), "added", "weight", horizon=1) < 0.05


def test_the_first_report_has_equal_weights_and_no_errors():
    report = backtest([FIRST])[FIRST]
    assert report.loc[report["metric"] == "weight", "value"].eq(0.5).all()
    assert report.loc[report["metric"] == "n", "value"].eq(0).all()
    assert report.loc[report["metric"] == "width", "value"].eq(1.0).all()
    assert set(report["metric"]) == {"weight", "width", "n"}
    first = judged([FIRST])[FIRST]
    assert first.errors.empty
    assert first.parts.empty


def test_errors_by_group_add_up_to_the_report(results):
    result = results[WEEKS[-1]]
    table = cells(WEEKS[-1], "sarimax")
    sarimax = result.errors[result.errors["model"] == "sarimax"]
    for grouping, rows in sarimax.groupby("grouping"):
        assert rows["cells"].sum() == len(table), grouping
        assert rows["absolute_error"].sum() == pytest.approx((table["q50"] - table["actual"]).abs().sum())
    key = ["origin_week", "horizon"]
    region = sarimax[sarimax["grouping"] == "region"].groupby(["name", *key])[["forecast", "actual"]].sum()
    expected = table.groupby(["region", *key])[["mean", "actual"]].sum()
    assert region["forecast"].to_numpy() == pytest.approx(expected["mean"].to_numpy())
    assert region["actual"].to_numpy() == pytest.approx(expected["actual"].to_numpy())


def test_errors_by_part_add_up_to_those_of_the_total(results):
    result = results[WEEKS[-1]]
    total = result.errors[(result.errors["grouping"] == "total") & (result.errors["model"] == "combined")]
    for column in ("cells", "forecast", "actual", "absolute_error"):
        assert result.parts[column].sum() == pytest.approx(total[column].sum(), rel=1e-6)
    price = 1.0 + result.parts["part_id"].str.len()
    assert (result.parts["absolute_error"] * price).to_numpy() == pytest.approx(
        result.parts["error_value"].to_numpy()
    )
    coverage = result.parts["inside_80"].sum() / result.parts["cells"].sum()
    assert coverage == pytest.approx(value(result.report, "combined", "coverage_80"))


def test_calibration_counts_demand_below_each_quantile(reports):
    report = reports[WEEKS[-1]]
    levels = [value(report, "combined", f"{kind}_q50") for kind in ("below", "at_most")]
    assert 0 < levels[0] <= levels[1] < 1
    below = [value(report, "combined", f"below_{q}") for q in QUANTILES]
    assert below == sorted(below)


def test_keys_are_unique_and_naive_has_no_quantiles(reports):
    for report in reports.values():
        assert not report.duplicated(KEY).any()
        assert report["value"].notna().all()
        naive = set(report.loc[report["model"] == "seasonal_naive", "metric"])
        assert {"rmse", "wape", "mase", "rmsse"} <= naive
        assert not naive & {"pinball", "coverage_80", "coverage_90"}


def test_seasonal_naive_uses_last_year_or_the_latest_week():
    past = np.arange(60.0)[None, :]
    assert seasonal_naive(past, np.array([0]), 2).tolist() == [[8.0, 9.0]]
    assert seasonal_naive(past, np.array([9]), 2).tolist() == [[59.0, 9.0]]
    assert seasonal_naive(past[:, :5], np.array([0]), 2).tolist() == [[4.0, 4.0]]
    assert seasonal_naive(past, np.array([0]), 53)[0, 52] == 8.0


def left_out_at(week, absurd):
    """Return the rows of CLEANED_POINTS of `week`: the `absurd` (part, region, week), found at the end of that week."""
    rows = pd.DataFrame(absurd, columns=["part_id", "region", "demand_week"])
    rows = rows[rows["demand_week"] <= str(week)]
    return rows.assign(demand_week=pd.to_datetime(rows["demand_week"]), usual=10.0, reason="outlier")


def test_an_absurd_quantity_does_not_decide_how_good_forecasts_are(reports):
    week, series = WEEKS[-1], HISTORY.iloc[0]
    absurd = [(series["part_id"], series["region"], str(add_weeks(week, -2)))]
    cell = (HISTORY[["part_id", "region", "week"]].astype(str) == absurd[0]).all(axis=1)
    assert cell.sum() == 1
    poisoned = HISTORY.assign(quantity=HISTORY["quantity"].mask(cell, 2e9))

    def report(weeks, left_out):
        past = PastForecasts(MEMBERS, forecasts, segments, left_out=left_out)
        return rolling_backtest(weeks, past, poisoned, HORIZON, SETTINGS)[week].report

    assert value(report([week], lambda w: None), "combined", "wape") > 0.99
    found = report([week], lambda w: left_out_at(w, absurd))
    for metric in ("wape", "rmsse", "scaled_pinball"):
        assert value(found, "combined", metric) == pytest.approx(
            value(reports[week], "combined", metric), rel=0.1
        )
    assert value(found, "combined", "n") < value(reports[week], "combined", "n")
    pd.testing.assert_frame_equal(report(WEEKS, lambda w: left_out_at(w, absurd)), found, rtol=1e-9)


def test_a_week_counts_that_was_found_to_be_absurd_only_later(reports):
    week, series = WEEKS[-1], HISTORY.iloc[0]
    absurd = [(series["part_id"], series["region"], str(add_weeks(week, -2)))]
    past = PastForecasts(
        MEMBERS, forecasts, segments, left_out=lambda w: left_out_at(w, absurd) if w == week else None
    )
    found = rolling_backtest([week], past, HISTORY, HORIZON, SETTINGS)[week].report
    assert value(found, "combined", "n") == value(reports[week], "combined", "n")
