"""The page about forecasts: its numbers are those of the tables, and its sentences say them."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.forecast_page import (
    MOST_LEFT_OUT,
    ForecastPage,
    forecast_html,
    left_out_section,
    series_on_page,
)
from forecasting_assets.reporting.forecast_words import about_series, forecast_rows
from forecasting_assets.reporting.formats import MINUS, MISSING
from forecasting_assets.reporting.outlook import EARLIER_ORIGINS, HISTORY_WEEKS, outlook
from forecasting_assets.tables import SERIES
from forecasting_assets_tests.unit.reporting import factories

TABLES = factories.forecast_tables()
CHOSEN = TABLES.plan[SERIES].drop_duplicates(ignore_index=True)


def data_of(html):
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


def page_data(tables=TABLES, chosen=CHOSEN, part=""):
    return data_of(forecast_html(ForecastPage(tables, chosen, Commands(), part)))


def whole(values):
    return np.where(np.abs(values) < 20, np.round(values, 1), np.round(values))


def test_each_series_has_the_numbers_of_the_tables():
    data = page_data()
    for entry in data["series"]:
        plan = TABLES.plan[
            (TABLES.plan["part_id"] == entry["part"]) & (TABLES.plan["region"] == entry["region"])
        ]
        plan = plan.sort_values("due_week")
        assert entry["mean"] == whole(plan["statistical"]).tolist()
        assert entry["planned"] == whole(plan["quantity"]).tolist()
        assert entry["booked"] == whole(plan["booked"]).tolist()
        assert entry["q90"] == whole(plan["q90"]).tolist()
        assert len(entry["demand"]) == HISTORY_WEEKS
        ordered = TABLES.history[TABLES.history["part_id"] == entry["part"]].set_index("week")["quantity"]
        assert entry["demand"][-1] == ordered.get(factories.ORIGIN, 0.0)
        assert sum(entry["demand"]) == ordered.sum()
        # Of the weeks before the origin two have a forecast; the one of nine weeks before is too old to be shown.
        known = [means[0] for means in entry["earlier"]]
        assert known[-2:] == whole(plan["statistical"].iloc[0] + np.array([2, 1])).tolist()
        assert known[:-2] == [None] * (EARLIER_ORIGINS - 2)
    assert [("override" in entry) for entry in data["series"]] == [True] + [False] * 5


def test_groups_add_up_their_series():
    data = page_data()
    groups = {(g["category"], g["region"]): g for g in data["groups"]}
    assert len(groups) == 1 + 3 + 2 + 6
    for (category, region), group in groups.items():
        inside = TABLES.plan[
            (TABLES.plan["part_category"].eq(category) | (not category))
            & (TABLES.plan["region"].eq(region) | (not region))
        ]
        by_week = inside.groupby("due_week")[["quantity", "booked"]].sum()
        assert group["planned"] == whole(by_week["quantity"]).tolist()
        assert group["booked"] == whole(by_week["booked"]).tolist()
        assert "q90" not in group  # quantiles do not add up
    assert sum(groups["", ""]["demand"]) == TABLES.history["quantity"].sum()


def test_a_page_of_few_series_names_the_others():
    data = page_data(chosen=CHOSEN.iloc[:2])
    assert [entry["part"] for entry in data["series"]] == CHOSEN["part_id"].iloc[:2].tolist()
    assert sorted(name for name, *_ in data["others"]) == sorted(CHOSEN["part_id"].iloc[2:])
    assert data["groups"][0]["planned"] == page_data()["groups"][0]["planned"]


def test_a_page_about_one_part_has_no_groups_but_its_regions_together():
    one = TABLES.plan[TABLES.plan["part_id"] == "part-000"]
    alone = replace(TABLES, plan=one, history=TABLES.history.iloc[:0], forecast=TABLES.forecast.iloc[:8])
    assert page_data(alone, one[SERIES].iloc[:1], "part-000")["groups"] == []
    both = replace(alone, plan=pd.concat([one, one.assign(region="south")]))
    data = page_data(both, both.plan[SERIES].drop_duplicates(), "part-000")
    assert len(data["groups"]) == 1
    assert data["groups"][0]["planned"] == whole(2 * one["quantity"]).tolist()


def test_the_largest_and_the_worst_are_on_the_page(monkeypatch):
    monkeypatch.setattr("forecasting_assets.reporting.forecast_page.LARGEST", 2)
    monkeypatch.setattr("forecasting_assets.reporting.forecast_page.WORST", 1)
    worst = TABLES.parts.assign(error_value=np.arange(6.0))
    unknown = worst.iloc[-1:].assign(part_id="no longer ordered", error_value=1e9)
    chosen = series_on_page(TABLES.plan, pd.concat([worst, unknown]))
    assert chosen["part_id"].tolist() == ["part-000", "part-001", "part-005"]


def test_sentences_say_accuracy_drivers_bookings_and_overrides():
    rows = outlook(TABLES)
    first, second = about_series(rows, TABLES)[:2]
    text = " ".join(first)
    assert "24 earlier forecasts compared with orders: WAPE 20.0 %, forecasts 10.0 % too low overall." in text
    assert "79 % of the weeks fell into the 80 % interval" in text
    assert (
        f"half year it would be 1,000 units; XGBoost makes it 1,100 units (season +140, price {MINUS}40)."
        in text
    )
    assert "Booked already: 450 units" in text
    assert "Overridden in 2 weeks: 3,636 units instead of 1,818 units (trade fair, Ann)." in text
    assert not any(sentence.startswith("Overridden") for sentence in second)


def test_sentences_say_what_is_not_known():
    tables = replace(
        TABLES, parts=TABLES.parts.iloc[:0], drivers=pd.DataFrame(), no_drivers="MLflow has no model."
    )
    text = " ".join(about_series(outlook(tables), tables)[0])
    assert "no earlier forecast of it can be compared" in text
    assert "What drives it: MLflow has no model." in text
    new = replace(TABLES, history=TABLES.history[TABLES.history["week"] > "2025-01-01"])
    assert "nothing was ordered in the same weeks a year before" in about_series(outlook(new), new)[0][0]


def test_a_part_that_is_only_booked_has_no_forecast():
    tables = replace(TABLES, forecast=TABLES.forecast.iloc[:0], drivers=pd.DataFrame())
    sentences = about_series(outlook(tables), tables)[0]
    assert "no forecast yet" in sentences[0]
    assert "Booked already: 450 units." in sentences
    entry = page_data(tables)["series"][0]
    assert entry["mean"] == [None] * TABLES.horizon
    assert "q90" not in entry


def test_a_week_without_any_orders_has_an_empty_page():
    names = ("history", "forecast", "plan", "earlier", "parts", "errors")
    empty = replace(
        TABLES, **{name: getattr(TABLES, name).iloc[:0] for name in names}, drivers=pd.DataFrame()
    )
    data = page_data(empty, series_on_page(empty.plan, empty.parts))
    assert data["groups"] == data["series"] == data["others"] == []


def test_the_table_for_a_terminal_has_a_row_a_week():
    heading, rows = forecast_rows(outlook(TABLES), 0, TABLES.week)
    assert len(rows) == TABLES.horizon
    assert all(len(row) == len(heading) for row in rows)
    assert rows[0][0] == "2025-03-10"
    assert rows[0][heading.index("Override")] == "1,800"
    assert rows[2][heading.index("Override")] == MISSING


@pytest.mark.parametrize("order", [1, 2])
def test_the_order_of_rows_does_not_matter(order):
    mixed = {
        name: getattr(TABLES, name).sample(frac=1, random_state=order)
        for name in ("history", "forecast", "plan", "earlier")
    }
    changed, same = outlook(replace(TABLES, **mixed)), outlook(TABLES)
    for name in ("demand", "mean", "planned", "earlier"):
        np.testing.assert_array_equal(getattr(changed, name), getattr(same, name))


def test_weeks_that_models_leave_out_are_counted_and_the_largest_listed():
    points = pd.DataFrame(
        {
            "part_id": [f"P{i:02}" for i in range(30)],
            "region": "EU",
            "demand_week": pd.Timestamp(2026, 8, 3),
            "quantity": np.arange(30.0) * 100,
            "usual": 7.0,
            "reason": ["interruption"] * 10 + ["outlier"] * 19 + ["excluded"],
        }
    )
    section = left_out_section(
        pd.concat([points, points.iloc[:1].assign(demand_week=pd.Timestamp(2026, 8, 10))])
    )
    (listed,) = section.tables
    assert [row[0] for row in listed.rows] == [f"P{29 - i}" for i in range(MOST_LEFT_OUT)]
    assert listed.rows[0][-1] == "excluded"
    assert "19 weeks of 19 series far beyond" in section.note
    assert "11 weeks of 10 series in an interruption" in section.note
    assert "left out" in forecast_html(ForecastPage(replace(TABLES, left_out=points), CHOSEN, Commands()))
    assert "left out" not in forecast_html(ForecastPage(TABLES, CHOSEN, Commands()))
