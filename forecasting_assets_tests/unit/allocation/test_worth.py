"""Prices of shortage and priorities: which units are made, which orders are declined, against a model by part."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from forecasting_assets.allocation.instance import build_instance
from forecasting_assets.allocation.optimal import allocate, build_problem
from forecasting_assets.allocation.policy import AllocationPolicy, Priority, ShortagePrice
from forecasting_assets.allocation.program import AllocationError, solve
from forecasting_assets.allocation.verify import check_certificate, check_priced_parts
from forecasting_assets.allocation.worth import _price_bands, parts_without_demand, price_units

from .cases import ONE_SHOP, hours_of, make_demand, make_network, problems, some
from .test_optimal import loop_cost

#: A manufacturer of 10 hours, and one with no hours that would cost a fortune.
WITH_A_CLOSED_SHOP = make_network(
    [("M1", "north", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 0.0, 0.0, 0.0, 1.0)],
    [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 1e6)],
    [("north", "north", 0.0, 0)],
)
GOLD_AND_CHEAP = make_demand(
    [("cheap", "cnc", "north", 0, 10.0, 6.0), ("gold", "cnc", "north", 0, 10.0, 500.0)]
)


def made(result) -> dict:
    return result.plan.groupby("part_id")["quantity"].sum().to_dict()


def policy(**fields) -> AllocationPolicy:
    return AllocationPolicy(max_weeks_early=0, max_weeks_late=0, **fields)


def test_a_manufacturer_without_hours_does_not_level_what_shortages_cost():
    result = allocate(GOLD_AND_CHEAP, WITH_A_CLOSED_SHOP, policy())
    assert made(result) == pytest.approx({"gold": 10.0})
    assert result.cost["shortage_cost"] == pytest.approx(10 * 2 * 6.0)
    assert check_certificate(some(result.certificate)).passed


def test_no_on_time_production_is_more_expensive_than_a_shortage_unless_the_floor_is_off():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 1.0)])
    assert made(allocate(demand, ONE_SHOP, policy())) == pytest.approx({"a": 5.0})
    declined = allocate(demand, ONE_SHOP, policy(shortage_floor=False))
    assert declined.plan.empty
    assert declined.cost["total"] == pytest.approx(5 * 2 * 1.0)


def test_the_most_specific_shortage_price_counts():
    rows = [(part, category, "north", 0, 1.0, 1.0) for part in ("a", "b") for category in ("cnc", "sheet")]
    demand = make_demand(rows)

    def prices(price):
        return price_units(demand, policy(shortage_price=price))["shortage_price"].tolist()

    assert np.isnan(prices({})).all()
    assert prices(7) == [7.0, 7.0, 7.0, 7.0]
    assert prices({"default": 7, "category": {"sheet": 3}}) == [7.0, 3.0, 7.0, 3.0]
    assert prices({"default": 7, "category": {"sheet": 3}, "part": {"b": 0}}) == [7.0, 3.0, 0.0, 0.0]


def test_priorities_that_apply_are_multiplied():
    demand = make_demand([("a", "cnc", "north", 0, 1.0, 1.0), ("b", "cnc", "south", 0, 1.0, 1.0)])
    priority = {"part": {"a": 2}, "category": {"cnc": 3}, "region": {"south": 0.5}}
    assert price_units(demand, policy(priority=priority))["priority"].tolist() == [6.0, 1.5]


def test_priority_decides_between_units_of_one_price_and_counts_for_lateness():
    demand = make_demand([(part, "cnc", "north", 0, 10.0, 20.0) for part in ("a", "b")])
    first = policy(priority={"part": {"b": 3}})
    assert made(allocate(demand, WITH_A_CLOSED_SHOP, first)) == pytest.approx({"b": 10.0})
    two_weeks = AllocationPolicy(max_weeks_early=0, max_weeks_late=1, priority={"part": {"a": 3}})
    result = allocate(demand, WITH_A_CLOSED_SHOP, two_weeks, hours_of(WITH_A_CLOSED_SHOP, 2))
    late = result.plan.set_index("part_id")["lateness_cost"]
    assert late.to_dict() == pytest.approx({"a": 0.0, "b": 10 * 0.1 * 20.0})
    late_first = two_weeks.model_copy(update={"priority": Priority(region={"north": 5})})
    result = allocate(demand, WITH_A_CLOSED_SHOP, late_first, hours_of(WITH_A_CLOSED_SHOP, 2))
    assert result.cost["lateness_cost"] == pytest.approx(5 * 10 * 0.1 * 20.0)


def test_a_unit_is_made_exactly_if_its_shortage_costs_more():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0)])
    assert made(allocate(demand, ONE_SHOP, policy(shortage_price=4.01))) == pytest.approx({"a": 5.0})
    declined = allocate(demand, ONE_SHOP, policy(shortage_price=3.99))
    assert declined.plan.empty
    assert declined.shortages["quantity"].tolist() == [5.0]
    assert declined.cost["total"] == pytest.approx(5 * 3.99)
    assert check_certificate(some(declined.certificate)).passed


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"shortage_price": {"category": {"milling": 3}}}, r"shortage_price.category\] names 'milling'"),
        ({"priority": {"category": {"milling": 3}}}, r"priority.category\] names 'milling'"),
        ({"priority": {"region": {"moon": 3}}}, r"priority.region\] names 'moon'"),
    ],
)
def test_unknown_categories_and_regions_are_named(fields, named):
    with pytest.raises(AllocationError, match=named):
        allocate(GOLD_AND_CHEAP, ONE_SHOP, policy(**fields))


def test_parts_without_demand_are_named_but_do_not_stop_the_plan():
    priced = policy(
        shortage_price={"part": {"gold": 9, "old": 8}}, priority={"part": {"older": 2, "oldest": 2}}
    )
    assert parts_without_demand(GOLD_AND_CHEAP, priced) == {
        "allocation.shortage_price.part": ["old"],
        "allocation.priority.part": ["older", "oldest"],
    }
    finding = check_priced_parts(parts_without_demand(GOLD_AND_CHEAP, priced))
    assert not finding.passed
    assert "[allocation.priority.part] names older, oldest" in finding.description
    assert check_priced_parts(parts_without_demand(GOLD_AND_CHEAP, policy())).passed
    assert not allocate(GOLD_AND_CHEAP, ONE_SHOP, priced).plan.empty


@pytest.mark.parametrize(
    "fields",
    [
        {"shortage_price": -1},
        {"shortage_price": float("inf")},
        {"shortage_price": True},
        {"shortage_price": {"part": {"a": -1}}},
        {"shortage_price": {"region": {"north": 1}}},
        {"priority": {"part": {"a": 0}}},
        {"priority": {"part": {"a": float("nan")}}},
    ],
)
def test_prices_that_mean_nothing_are_refused(fields):
    with pytest.raises(ValidationError):
        AllocationPolicy(**fields)


@settings(max_examples=8, deadline=None)
@given(problems(max_weeks=3, same_price_in_class=True), st.integers(0, 2**32 - 1))
def test_own_prices_and_priorities_cost_what_the_program_part_by_part_costs(problem, seed):
    demand, network, base, weeks = problem
    rng = np.random.default_rng(seed)
    parts = sorted(demand["part_id"].unique())
    priced = base.model_copy(
        update={
            "value_bands": 1,
            "shortage_floor": bool(rng.random() < 0.5),
            "shortage_price": ShortagePrice(
                part={p: rng.uniform(1, 60) for p in parts if rng.random() < 0.6}
            ),
            "priority": Priority(
                part={p: rng.uniform(0.5, 3) for p in parts if rng.random() < 0.5}, region={"north": 2.0}
            ),
        }
    )
    result = allocate(demand, network, priced, hours_of(network, weeks))
    assert result.cost["total"] == pytest.approx(
        loop_cost(demand, network, priced, weeks), rel=1e-7, abs=1e-7
    )


def test_classes_keep_prices_apart():
    demand = make_demand([(f"p{n}", "cnc", "north", 0, 1.0, 20.0) for n in range(6)])
    priced = policy(
        value_bands=1, shortage_price={"part": {"p0": 5, "p1": 5, "p2": 9}}, priority={"part": {"p5": 2}}
    )
    instance = build_instance(demand, ONE_SHOP, priced)
    members = instance.parts.groupby("class")["part_id"].apply(set).tolist()
    assert sorted(map(sorted, members)) == [["p0", "p1"], ["p2"], ["p3", "p4"], ["p5"]]
    costs = instance.classes["shortage_cost"].to_numpy()[instance.parts["class"]]
    assert dict(zip(instance.parts["part_id"], costs, strict=True)) == pytest.approx(
        {"p0": 5.0, "p1": 5.0, "p2": 9.0, "p3": 40.0, "p4": 40.0, "p5": 80.0}
    )


def spread_out_prices(seed):
    """A network with many parts a category, whose prices are spread evenly, or far out; hours are short."""
    rng = np.random.default_rng(seed)
    makers, regions = [f"M{i}" for i in range(int(rng.integers(1, 4)))], ["north", "south"]
    network = make_network(
        [(m, rng.choice(regions), rng.uniform(5, 60), 5.0, 0.5, rng.uniform(0.7, 1)) for m in makers],
        [(m, "cnc", rng.uniform(0.5, 3), rng.uniform(4, 15)) for m in makers],
        [(a, b, rng.uniform(0, 5), int(a != b)) for a in regions for b in regions],
    )
    draw = [lambda n: rng.uniform(5, 40, n), lambda n: np.exp(rng.normal(3, 1, n))][seed % 2]
    demand = make_demand(
        [
            (f"p{i}", "cnc", region, week, rng.exponential(3.0), price)
            for i, price in enumerate(draw(30))
            for region in regions
            for week in range(2)
        ]
    )
    return demand, network


@pytest.mark.parametrize("seed", range(6))
def test_bands_of_prices_lose_less_than_half_a_percent(seed):
    demand, network = spread_out_prices(seed)
    banded, exact = (
        build_problem(demand, network, AllocationPolicy(value_bands=bands)).program
        for bands in (AllocationPolicy().value_bands, 1000)
    )
    costs = [float(program.c @ solve(program).x) for program in (banded, exact)]
    assert banded.c.size < 0.5 * exact.c.size
    assert costs[0] == pytest.approx(costs[1], rel=0.005)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 5)), min_size=1, max_size=7, unique_by=lambda p: p[0]
    ),
    st.integers(1, 4),
)
def test_bands_are_the_best_of_all_partitions(priced, most):
    price, units = (np.array(c, float) for c in zip(*sorted(priced), strict=True))

    def distance(band):
        return sum(
            units[band == b]
            @ (price[band == b] - np.average(price[band == b], weights=units[band == b])) ** 2
            for b in np.unique(band)
        )

    band = _price_bands(price, units, most)
    assert band[0] == 0
    assert np.isin(np.diff(band), [0, 1]).all()
    best = min(
        distance(np.isin(np.arange(price.size), cuts).cumsum())
        for cuts in combinations(range(1, price.size), min(most, price.size) - 1)
    )
    allowed = 0.01**2 * np.average(price, weights=units) ** 2 * units.sum()
    assert distance(band) <= max(best, allowed) + 1e-9


def test_many_prices_are_banded_too_and_like_prices_are_one_band():
    price = np.sort(np.random.default_rng(0).lognormal(3, 1, 5000))
    band = _price_bands(price, np.ones(5000), 10)
    assert np.unique(band).tolist() == list(range(10))
    assert (np.diff(band) >= 0).all()
    assert _price_bands(100 + 0.1 * price[:50] / price[50], np.ones(50), 10).max() == 0
