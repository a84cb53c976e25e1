"""Demand that nobody can serve is unmet, with its reason, and changes nothing for the rest."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation import (
    allocate,
    build_problem,
    check_balance,
    check_certificate,
    check_servable,
    planned_units,
    unservable,
)
from forecasting_assets.allocation.policy import AllocationPolicy

from .cases import ONE_SHOP, make_demand, problems

NOBODY = [
    ("lost-1", "cnc", "moon", 0, 5.0, 7.0),
    ("lost-2", "laser", "north", 1, 3.0, 1000.0),
    ("lost-3", "laser", "moon", 0, 1e6, 0.5),
]


@settings(deadline=None, max_examples=12)
@given(problems(), st.lists(st.sampled_from(NOBODY), min_size=1, unique=True))
def test_demand_that_nobody_can_serve_changes_nothing_for_the_rest(problem, lost):
    demand, network, policy, n_weeks = problem
    # Demand without a price that nobody can serve is valued like the most valuable of all.
    demand = demand.assign(unit_price=demand["unit_price"].fillna(10.0))
    lost = [row for row in lost if row[3] < n_weeks]
    both = pd.concat([demand, make_demand(lost)], ignore_index=True)
    alone, beside = allocate(demand, network, policy), allocate(both, network, policy)
    shortages = beside.shortages[beside.shortages["part_id"].str.startswith("lost-")]
    assert dict(zip(shortages["part_id"], shortages["quantity"], strict=True)) == pytest.approx(
        {part: quantity for part, *_, quantity, _ in lost}
    )
    others = beside.cost["total"] - shortages["cost"].sum()
    assert others == pytest.approx(alone.cost["total"], rel=1e-6, abs=1e-6)
    assert not beside.plan["part_id"].str.startswith("lost-").any()
    assert beside.certificate is not None
    assert check_certificate(beside.certificate).passed
    asked = planned_units(build_problem(both, network, policy))
    assert check_balance(beside.plan, beside.shortages, asked).passed
    finding = check_servable(both, unservable(network, both))
    assert finding.passed == (not lost and not unservable(network, demand))
    assert all(part in finding.description for part, *_ in lost)


def test_demand_that_nobody_can_serve_does_not_shift_the_bands_of_value():
    demand = make_demand(
        [(f"p{n}", "cnc", "north", 0, 5.0, price) for n, price in enumerate((5.0, 6.0, 30.0, 40.0))]
    )
    lost = make_demand([("lost", "cnc", "moon", 0, 20.0, 1.0)])
    policy = AllocationPolicy(value_bands=2)
    alone, beside = (
        allocate(asked, ONE_SHOP, policy) for asked in (demand, pd.concat([demand, lost], ignore_index=True))
    )
    pd.testing.assert_frame_equal(beside.plan, alone.plan)
    of_others = beside.shortages[beside.shortages["part_id"] != "lost"].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_others, alone.shortages)


def test_a_plan_for_nothing_but_such_demand_leaves_it_unmet():
    made = allocate(make_demand(NOBODY), ONE_SHOP, AllocationPolicy())
    assert made.plan.empty
    assert made.shortages["quantity"].sum() == sum(quantity for *_, quantity, _ in NOBODY)
    assert set(made.reasons["kind"]) == {"short"}
