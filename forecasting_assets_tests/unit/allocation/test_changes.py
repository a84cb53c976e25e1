"""What a plan changes in the plan before, compared with loops over the rows."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.changes import CHANGES, REASONS, PlannedWeek, plan_changes

FIRST = pd.Timestamp("2026-11-23")
WEEKS = [FIRST + pd.Timedelta(weeks=i) for i in range(-1, 4)]
KEY = ["part_id", "region", "due_week", "manufacturer_id", "production_week"]

rows = st.lists(
    st.tuples(
        st.sampled_from(["P1", "P2"]),
        st.sampled_from(["north", "south"]),
        st.sampled_from(WEEKS[1:]),
        st.sampled_from(["M1", "M2", "M3"]),
        st.sampled_from(WEEKS),
        st.integers(1, 40).map(float),
    ),
    max_size=12,
    unique_by=lambda row: row[:5],
)


def week(lines, **changes) -> PlannedWeek:
    table = pd.DataFrame(lines, columns=[*KEY, "quantity"]).astype(
        {"due_week": "datetime64[ns]", "production_week": "datetime64[ns]", "quantity": float}
    )
    table = table.assign(part_category="cnc", locked_quantity=0.0)
    load = pd.DataFrame([(m, w) for m in ("M1", "M2", "M3") for w in WEEKS[1:]], columns=KEY[3:])
    demand = pd.DataFrame(
        [(p, r, w) for p in ("P1", "P2") for r in ("north", "south") for w in WEEKS[1:]], columns=KEY[:3]
    ).assign(quantity=100.0, override=np.nan, booked=0.0, held=0.0)
    tables = {
        "plan": table,
        "capacity_load": load.assign(capacity_hours=10.0),
        "shortages": pd.DataFrame(columns=[*KEY[:3], "quantity"]).astype({"due_week": "datetime64[ns]"}),
        "demand": demand,
    }
    return PlannedWeek(**{name: changes.get(name, lambda t: t)(tables[name]) for name in tables})


def cells(plan: PlannedWeek) -> Counter[tuple[Any, ...]]:
    units: Counter[tuple[Any, ...]] = Counter()
    for row in plan.plan.to_dict("records"):
        if row["production_week"] >= FIRST:
            units[tuple(row[c] for c in KEY)] += row["quantity"]
    return units


@settings(max_examples=25, deadline=None)
@given(rows, rows)
def test_changes_lead_from_the_plan_before_to_this_one_and_move_as_much_as_possible(before, now):
    old, new = week(before), week([row for row in now if row[4] >= FIRST])
    changes = plan_changes(old, new)
    expected, units = cells(new), cells(old)
    for c in changes.to_dict("records"):
        series = tuple(c[name] for name in KEY[:3])
        if c["kind"] in ("moved", "dropped"):
            units[(*series, c["from_manufacturer"], c["from_week"])] -= c["quantity"]
        if c["kind"] in ("moved", "new"):
            units[(*series, c["to_manufacturer"], c["to_week"])] += c["quantity"]
        assert c["quantity"] > 0
        assert c["reason"] in REASONS
    for key in expected | units:
        assert units[key] == pytest.approx(expected[key], abs=1e-6)
    # Nothing is both new and dropped in one series.
    kinds = changes.groupby(KEY[:3])["kind"].agg(set)
    assert not any({"new", "dropped"} <= kind for kind in kinds)
    assert list(changes.columns) == CHANGES


ONE = [("P1", "north", WEEKS[2], "M1", WEEKS[1], 10.0)]
ELSEWHERE = [("P1", "north", WEEKS[2], "M2", WEEKS[2], 10.0)]
MORE = [("P1", "north", WEEKS[2], "M1", WEEKS[1], 15.0)]


def column(name, value, **where):
    def change(table):
        rows = np.logical_and.reduce([table[c] == v for c, v in where.items()]) if where else slice(None)
        table = table.copy()
        table.loc[rows, name] = value
        return table

    return change


@pytest.mark.parametrize(
    ("before", "now", "changes_before", "changes_now", "reason"),
    [
        (ONE, ELSEWHERE, {}, {}, "other_demand"),
        (
            ONE,
            ELSEWHERE,
            {},
            {"capacity_load": column("capacity_hours", 4.0, manufacturer_id="M1", production_week=WEEKS[1])},
            "capacity",
        ),
        (ONE, ELSEWHERE, {}, {"plan": column("locked_quantity", 10.0)}, "lock"),
        (ONE, MORE, {}, {"plan": column("locked_quantity", 15.0)}, "lock"),
        (ONE, MORE, {}, {"demand": column("quantity", 105.0)}, "forecast"),
        (MORE, ONE, {}, {"demand": column("quantity", 95.0)}, "forecast"),
        (ONE, MORE, {}, {"demand": lambda d: d.assign(quantity=105.0, override=105.0)}, "override"),
        (ONE, MORE, {}, {"demand": lambda d: d.assign(quantity=105.0, booked=105.0)}, "orders"),
        (ONE, MORE, {}, {}, "supply"),
        (
            ONE,
            MORE,
            {"shortages": lambda s: pd.DataFrame([("P1", "north", WEEKS[2], 5.0)], columns=s.columns)},
            {},
            "capacity",
        ),
        ([], ONE, {"demand": lambda d: d[d["due_week"] < WEEKS[2]]}, {}, "horizon"),
    ],
)
def test_reasons(before, now, changes_before, changes_now, reason):
    changes = plan_changes(week(before, **changes_before), week(now, **changes_now))
    assert set(changes["reason"]) == {reason}
