"""What overrides make of a forecast, and the demand that is planned for, beside a model that goes row by row."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.planning.checks import check_demand_plan, check_overrides
from forecasting_assets.planning.demand import DemandSources, plan_demand
from forecasting_assets.tables import FORECAST_OVERRIDES, PROMISES, QUANTILES

W = date(2026, 9, 21)
HORIZON = 3
PARTS = [("P1", "CNC", "EU"), ("P1", "CNC", "US"), ("P2", "CNC", "EU"), ("P3", "Casting", "US")]
SCOPE = ["part_id", "part_category", "region"]
BOOK = pd.DataFrame(columns=[*SCOPE, "due_week", "quantity", "unit_price"])


def week(n):
    return pd.Timestamp(W) + n * pd.Timedelta(weeks=1)


def forecast(means):
    """Forecast rows of PARTS, with `means` (parts, HORIZON)."""
    means = np.asarray(means, float)
    return pd.DataFrame(
        {
            "part_id": np.repeat([p[0] for p in PARTS], HORIZON),
            "region": np.repeat([p[2] for p in PARTS], HORIZON),
            "target_week": [week(h + 1) for _ in PARTS for h in range(HORIZON)],
            "mean": means.ravel(),
            **{q: means.ravel() * 2 * level for q, level in QUANTILES.items()},
        }
    )


def override(**values):
    plain = dict.fromkeys(FORECAST_OVERRIDES.names) | {"week_from": week(1), "week_to": week(HORIZON)}
    row = plain | {"entered": pd.Timestamp(W)} | values
    return row | {"file": "forecast_overrides.csv"}


def frame(overrides):
    rows = pd.DataFrame(overrides, columns=[*FORECAST_OVERRIDES.names, "file"])
    typed = {name: rows[name].astype(float) for name in ("quantity", "factor")}
    days = {name: pd.to_datetime(rows[name]) for name in ("week_from", "week_to", "entered")}
    return rows.assign(**typed, **days, row=np.arange(2, len(rows) + 2))


def planned(means, overrides=(), book=BOOK, promises=None):
    parts = pd.DataFrame(PARTS, columns=SCOPE).assign(price=[9.0, 9.5, 3.0, 7.0])
    none = pd.DataFrame(columns=PROMISES.names).assign(expires=pd.Series(dtype="datetime64[ns]"))
    held = none if promises is None else promises
    return plan_demand(DemandSources(forecast(means), parts, book, frame(overrides), held), W, HORIZON)


def quantities(result, column="quantity"):
    keys = [result.plan["part_id"] + "/" + result.plan["region"], result.plan["due_week"]]
    return result.plan.set_index(keys)[column].unstack().T.reset_index(drop=True).T


ONES = np.ones((4, HORIZON))


def test_without_overrides_the_plan_is_the_forecast():
    means = np.arange(12).reshape(4, HORIZON) / 7
    plan = planned(means).plan
    expected = forecast(means).sort_values(["part_id", "region", "target_week"], ignore_index=True)
    for column in QUANTILES:
        assert plan[column].tolist() == expected[column].tolist()
    assert plan["quantity"].tolist() == plan["statistical"].tolist() == expected["mean"].tolist()
    assert plan["override"].isna().all()
    assert plan["unit_price"].notna().all()
    assert check_demand_plan(plan).passed


def test_a_quantity_is_spread_in_proportion_and_evenly_where_nothing_is_forecast():
    means = [[1, 0, 2], [9, 9, 9], [3, 0, 2], [9, 9, 9]]
    rows = quantities(planned(means, [override(region="EU", quantity=8.0)]))
    assert rows.loc["P1/EU"].tolist() == [2, 4, 4]
    assert rows.loc["P2/EU"].tolist() == [6, 4, 4]
    assert rows.loc["P1/US"].tolist() == [9, 9, 9]


def test_units_that_planners_or_promises_add_are_certain_and_factors_scale():
    promises = pd.DataFrame(columns=PROMISES.names)
    promises.loc[0, ["part_id", "part_category", "region", "due_week", "quantity", "expires"]] = [
        *("P2", "CNC", "EU"),
        *(week(1), 100.0, week(9)),
    ]
    promises = promises.astype({"due_week": "datetime64[ns]", "expires": "datetime64[ns]", "quantity": float})
    overrides = [
        override(part_id="P1", region="EU", quantity=400.0),
        override(part_id="P1", region="US", quantity=0.5),
        override(part_id="P3", factor=3.0),
    ]
    rows = planned(ONES, overrides, promises=promises).plan
    rows = rows[rows["due_week"] == week(1)].set_index(["part_id", "region"])[["quantity", *QUANTILES]]
    usual = np.array([1.0, *(2 * level for level in QUANTILES.values())])
    assert rows.loc["P1", "EU"].to_numpy() == pytest.approx(399 + usual)
    assert rows.loc["P1", "US"].to_numpy() == pytest.approx(0.5 * usual)
    assert rows.loc["P3", "US"].to_numpy() == pytest.approx(3 * usual)
    assert rows.loc["P2", "EU"].to_numpy() == pytest.approx(100 + usual)


def test_the_newest_override_replaces_its_rows_of_an_older_one_which_keeps_its_other_shares():
    total = override(quantity=40.0, entered=pd.Timestamp(W) - timedelta(days=9), author="Ann", reason="fair")
    part = override(part_id="P2", factor=3.0, week_to=week(1), author="Bo")
    result = planned(ONES, [part, total])
    assert quantities(result).loc["P2/EU"].tolist() == [3, 10, 10]
    assert quantities(result).loc["P1/EU"].tolist() == [10, 10, 10]
    assert quantities(result, "author").loc["P2/EU"].tolist() == ["Bo", "Ann", "Ann"]
    assert quantities(result, "reason").loc["P2/EU"].tolist() == [None, "fair", "fair"]
    use = result.override_use.set_index("author")
    assert use["rows"].to_dict() == {"Bo": 1, "Ann": 11}
    assert use["override"].to_dict() == {"Bo": 3, "Ann": 110}


def test_of_overrides_of_one_day_the_narrower_counts_and_then_the_later_row():
    part = override(part_id="P1", factor=2.0)
    category = override(part_category="CNC", region="EU", factor=3.0)
    rows = quantities(planned(ONES, [part, category, override(factor=4.0), override(factor=5.0)]))
    assert rows[0].to_dict() == {"P1/EU": 2, "P1/US": 2, "P2/EU": 3, "P3/US": 5}


def test_what_is_booked_and_held_is_planned_whatever_the_forecast_says():
    book = pd.DataFrame(
        [
            ("P1", "CNC", "EU", week(1), 5.0, 2.0),
            ("New", "Casting", "UK", week(2), 4.0, 8.0),
            ("P1", "CNC", "EU", week(9), 9.0, 3.0),
        ],
        columns=BOOK.columns,
    )
    promise = dict.fromkeys(PROMISES.names) | {"part_id": "P3", "part_category": "Casting"}
    promises = pd.DataFrame(
        [
            promise | {"region": "US", "due_week": week(1), "quantity": 2.0, "expires": week(1)},
            promise | {"region": "US", "due_week": week(1), "quantity": 9.0, "expires": week(0)},
        ]
    )
    result = planned(ONES, [override(part_id="P1", factor=0.5)], book, promises)
    rows = quantities(result)
    assert rows.loc["P1/EU"].tolist() == [5, 0.5, 0.5]
    assert rows.loc["New/UK"].tolist() == [0, 4, 0]
    assert rows.loc["P3/US"].tolist() == [3, 1, 1]
    plan = result.plan.set_index(["part_id", "region", "due_week"])
    assert (plan.loc["New", "UK", week(2)][list(QUANTILES)] == 4).all()
    # A part that is only booked has the price of its orders, the others that of the forecast.
    assert plan["unit_price"].loc["New"].tolist() == [8.0] * HORIZON
    assert plan.loc["P1", "EU", week(1)]["unit_price"] == 9.0
    assert (plan.loc["P1", "EU", week(1)][list(QUANTILES)] >= 5).all()
    assert (plan.loc["P3", "US", week(1)][list(QUANTILES)] >= 2).all()
    assert check_demand_plan(result.plan).passed


def test_an_override_can_plan_a_part_without_forecast():
    new = override(part_id="New", part_category="Casting", region="EU", quantity=6.0, week_to=week(2))
    elsewhere = override(part_id="P3", region="EU", quantity=2.0)
    result = planned(ONES, [new, elsewhere])
    assert quantities(result).loc["New/EU"].tolist() == [6, 6, 0]
    assert quantities(result).loc["P3/EU"].tolist() == [2, 2, 2]
    assert quantities(result, "part_category").loc["P3/EU"].tolist() == ["Casting"] * 3
    assert check_overrides(result.override_use).passed


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"part_id": "P9"}, "'P9' has no forecast"),
        ({"part_id": "P9", "part_category": "CNC", "region": "UK"}, "region 'UK' is unknown"),
        ({"part_category": "cnc"}, "part_category 'cnc' is unknown"),
        ({"part_category": "Casting", "region": "EU"}, "no part has"),
        ({"part_id": "P1", "part_category": "Casting"}, "no part has"),
        ({"week_from": week(-1), "week_to": week(0)}, "has passed"),
    ],
)
def test_an_override_that_changes_nothing_is_named_and_does_not_stop_the_plan(values, words):
    result = planned(ONES, [override(factor=2.0, **values), override(factor=1.5, part_id="P1")])
    finding = check_overrides(result.override_use)
    assert not finding.passed
    assert words in finding.description
    assert "forecast_overrides.csv, row 2" in finding.description
    assert finding.metadata == {"overrides": 2, "overrides_unused": 1, "rows": 6}
    assert len(result.plan) == 4 * HORIZON


def test_an_override_for_weeks_beyond_the_horizon_waits():
    later = override(factor=2.0, week_from=week(HORIZON + 1), week_to=week(HORIZON + 2))
    result = planned(ONES, [later])
    assert check_overrides(result.override_use).passed
    assert (quantities(result) == 1).all(axis=None)


@pytest.mark.parametrize(("column", "value"), [("quantity", 0.5), ("q10", 9.0), ("statistical", np.nan)])
def test_a_plan_that_breaks_its_contract_is_found(column, value):
    plan = planned(
        ONES, book=pd.DataFrame([("P1", "CNC", "EU", week(1), 5.0, 2.0)], columns=BOOK.columns)
    ).plan
    plan.loc[0, column] = value
    assert not check_demand_plan(plan).passed


NAMES = [st.sampled_from([None, None, *{p[i] for p in PARTS}]) for i in range(3)]
OVERRIDES = st.lists(
    st.builds(
        lambda scope, first, length, amount, is_factor, age: override(
            **dict(zip(SCOPE, scope, strict=True)),
            week_from=week(first),
            week_to=week(first + length),
            entered=pd.Timestamp(W) - timedelta(days=age),
            **{"factor" if is_factor else "quantity": amount},
        ),
        st.tuples(*NAMES),
        st.integers(-1, HORIZON + 1),
        st.integers(0, 3),
        st.sampled_from([0.0, 0.5, 3.0, 17.0]),
        st.booleans(),
        st.integers(0, 2),
    ),
    max_size=5,
)
MEANS = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=HORIZON, max_size=HORIZON), min_size=4, max_size=4
)


def row_by_row(means, overrides):
    """The rules, one row at a time: of the overrides that cover a row the last in this order counts."""

    def covers(o, part, n):
        in_scope = all(o[name] in (None, value) for name, value in zip(SCOPE, part, strict=True))
        return in_scope and o["week_from"] <= week(n + 1) <= o["week_to"]

    def weight(o):
        return sum(w for name, w in zip(SCOPE, (4, 2, 1), strict=True) if o[name] is not None)

    result = {}
    named = [(o["part_id"], o["region"]) for o in overrides if o["part_id"] and o["region"]]
    category = {part: cat for part, cat, _ in PARTS}
    extra = {
        (p, category[p], r)
        for p, r in named
        if (p, r) not in {(q[0], q[2]) for q in PARTS}
        and any(
            o["part_category"] in (None, category[p])
            for o in overrides
            if (o["part_id"], o["region"]) == (p, r)
        )
    }
    rows = {part: means[i] for i, part in enumerate(PARTS)} | {part: [0.0] * HORIZON for part in extra}
    for part, values in rows.items():
        for n in range(HORIZON):
            ranked = sorted(
                ((o["entered"], weight(o), i) for i, o in enumerate(overrides) if covers(o, part, n)),
            )
            value = values[n]
            if ranked:
                o = overrides[ranked[-1][2]]
                inside = [p for p in rows if covers(o, p, n)]
                total = sum(rows[p][n] for p in inside)
                even = [p for p in inside if p in PARTS] or inside
                if o.get("factor") is not None:
                    value = values[n] * o["factor"]
                elif total:
                    value = o["quantity"] * values[n] / total
                else:
                    value = o["quantity"] / len(even) if part in even else 0.0
            result[part[0], part[2], week(n + 1)] = value
    return result


@settings(max_examples=25)
@given(MEANS, OVERRIDES)
def test_every_row_is_what_the_rules_say(means, overrides):
    plan = planned(means, overrides).plan
    expected = row_by_row(means, overrides)
    found = plan.set_index(["part_id", "region", "due_week"])["quantity"].to_dict()
    assert found == pytest.approx(expected, abs=1e-12)
    assert check_demand_plan(plan).passed
