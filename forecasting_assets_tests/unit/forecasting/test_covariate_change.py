"""Changes of known covariates: what is parsed, which values change, and that forecasts follow them."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.forecasting.covariate_change import (
    CovariateChange,
    CovariateChangeError,
    changed_rows,
    known_values,
    values_beyond,
)
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.weeks import add_weeks

FIRST, WEEKS, HORIZON = date(2024, 1, 1), 20, 3
LAST = add_weeks(FIRST, WEEKS - 1)


@pytest.fixture(scope="module")
def history():
    weeks = pd.to_datetime([add_weeks(FIRST, w) for w in range(WEEKS)])
    demand = [
        pd.DataFrame({"part_id": part, "region": "EU", "week": weeks, "quantity": 5.0})
        for part in ("P1", "P2")
    ]
    ahead = pd.to_datetime([add_weeks(LAST, h) for h in range(1, HORIZON + 1)])
    price = pd.DataFrame({"part_id": "P1", "region": None, "week": ahead, "covariate": "unit_price"})
    fair = pd.DataFrame({"part_id": None, "region": None, "week": ahead[:1], "covariate": "fair"})
    known = pd.concat([price.assign(value=[8.0, 8.0, 10.0]), fair.assign(value=0.0)])
    return pd.concat([*demand, known.assign(known=pd.Timestamp(LAST))], ignore_index=True)


def panel_of(history: pd.DataFrame) -> Panel:
    return Panel.from_history(history, FIRST, LAST)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CNC/EU@2024-06-03:unit_price=-10%", ("CNC/EU@2024-06-03", "unit_price", 0.9, None)),
        ("a:b/EU:promotion=1", ("a:b/EU", "promotion", None, 1.0)),
        ("*/*:depth=+50%", ("*/*", "depth", 1.5, None)),
    ],
)
def test_a_change_is_a_scope_a_name_and_a_factor_or_value(text, expected):
    change = CovariateChange.parse(text)
    assert (change.scope, change.name, change.factor, change.value) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["P1/EU=-10%", "P1/EU:price", "P1/EU:price=-110%", "P1/EU:price=cheap"])
def test_anything_else_is_refused(text):
    with pytest.raises(CovariateChangeError) as error:
        CovariateChange.parse(text)
    assert error.value.change == text


@pytest.mark.parametrize(
    "text", ["P1/EU:unit_price=-100%", "P1/EU:unit_price=-120%", "P1/EU:unit_price=0", "P1/EU:unit_price=-5"]
)
def test_a_price_stays_above_zero(text):
    with pytest.raises(CovariateChangeError, match="above zero"):
        CovariateChange.parse(text)
    assert CovariateChange.parse("P1/EU:promotion=0").value == 0


def test_changes_replace_what_is_known_and_nothing_else(history):
    panel = panel_of(history)
    cells, before, names = known_values(panel, HORIZON)
    assert names == ("fair", "unit_price")
    of_part = (cells["part_id"] == "P1").to_numpy()
    late = of_part & (cells["due_week"] == pd.Timestamp(add_weeks(LAST, 3))).to_numpy()
    changes = [
        (CovariateChange.parse("P1/EU:unit_price=-50%"), of_part),
        (CovariateChange.parse("P1/EU:unit_price=7"), late),
        (CovariateChange.parse("P1/EU:fair=1"), of_part),
    ]
    rows = changed_rows(panel, HORIZON, changes)
    after = known_values(panel_of(pd.concat([history, rows])), HORIZON)[1]
    expected = before.copy()
    expected[of_part, 1] = [4.0, 4.0, 7.0]
    expected[np.flatnonzero(of_part)[0], 0] = 1.0
    np.testing.assert_array_equal(after, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P1/EU:unit_price=-50%", [("P1", "EU", "unit_price", 4.0, 5.0, 7.2, 9.1)]),
        ("P1/EU:unit_price=7.2", []),
        ("P1/EU:unit_price=9.1", []),
        ("P1/EU:unit_price=9.2", [("P1", "EU", "unit_price", 9.2, 9.2, 7.2, 9.1)]),
        ("P1/EU:depth=-10", []),
        ("P1/EU:depth=-3", [("P1", "EU", "depth", -3.0, -3.0, -10.0, -5.0)]),
    ],
)
def test_changed_values_outside_those_known_so_far_are_named(history, text, expected):
    weeks = pd.to_datetime([add_weeks(LAST, -w) for w in range(3)])
    prices = pd.DataFrame({"part_id": "P1", "region": "EU", "week": weeks, "covariate": "unit_price"})
    prices = prices.assign(value=[7.2, 8.0, 9.1], known=pd.Timestamp(FIRST))
    ahead = pd.to_datetime([add_weeks(LAST, 1)])
    depth = prices.assign(covariate="depth", value=[-10.0, -5.0, -7.0])
    coming = depth[:1].assign(week=ahead, known=pd.Timestamp(LAST))
    panel = panel_of(pd.concat([history, prices, depth, coming.assign(value=-6.0)], ignore_index=True))
    of_part = (known_values(panel, HORIZON)[0]["part_id"] == "P1").to_numpy()
    rows = changed_rows(panel, HORIZON, [(CovariateChange.parse(text), of_part)])
    assert len(rows)
    beyond = values_beyond(panel, HORIZON, rows)
    assert beyond.round(5).to_records(index=False).tolist() == expected


def test_a_covariate_that_was_never_known_of_a_past_week_is_named(history):
    panel = panel_of(history)
    of_part = (known_values(panel, HORIZON)[0]["part_id"] == "P1").to_numpy()
    rows = changed_rows(panel, HORIZON, [(CovariateChange.parse("P1/EU:fair=1"), of_part)])
    beyond = values_beyond(panel, HORIZON, rows)
    assert beyond["covariate"].tolist() == ["fair"]
    assert beyond[["lowest", "highest"]].isna().all(axis=None)


@pytest.mark.parametrize(("text", "part"), [("P1/EU:weather=1", "P1"), ("P2/EU:unit_price=-10%", "P2")])
def test_a_covariate_that_is_not_known_cannot_be_changed(history, text, part):
    panel = panel_of(history)
    inside = (known_values(panel, HORIZON)[0]["part_id"] == part).to_numpy()
    with pytest.raises(CovariateChangeError) as error:
        changed_rows(panel, HORIZON, [(CovariateChange.parse(text), inside)])
    assert error.value.change == text
