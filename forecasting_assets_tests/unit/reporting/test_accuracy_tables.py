"""Verdict, groups and worst parts: what they say is what the errors are."""

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.reporting.accuracy_tables import (
    accuracy_by_group,
    bias_in_words,
    comparisons,
    origins_in_words,
    verdict,
    verdict_table,
    worst_parts,
)
from forecasting_assets.reporting.formats import Money
from forecasting_assets.reporting.style import outlier_limit
from forecasting_assets.reporting.texttable import Link
from forecasting_assets_tests.unit.reporting import factories

ERRORS = factories.forecast_errors()


def cell(table, row, heading):
    return table.rows[row][table.heading.index(heading)]


def test_the_combination_is_better_than_the_models_that_are_clearly_worse():
    found = comparisons(ERRORS)
    total = ERRORS[ERRORS["grouping"] == "total"]
    by_origin = total.groupby(["origin_week", "model"])[["absolute_error", "actual"]].sum()
    wape = (by_origin["absolute_error"] / by_origin["actual"]).unstack("model")
    assert found["sarimax"].difference == pytest.approx((wape["sarimax"] - wape["combined"]).mean())
    assert found["sarimax"].low > 0
    assert found["xgb"].low < 0 < found["xgb"].high
    words = verdict(ERRORS)
    points = [f"{100 * found[model].difference:.1f}" for model in ("sarimax", "seasonal_naive")]
    assert (
        f"better than SARIMAX by {points[0]} points of WAPE and Seasonal naive by {points[1]} points" in words
    )
    assert "not clearly different from XGBoost" in words
    table = verdict_table(ERRORS)
    results = {row[0]: row[1] for row in table.rows}
    assert results == {
        "XGBoost": "no difference beyond chance",
        "SARIMAX": "better",
        "Seasonal naive": "better",
    }


def test_a_better_model_is_named():
    better = ERRORS.assign(absolute_error=ERRORS["absolute_error"].where(ERRORS["model"] != "xgb", 100.0))
    assert "worse than XGBoost by" in verdict(better)


def test_only_origins_that_both_models_forecast_count():
    late = (ERRORS["model"] != "sarimax") | (ERRORS["origin_week"] >= ERRORS["origin_week"].unique()[3])
    assert comparisons(ERRORS[late])["sarimax"].origins == 9
    fewer = ERRORS.assign(cells=ERRORS["cells"].where(ERRORS["model"] != "sarimax", 39))
    assert "sarimax" not in comparisons(fewer)


def test_few_origins_give_no_verdict():
    assert "Too few" in verdict(factories.forecast_errors(origins=5))
    assert verdict_table(factories.forecast_errors(origins=5)).rows == []
    assert bias_in_words(ERRORS.iloc[:0]) == origins_in_words(ERRORS.iloc[:0]) == ""


def test_groups_have_their_error_and_bias():
    table = accuracy_by_group(ERRORS)
    assert [row[0] for row in table.rows] == ["All series", "Category press", "Region north", "Value class A"]
    assert cell(table, 0, "Units ordered") == "36,000"
    assert cell(table, 0, "One week ahead: below / above actual") == "12 / 0"
    assert cell(table, 0, "Tracking signal").endswith(" !")
    rows = ERRORS[(ERRORS["grouping"] == "total") & (ERRORS["model"] == "combined")]
    wape = 100 * rows["absolute_error"].sum() / rows["actual"].sum()
    assert cell(table, 0, "WAPE") == f"{wape:.1f} %"
    assert "12 of 12 one-week forecasts below actual orders" in bias_in_words(ERRORS)


def test_the_worst_parts_lead_to_their_forecasts():
    parts = factories.part_errors(30).sample(frac=1, random_state=0)
    is_worst = parts["part_id"] == "part-003"
    parts = parts.assign(
        part_id=parts["part_id"].mask(is_worst, "a/b #1"),
        error_value=parts["error_value"].mask(is_worst, 1e6),
    )
    table = worst_parts(parts, Money("EUR"))
    assert len(table.rows) == 20
    assert table.rows[0][0] == Link("a/b #1", "forecast.html#a%2Fb%20%231/north")
    assert cell(table, 0, "Value of the errors, EUR") == "1,000,000"
    assert worst_parts(parts.iloc[:0], Money()).rows == []


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        ([0.2, 0.3, 0.5, 10.01], 0.5),
        ([0.2, 0.3, np.nan, 0.5, 8.0, 10.0], 0.5),
        ([0.01, 0.2, 0.3, 0.4], None),
        ([0.0, 0.0, 0.0, 1.0], None),
        ([], None),
    ],
)
def test_outliers_are_what_lies_above_a_gap(values, limit):
    assert outlier_limit(pd.Series(values, dtype=float)) == (
        None if limit is None else pytest.approx(1.15 * limit)
    )
