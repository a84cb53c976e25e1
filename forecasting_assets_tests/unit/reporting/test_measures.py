"""Measures of the reports."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.reporting.measures import (
    ReportInputError,
    bound_closed,
    cheaper_biases,
    cost_by_accuracy,
    full_weeks,
    gap_by_source,
    gap_closed,
    policy_totals,
    scores,
    step_scores,
    value_of_a_point,
)
from forecasting_assets.reporting.worth import MORE_THAN_ALL, worth_in_words
from forecasting_assets_tests.unit.reporting import factories


def test_steps_stand_in_order_and_only_in_their_own_table():
    report = factories.backtest(2)
    steps = step_scores(report)
    averages = ["plain_average", "without_covariates", "weighted_average", "combined"]
    assert steps["step"].tolist() == ["seasonal_naive", "sarimax", "xgb", *averages]
    wape = steps.set_index("step")["wape"]
    assert wape["plain_average"] == pytest.approx(0.3 * 0.83)
    assert wape["combined"] == pytest.approx(0.3 * 0.8)
    assert set(scores(report).index.unique("model")) == {"combined", "sarimax", "xgb", "seasonal_naive"}


def test_scores_hold_every_value_of_the_report() -> None:
    report = factories.backtest(3)
    wide = scores(report)
    for row in report.sample(50, random_state=1).itertuples():
        assert wide.at[(row.model, row.segment, row.horizon), row.metric] == row.value


def test_scores_are_in_reading_order() -> None:
    index = scores(factories.backtest(2)).index
    assert list(index.unique("model")) == ["combined", "sarimax", "xgb", "seasonal_naive"]
    assert list(index.unique("segment")) == SEGMENTS


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_scores_do_not_depend_on_row_order(seed: int) -> None:
    report = factories.backtest(2)
    pd.testing.assert_frame_equal(scores(report.sample(frac=1, random_state=seed)), scores(report))


def test_skill_is_relative_to_seasonal_naive_of_the_same_segment() -> None:
    wide = scores(factories.backtest(2))
    assert wide.at[("combined", "lumpy", 2), "skill"] == pytest.approx(0.2)
    assert np.isnan(wide["skill"]["seasonal_naive", "lumpy", 2])


def test_a_model_judged_on_other_forecasts_has_no_skill() -> None:
    report = factories.backtest(1)
    late = (report["model"] == "xgb") & (report["metric"] == "n")
    wide = scores(report.assign(value=report["value"].where(~late, report["value"] / 2)))
    assert wide["skill"]["xgb"].isna().all()
    assert wide["skill"]["sarimax"].notna().all()


def test_skill_is_missing_without_seasonal_naive_or_with_a_perfect_one() -> None:
    report = factories.backtest(1)
    assert scores(report[report["model"] != "seasonal_naive"])["skill"].isna().all()
    report.loc[(report["model"] == "seasonal_naive") & (report["metric"] == "wape"), "value"] = 0.0
    assert scores(report)["skill"].isna().all()


def test_models_stand_between_the_combined_and_the_naive_forecast() -> None:
    report = factories.backtest(1)
    extra = report[report["model"] == "xgb"].assign(model="aardvark")
    models = list(scores(pd.concat([extra, report])).index.unique("model"))
    assert models == ["combined", "aardvark", "sarimax", "xgb", "seasonal_naive"]


def test_errors_name_the_table_and_the_column() -> None:
    with pytest.raises(ReportInputError) as raised:
        scores(factories.backtest().drop(columns="metric"))
    assert (raised.value.table, raised.value.columns) == ("backtest_report", ("metric",))
    with pytest.raises(ReportInputError, match="one origin_week"):
        scores(pd.concat([factories.backtest()] * 2))
    with pytest.raises(ReportInputError) as raised:
        policy_totals(factories.impact().drop(columns="policy"))
    assert (raised.value.table, raised.value.columns) == ("business_impact", ("policy",))


def test_policy_totals_add_units_and_average_shares_by_demand() -> None:
    rows = [
        (week, "plan", metric, value)
        for week, demand, on_time, cost in [
            ("2025-01-06", 100.0, 1.0, 10.0),
            ("2025-01-13", 300.0, 0.8, 20.0),
        ]
        for metric, value in (("demand_units", demand), ("on_time_rate", on_time), ("cost", cost))
    ]
    impact = pd.DataFrame(rows, columns=["week", "policy", "metric", "value"])
    totals = policy_totals(impact).loc["plan"]
    assert totals["cost"] == 30
    assert totals["demand_units"] == 400
    assert totals["weeks"] == 2
    assert totals["on_time_rate"] == pytest.approx(0.85)


def test_policy_totals_include_only_weeks_with_all_policies() -> None:
    impact = factories.impact(3)
    last = impact["week"].max()
    impact = impact[(impact["week"] < last) | (impact["policy"] == "plan")]
    totals = policy_totals(impact)
    assert list(totals.index) == ["plan", "status_quo", "perfect_foresight"]
    assert set(totals["weeks"]) == {2}
    assert totals.at["plan", "cost"] == pytest.approx(480_000)


def test_a_share_that_is_missing_in_one_week_is_averaged_over_the_others() -> None:
    impact = factories.impact(2)
    first = impact["week"].min()
    impact.loc[(impact["week"] == first) & (impact["metric"] == "on_time_rate"), "value"] = np.nan
    assert policy_totals(impact).at["plan", "on_time_rate"] == pytest.approx(0.972)


def test_full_weeks_need_regular_capacity() -> None:
    load = pd.DataFrame(
        {
            "manufacturer_id": ["a", "a", "a", "b"],
            "capacity_hours": [10.0, 10.0, 0.0, 5.0],
            "load_hours": [10.0, 9.0, 0.0, 6.0],
        }
    )
    assert full_weeks(load).to_dict() == {"a": 1, "b": 1}


def test_gap_closed_and_value_of_a_point() -> None:
    table = factories.impact(2)
    assert gap_closed(policy_totals(table)) == pytest.approx((1.13 - 1.0) / (1.13 - 0.94))
    only = policy_totals(table[table["policy"] == "plan"])
    assert np.isnan(gap_closed(only))
    by_accuracy = cost_by_accuracy(table)
    # The factory's cost grows by 240,000 and its error by 1 of demand for each unit of error.
    assert by_accuracy["wape"].tolist() == pytest.approx([0.2 + n / 150 for n in (0, 10, 20, 30, 40)])
    assert value_of_a_point(by_accuracy) == pytest.approx(2_400)
    assert np.isnan(value_of_a_point(by_accuracy.iloc[:1]))


def impact_of(costs: dict[str, float]) -> pd.DataFrame:
    rows = [(factories.ORIGIN, policy, "cost", cost) for policy, cost in costs.items()]
    rows += [(factories.ORIGIN, policy, "demand_units", 10.0) for policy in costs]
    return pd.DataFrame(rows, columns=["week", "policy", "metric", "value"])


def test_what_forecast_and_planner_contribute_adds_up_to_the_gap() -> None:
    costs = {"plan": 100.0, "status_quo": 150.0, "naive_optimal": 120.0, "forecast_greedy": 140.0}
    found = gap_by_source(impact_of(costs))
    # The forecast saves 10 with the greedy planner and 20 with the optimal one.
    assert found.to_dict() == {"forecast": 15.0, "planner": 35.0}
    assert gap_by_source(impact_of({"plan": 100.0, "status_quo": 150.0})).empty


def test_overdue_units_are_those_at_the_end_and_units_wanted_add_up() -> None:
    totals = policy_totals(factories.impact(3))
    assert totals["overdue_units"].tolist() == [300.0] * 3
    became = totals[["on_time_units", "late_units", "shortage_units", "overdue_change_units"]].sum(axis=1)
    assert became.tolist() == pytest.approx(totals["demand_units"].tolist())


def test_overdue_units_are_unknown_where_a_week_has_none() -> None:
    impact = factories.impact(3)
    of_first = (impact["week"] == impact["week"].min()) & impact["metric"].str.startswith("overdue")
    totals = policy_totals(impact[~of_first])
    assert totals[["overdue_units", "overdue_change_units"]].isna().all(axis=None)
    assert totals["cost"].notna().all()


def test_a_plan_that_costs_less_than_perfect_foresight_is_explained() -> None:
    costs = {"plan": 100.0, "status_quo": 150.0, "perfect_foresight": 110.0}
    words = worth_in_words(impact_of(costs))
    assert "125 %" in words[0]
    assert words[1] == MORE_THAN_ALL
    assert MORE_THAN_ALL not in worth_in_words(impact_of(costs | {"perfect_foresight": 100.0}))


def test_share_of_the_bound_and_biases_that_would_have_been_cheaper() -> None:
    costs = {"plan": 100.0, "status_quo": 150.0, "lower_bound": 75.0, "perfect_foresight": 90.0}
    biased = {"plan_bias_+00": 100.0, "plan_bias_+30": 99.0, "plan_bias_-30": 120.0}
    found = impact_of(costs | biased)
    assert bound_closed(found) == pytest.approx(50 / 75)
    assert cheaper_biases(found) == pytest.approx({30: 0.01})
    words = worth_in_words(found)
    assert "83 %" in words[0]
    assert "67 %" in words[0]
    assert "30 % too high" in words[-1]
