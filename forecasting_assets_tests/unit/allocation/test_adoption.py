"""What adopting a changed case enters gives the case's own demand and hours."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.adoption import adopted_hours, adopted_overrides, obstacles
from forecasting_assets.allocation.network import weekly_capacity
from forecasting_assets.allocation.what_if import (
    CapacityChange,
    Change,
    DemandChange,
    changed_demand,
    changed_state,
)
from forecasting_assets.planning.overrides import Series, apply_overrides
from forecasting_assets.weeks import add_weeks, weeks_between

from .cases import FIRST, hours_of, make_network, monday, some

WEEK = add_weeks(FIRST, -1)
HORIZON = 3
SERIES = [("a", "CNC", "EU"), ("a", "CNC", "US"), ("b", "CNC", "EU"), ("c", "Casting", "US")]
NETWORK = make_network(
    [("M1", "EU", 10.0, 0.0, 0.5, 1.0), ("M2", "EU", 20.0, 5.0, 0.5, 1.0)],
    [("M1", "CNC", 1.0, 4.0), ("M2", "CNC", 1.0, 4.0)],
    [("EU", "EU", 0.0, 0)],
    [("M1", monday(1), 6.0)],
)

weeks = st.sampled_from([None, *weeks_between(FIRST, add_weeks(FIRST, HORIZON - 1))])
demand_changes = st.builds(
    DemandChange,
    st.floats(0, 3),
    st.sampled_from([None, "a", "b"]),
    st.none(),
    st.sampled_from([None, "EU", "US"]),
    weeks,
) | st.builds(DemandChange, st.floats(0, 3), st.none(), st.sampled_from([None, "CNC"]), st.none(), weeks)
statistical = st.lists(st.floats(0.1, 100), min_size=len(SERIES) * HORIZON, max_size=len(SERIES) * HORIZON)
existing = st.none() | st.floats(0, 500)


def demand_plan(mean: np.ndarray, override: np.ndarray) -> pd.DataFrame:
    rows = pd.DataFrame(
        [(*key, monday(h)) for key in SERIES for h in range(HORIZON)],
        columns=["part_id", "part_category", "region", "due_week"],
    )
    rows = rows.assign(statistical=mean.ravel(), override=override.ravel(), booked=0.0, held=0.0)
    return rows.assign(quantity=rows["override"].fillna(rows["statistical"]))


@given(statistical, existing, st.lists(demand_changes, min_size=1, max_size=3))
@settings(max_examples=40)
def test_adopted_overrides_plan_the_demand_of_the_case(mean, quantity, changes):
    # A planner's quantity for one category in one region, entered before the case is adopted.
    before = pd.DataFrame(
        {
            "part_id": None,
            "part_category": ["CNC"],
            "region": ["EU"],
            "week_from": monday(0),
            "week_to": monday(1),
            "quantity": quantity,
            "factor": np.nan,
            "entered": pd.Timestamp(WEEK),
        }
    ).astype({"quantity": float})
    before = before if quantity is not None else before.iloc[:0]
    forecast = np.reshape(mean, (len(SERIES), HORIZON))
    series = Series(
        pd.DataFrame(SERIES, columns=["part_id", "part_category", "region"]), np.ones(len(SERIES), dtype=bool)
    )
    plan = demand_plan(forecast, apply_overrides(forecast, series, before, WEEK).values)
    change = Change(demand=tuple(changes))
    adopted = adopted_overrides(change, plan, WEEK)
    after = apply_overrides(forecast, series, pd.concat([before, adopted], ignore_index=True), WEEK).values
    planned = np.where(np.isnan(after), forecast, after).ravel()
    assert planned == pytest.approx(
        changed_demand(plan, change, ["quantity"])["quantity"].to_numpy(), abs=1e-9
    )


capacity_changes = st.builds(
    CapacityChange, st.sampled_from(["M1", "M2"]), st.none(), st.floats(0, 500), weeks
) | st.builds(
    CapacityChange,
    st.sampled_from(["M1", "M2"]),
    st.floats(0, 3),
    st.none(),
    st.sampled_from(weeks_between(FIRST, add_weeks(FIRST, HORIZON - 1))),
)


@given(st.lists(capacity_changes, max_size=4))
@settings(max_examples=40)
def test_adopted_hours_are_the_hours_of_the_case(changes):
    change = Change(tuple(changes))
    state = hours_of(NETWORK, HORIZON)
    after = some(changed_state(state, change)[0].capacity)
    rows = adopted_hours(some(state.capacity), after)
    overrides = pd.concat([rows, NETWORK.capacity_overrides], ignore_index=True)
    overrides = overrides.drop_duplicates(["manufacturer_id", "week"])
    files = replace(NETWORK, capacity_overrides=overrides.astype({"week": "datetime64[ns]"}))
    found = weekly_capacity(files, weeks_between(FIRST, add_weeks(FIRST, HORIZON - 1)))
    pd.testing.assert_frame_equal(found, after)
    assert obstacles(change, NETWORK) == []


def test_what_no_file_can_express_is_named():
    change = Change((CapacityChange("M1", 0.5), CapacityChange("M2", 0.5)), (), ("M1",))
    found = obstacles(change, NETWORK)
    assert [text.split()[:2] for text in found] == [["M2", "has"], ["remove", "M1"]]


def test_a_change_of_all_demand_is_one_row_for_all_weeks():
    plan = demand_plan(np.ones((len(SERIES), HORIZON)), np.full((len(SERIES), HORIZON), np.nan))
    (row,) = adopted_overrides(Change(demand=(DemandChange(1.2),)), plan, WEEK).to_dict("records")
    assert (row["factor"], row["week_from"], row["week_to"]) == (1.2, monday(0), monday(HORIZON - 1))
    assert row["entered"] == pd.Timestamp(date(2023, 12, 31))
    assert pd.isna([row[name] for name in ("part_id", "part_category", "region", "quantity")]).all()
