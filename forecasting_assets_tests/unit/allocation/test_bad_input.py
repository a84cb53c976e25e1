"""Bad input is a clear error before the solve, or a certified plan."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.network import NetworkError
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import NEW_START
from forecasting_assets.allocation.verify import check_balance, check_capacity, check_certificate

from .cases import ONE_SHOP, hours_of, make_demand, problems

DEMAND = make_demand([("a", "cnc", "north", w, 5.0, 20.0) for w in (0, 1)])


def certified(demand, network, policy=None, state=NEW_START):
    result = allocate(demand, network, policy or AllocationPolicy(), state)
    assert result.certificate is not None
    for finding in (
        check_certificate(result.certificate),
        check_capacity(result.capacity_load),
        check_balance(result.plan, result.shortages, demand),
    ):
        assert finding.passed, finding
    return result


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("manufacturers", "capacity_hours_per_week", -1.0),
        ("manufacturers", "capacity_hours_per_week", np.nan),
        ("manufacturers", "overtime_hours_per_week", np.inf),
        ("manufacturers", "on_time_rate", 1.1),
        ("capabilities", "hours_per_unit", 0.0),
        ("capabilities", "unit_cost", -3.0),
        ("lanes", "transit_weeks", -1.0),
    ],
)
def test_a_bad_number_is_named(table, column, value):
    network = replace(ONE_SHOP, **{table: getattr(ONE_SHOP, table).assign(**{column: value})})
    with pytest.raises(NetworkError, match=f"{table}, .*, column {column}: {value}") as error:
        allocate(DEMAND, network, AllocationPolicy())
    (problem,) = error.value.problems
    assert (problem.kind, problem.table, problem.column) == ("out_of_bounds", table, column)


@pytest.mark.parametrize("table", ["manufacturers", "capabilities", "lanes"])
def test_a_row_that_is_there_twice_is_named(table):
    rows = getattr(ONE_SHOP, table)
    with pytest.raises(NetworkError) as error:
        allocate(DEMAND, replace(ONE_SHOP, **{table: pd.concat([rows, rows])}), AllocationPolicy())
    assert [(p.kind, p.table) for p in error.value.problems] == [("repeated_key", table)]


def test_no_capacity_at_all_is_a_certified_shortage():
    none = ONE_SHOP.manufacturers.assign(capacity_hours_per_week=0.0, overtime_hours_per_week=0.0)
    result = certified(DEMAND, replace(ONE_SHOP, manufacturers=none))
    assert result.shortages["quantity"].sum() == pytest.approx(10.0)


@pytest.mark.parametrize("small", [1e-9, 1e-6, 1e-3])
def test_the_tiny_beside_the_huge(small):
    rows = [("a", "cnc", "north", 0, small, 20.0), ("b", "cnc", "north", 1, 1e9, 20.0)]
    certified(make_demand(rows), ONE_SHOP)
    dear = [("a", "cnc", "north", 0, 5.0, small), ("b", "cnc", "north", 1, 20.0, 1e9)]
    result = certified(make_demand(dear), ONE_SHOP)
    # What matters most is served first.
    assert result.plan.groupby("part_id")["quantity"].sum()["b"] == pytest.approx(20.0)


@settings(max_examples=30, deadline=None)
@given(problems(max_weeks=3), *(st.sampled_from([1e-9, 1e-4, 1.0, 1e4, 1e9]) for _ in range(3)))
def test_every_plan_is_certified_in_any_unit(problem, quantity, hours, money):
    """Pieces or tonnes, hours or seconds, cents or millions: the same plan, certified."""
    demand, network, policy, weeks = problem
    # Without any price or way to serve it a unit counts as 1, in whatever currency.
    demand = demand.assign(unit_price=demand["unit_price"].fillna(10.0))
    plain = certified(demand, network, policy, hours_of(network, weeks))
    scaled_network = replace(
        network,
        manufacturers=network.manufacturers.assign(
            capacity_hours_per_week=network.manufacturers["capacity_hours_per_week"] * hours,
            overtime_hours_per_week=network.manufacturers["overtime_hours_per_week"] * hours,
        ),
        capabilities=network.capabilities.assign(
            hours_per_unit=network.capabilities["hours_per_unit"] * hours / quantity,
            unit_cost=network.capabilities["unit_cost"] * money / quantity,
        ),
        lanes=network.lanes.assign(unit_cost=network.lanes["unit_cost"] * money / quantity),
        capacity_overrides=network.capacity_overrides.assign(
            capacity_hours=network.capacity_overrides["capacity_hours"] * hours
        ),
    )
    scaled_demand = demand.assign(
        quantity=demand["quantity"] * quantity, unit_price=demand["unit_price"] * money / quantity
    )
    scaled = certified(scaled_demand, scaled_network, policy, hours_of(scaled_network, weeks))
    assert scaled.cost["total"] == pytest.approx(plain.cost["total"] * money, rel=1e-6, abs=1e-9 * money)
