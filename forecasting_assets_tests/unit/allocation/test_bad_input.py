"""Bad input is a clear error before the solve, or a certified plan."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.arguments import DemandError, InputError
from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.network import NetworkError
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import NEW_START, PlanningState
from forecasting_assets.allocation.verify import check_balance, check_capacity, check_certificate

from .cases import ONE_SHOP, hours_of, make_demand, problems, some

DEMAND = make_demand([("a", "cnc", "north", w, 5.0, 20.0) for w in (0, 1)])


def certified(demand, network, policy=None, state=NEW_START):
    result = allocate(demand, network, policy or AllocationPolicy(whole_units=False), state)
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
    with pytest.raises(NetworkError, match=f"{table}, row 0, column {column}: {value}") as error:
        allocate(DEMAND, network, AllocationPolicy())
    (problem,) = error.value.problems
    assert (problem.kind, problem.table, problem.column) == ("out_of_bounds", table, column)


@pytest.mark.parametrize("table", ["manufacturers", "capabilities", "lanes"])
def test_a_row_that_is_there_twice_is_named(table):
    rows = getattr(ONE_SHOP, table)
    with pytest.raises(NetworkError) as error:
        allocate(DEMAND, replace(ONE_SHOP, **{table: pd.concat([rows, rows])}), AllocationPolicy())
    assert [(p.kind, p.table) for p in error.value.problems] == [("repeated_key", table)]


@pytest.mark.parametrize(
    ("table", "change", "kind", "column"),
    [
        ("manufacturers", lambda t: t.drop(columns="on_time_rate"), "missing_column", "on_time_rate"),
        ("lanes", lambda t: t.assign(to_region=None), "empty", "to_region"),
        ("capabilities", lambda t: t.assign(unit_cost="4 EUR"), "not_a_number", "unit_cost"),
        ("capabilities", lambda t: t.assign(manufacturer_id="M9"), "unknown_manufacturer", "manufacturer_id"),
        (
            "capacity_overrides",
            lambda t: pd.DataFrame(
                {"manufacturer_id": "M1", "week": [pd.Timestamp("2024-01-02")], "capacity_hours": 1.0}
            ),
            "bad_week",
            "week",
        ),
        (
            "capacity_overrides",
            lambda t: pd.DataFrame({"manufacturer_id": "M1", "week": ["2024-01-01"], "capacity_hours": 1.0}),
            "bad_week",
            "week",
        ),
    ],
)
def test_a_network_table_of_another_shape_is_named(table, change, kind, column):
    network = replace(ONE_SHOP, **{table: change(getattr(ONE_SHOP, table))})
    with pytest.raises(NetworkError) as error:
        allocate(DEMAND, network, AllocationPolicy())
    assert [(p.kind, p.table, p.column) for p in error.value.problems] == [(kind, table, column)]


CAPACITY = some(hours_of(ONE_SHOP, 2).capacity)
SUPPLY = pd.DataFrame(
    {"part_id": "a", "region": "north", "week": CAPACITY["production_week"], "quantity": 1.0}
)


@pytest.mark.parametrize("planner", [allocate, allocate_greedily])
@pytest.mark.parametrize(
    ("change", "kind", "column", "row"),
    [
        (
            lambda c: c.drop(columns="overtime_capacity_hours"),
            "missing_column",
            "overtime_capacity_hours",
            None,
        ),
        (lambda c: c.assign(capacity_hours=[5.0, np.nan]), "out_of_bounds", "capacity_hours", 1),
        (
            lambda c: c.assign(overtime_capacity_hours=[-1.0, 0.0]),
            "out_of_bounds",
            "overtime_capacity_hours",
            0,
        ),
        (lambda c: c.assign(capacity_hours=["5", "6"]), "not_a_number", "capacity_hours", None),
        (
            lambda c: c.assign(production_week=c["production_week"].astype(str)),
            "bad_week",
            "production_week",
            None,
        ),
        (
            lambda c: c.assign(production_week=c["production_week"] + pd.Timedelta(days=2)),
            "bad_week",
            "production_week",
            0,
        ),
        (lambda c: c.assign(production_week=c["production_week"].iloc[0]), "repeated_key", "", 1),
        (lambda c: c.assign(manufacturer_id=["M1", None]), "missing_value", "manufacturer_id", 1),
    ],
)
def test_capacity_that_cannot_be_planned_with_is_named(planner, change, kind, column, row):
    with pytest.raises(InputError) as error:
        planner(DEMAND, ONE_SHOP, AllocationPolicy(), PlanningState(capacity=change(CAPACITY)))
    assert (error.value.kind, error.value.table) == (kind, "capacity")
    assert (error.value.column, error.value.row) == (column, row)


@pytest.mark.parametrize("planner", [allocate, allocate_greedily])
@pytest.mark.parametrize(
    ("change", "kind", "column", "row"),
    [
        (lambda d: d.drop(columns="part_id"), "missing_column", "part_id", None),
        (lambda d: d.assign(region=["north", None]), "missing_value", "region", 1),
        (lambda d: d.assign(quantity=[1.0, np.inf]), "out_of_bounds", "quantity", 1),
        (lambda d: d.assign(quantity=["1", "2"]), "not_a_number", "quantity", None),
        (lambda d: d.assign(unit_price=[-1.0, np.nan]), "out_of_bounds", "unit_price", 0),
        (lambda d: d.assign(due_week=["2024-01-01", "2024-01-08"]), "bad_week", "due_week", None),
        (lambda d: d.assign(due_week=pd.Timestamp("2024-01-01")), "repeated_key", "", 1),
    ],
)
def test_demand_that_cannot_be_planned_is_named(planner, change, kind, column, row):
    with pytest.raises(DemandError) as error:
        planner(change(DEMAND), ONE_SHOP, AllocationPolicy())
    assert (error.value.kind, error.value.table) == (kind, "demand")
    assert (error.value.column, error.value.row) == (column, row)


@pytest.mark.parametrize(
    ("change", "kind", "column", "row"),
    [
        (lambda s: s.drop(columns="region"), "missing_column", "region", None),
        (lambda s: s.assign(quantity=[0.0, -1.0]), "out_of_bounds", "quantity", 1),
        (lambda s: s.assign(quantity=[np.nan, 0.0]), "out_of_bounds", "quantity", 0),
        (lambda s: s.assign(week=s["week"] + pd.Timedelta(days=1)), "bad_week", "week", 0),
        (lambda s: s.assign(week=s["week"].dt.date), "bad_week", "week", None),
    ],
)
def test_supply_that_cannot_be_planned_with_is_named(change, kind, column, row):
    with pytest.raises(InputError) as error:
        PlanningState(supply=change(SUPPLY))
    assert (error.value.kind, error.value.table) == (kind, "supply")
    assert (error.value.column, error.value.row) == (column, row)


def test_a_previous_plan_that_cannot_be_kept_is_named():
    plan = allocate(DEMAND, ONE_SHOP, AllocationPolicy()).plan
    PlanningState(previous=plan)
    with pytest.raises(InputError) as error:
        PlanningState(previous=plan.assign(quantity=-plan["quantity"]))
    assert (error.value.kind, error.value.table, error.value.column) == (
        "out_of_bounds",
        "previous",
        "quantity",
    )


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


@settings(max_examples=8, deadline=None)
@given(
    problems(max_weeks=3),
    st.sampled_from([1e-2, 1.0, 1e4, 1e9]),
    *(st.sampled_from([1e-9, 1e-4, 1.0, 1e4, 1e9]) for _ in range(2)),
)
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
