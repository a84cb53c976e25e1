"""The cheapest plan, against plans worked out by hand, by loops and by enumeration."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from scipy.optimize import linprog

from forecasting_assets.allocation.arguments import DemandError
from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.program import (
    AllocationError,
    Columns,
    InfeasibleError,
    Rows,
    assemble,
    solve,
)
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.verify import check_balance, check_capacity, check_certificate
from forecasting_assets.tables import ALLOCATION_PLAN, CAPACITY_LOAD, PLAN_SHORTAGES

from .cases import ONE_SHOP, hours_of, make_demand, make_network, monday, problems

POLICY = AllocationPolicy(lateness_penalty=0.1, holding_cost=0.05, obsolescence=0, shortage_cost=2)
#: Nothing is made after the last due week.
ON_TIME = POLICY.model_copy(update={"max_weeks_late": 0})


def assert_valid(result, demand):
    for finding in (
        check_capacity(result.capacity_load),
        check_balance(result.plan, result.shortages, demand),
    ):
        assert finding.passed, finding
    assert list(result.plan) == ALLOCATION_PLAN.names
    assert list(result.capacity_load) == CAPACITY_LOAD.names
    assert list(result.shortages) == PLAN_SHORTAGES.names
    assert result.cost["total"] == pytest.approx(result.plan["cost"].sum() + result.cost["shortage_cost"])
    if result.certificate is not None:
        finding = check_certificate(result.certificate)
        assert finding.passed, finding
        assert result.cost["total"] == pytest.approx(result.certificate.bound, rel=1e-7, abs=1e-9)


def test_makes_ahead_when_the_week_is_full():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("a", "cnc", "north", 1, 14.0, 20.0)])
    result = allocate(demand, ONE_SHOP, ON_TIME)
    plan = result.plan.set_index(["production_week", "due_week"])["quantity"]
    assert plan.to_dict() == pytest.approx(
        {(monday(0), monday(0)): 5, (monday(0), monday(1)): 4, (monday(1), monday(1)): 10}
    )
    assert result.cost["total"] == pytest.approx(19 * 4 + 4 * 0.05 * 4)
    # One more hour in the second week saves holding one unit; the first week has hours to spare.
    assert result.capacity_load["shadow_price"].tolist() == pytest.approx([0.0, 0.2])
    assert_valid(result, demand)


def test_overtime_before_shortage_and_what_an_hour_is_then_worth():
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("a", "cnc", "north", 1, 30.0, 20.0)])
    result = allocate(demand, ONE_SHOP, ON_TIME)
    assert result.shortages["quantity"].tolist() == pytest.approx([11.0])
    assert result.capacity_load["overtime_hours"].tolist() == pytest.approx([2.0, 2.0])
    assert result.cost["overtime_cost"] == pytest.approx(4 * 2.0)
    assert result.cost["shortage_cost"] == pytest.approx(11 * 40.0)
    assert result.capacity_load["shadow_price"].tolist() == pytest.approx([40 - 4 - 0.2, 40 - 4])
    assert_valid(result, demand)


def test_late_rather_than_never_and_unreliable_only_if_cheaper():
    network = make_network(
        [("M1", "far", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 3.0, 0.0, 0.0, 0.5)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 4.0)],
        [("far", "north", 0.9, 1), ("north", "north", 0.0, 0)],
    )
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("a", "cnc", "north", 1, 0.0, 20.0)])
    result = allocate(demand, network, POLICY)
    made = result.plan.set_index("manufacturer_id")
    assert made["quantity"].to_dict() == pytest.approx({"M1": 2.0, "M2": 3.0})
    # M1 is a week late for certain, M2 every second time: 10 % of 20 for each expected week.
    assert made["lateness_cost"].to_dict() == pytest.approx({"M1": 2 * 2.0, "M2": 3 * 0.5 * 2.0})
    assert_valid(result, demand)


def test_overtime_of_a_cheap_part_cannot_stand_in_for_a_dear_one():
    network = make_network(
        [("M1", "north", 0.0, 10.0, 1.0, 1.0)],
        [("M1", "cnc", 1.0, 10.0), ("M1", "sheet", 1.0, 1.0)],
        [("north", "north", 0.0, 0)],
    )
    demand = make_demand([("a", "cnc", "north", 0, 4.0, 50.0), ("b", "sheet", "north", 0, 3.0, 50.0)])
    assert allocate(demand, network, POLICY).cost["overtime_cost"] == pytest.approx(4 * 10 + 3 * 1)


def test_capacity_override_closes_a_week():
    network = replace(
        ONE_SHOP,
        capacity_overrides=pd.DataFrame(
            {"manufacturer_id": ["M1"], "week": [monday(1)], "capacity_hours": [0.0]}
        ),
    )
    demand = make_demand([("a", "cnc", "north", w, 10.0, 20.0) for w in (0, 1)])
    result = allocate(demand, network, ON_TIME)
    assert result.capacity_load["capacity_hours"].tolist() == [10.0, 0.0]
    assert result.shortages["quantity"].sum() == pytest.approx(6.0)
    assert_valid(result, demand)


def test_weeks_after_the_last_due_week_are_for_late_units_and_are_no_free_capacity():
    demand = make_demand([("a", "cnc", "north", 0, 15.0, 20.0)])
    result = allocate(demand, ONE_SHOP, POLICY)
    load = result.capacity_load
    # 10 in time, 2 in overtime for 2 more, 3 a week late for 10 % of 20.
    assert load["load_hours"].tolist() == pytest.approx([10.0, 5.0, 0.0])
    assert load["beyond_horizon"].tolist() == [0, 1, 1]
    assert check_capacity(load).metadata["utilisation"] == pytest.approx(1.0)
    loaded = allocate(demand, ONE_SHOP, POLICY.model_copy(update={"minimum_load": {"M1": 0.9}}))
    assert loaded.rules["limit"].tolist() == pytest.approx([9.0])


def test_parts_of_a_class_share_what_there_is():
    demand = make_demand([("a", "cnc", "north", 0, 18.0, 20.0), ("b", "cnc", "north", 0, 6.0, 20.0)])
    result = allocate(demand, ONE_SHOP, ON_TIME)
    assert result.plan.set_index("part_id")["quantity"].to_dict() == pytest.approx({"a": 9.0, "b": 3.0})
    assert result.shortages.set_index("part_id")["quantity"].to_dict() == pytest.approx({"a": 9.0, "b": 3.0})


@pytest.mark.parametrize(
    "demand",
    [
        make_demand([]),
        make_demand([("a", "cnc", "north", 0, 0.0, 20.0)]),
        make_demand([("a", "laser", "north", 0, 3.0, np.nan)]),
        make_demand([("a", "cnc", "moon", 0, 3.0, 7.0)]),
    ],
    ids=["no rows", "nothing asked", "nobody makes it", "no lane"],
)
@pytest.mark.parametrize("planner", [allocate, allocate_greedily])
def test_nothing_to_do_or_nobody_to_do_it_is_a_valid_plan(demand, planner):
    result = planner(demand, ONE_SHOP, POLICY, hours_of(ONE_SHOP, 2))
    assert result.plan.empty
    assert result.capacity_load["load_hours"].tolist() == [0.0, 0.0]
    assert result.shortages["quantity"].sum() == demand["quantity"].sum()
    assert result.cost["total"] == pytest.approx(result.cost["shortage_cost"])
    assert_valid(result, demand)


def test_no_production_week_at_all_is_all_shortage():
    demand = make_demand([("a", "cnc", "north", 0, 3.0, 20.0)])
    result = allocate(demand, ONE_SHOP, POLICY, hours_of(ONE_SHOP, 0))
    assert result.shortages["quantity"].tolist() == [3.0]
    assert_valid(result, demand)


def loop_cost(demand, network, policy, weeks):
    """The cost of the program with one variable a part, written with loops and solved by scipy."""
    price, priority = policy.shortage_price, policy.priority
    makers, lanes = network.manufacturers.set_index("manufacturer_id"), {}
    for lane in network.lanes.itertuples():
        lanes[lane.from_region, lane.to_region] = lane
    hours = {(m, w): makers.capacity_hours_per_week[m] for m in makers.index for w in range(weeks)}
    for o in network.capacity_overrides.itertuples():
        hours[o.manufacturer_id, (o.week - monday(0)).days // 7] = o.capacity_hours
    cost, equal, b_equal = [], [], []
    upper: dict[tuple, tuple[dict, float]] = {}
    made_by: dict[tuple, dict[int, list[int]]] = {}

    def variable(unit_cost):
        cost.append(unit_cost)
        return len(cost) - 1

    for row in demand.itertuples():
        due = (row.due_week - monday(0)).days // 7
        ways = [
            (c, makers.loc[c.manufacturer_id], lanes[makers.region[c.manufacturer_id], row.region])
            for c in network.capabilities.itertuples()
            if c.part_category == row.part_category
            and (makers.region[c.manufacturer_id], row.region) in lanes
        ]
        multiple = (
            priority.part.get(row.part_id, 1.0)
            * priority.category.get(row.part_category, 1.0)
            * priority.region.get(row.region, 1.0)
        )
        penalty = policy.lateness_penalty * row.unit_price
        # Without any hours there is no way to make a unit.
        dearest = [
            c.unit_cost * (1 + m.overtime_premium + policy.max_weeks_early * policy.keeping_cost)
            + lane.unit_cost
            + (1 - m.on_time_rate) * penalty
            for c, m, lane in ways
            if m.overtime_hours_per_week + sum(hours[c.manufacturer_id, w] for w in range(weeks)) > 0
        ]
        at_least = dearest if policy.shortage_floor else []
        by_value = policy.shortage_cost * max([row.unit_price, *at_least])
        by_category = price.category.get(row.part_category, price.default)
        own_price = price.part.get(row.part_id, by_category)
        serving = [variable(multiple * (by_value if own_price is None else own_price))]
        for c, m, lane in ways:
            for week in range(weeks):
                late = week + lane.transit_weeks - due
                if -policy.max_weeks_early <= late <= policy.max_weeks_late:
                    holding = policy.keeping_cost * c.unit_cost * max(-late, 0)
                    expected = (
                        multiple
                        * penalty
                        * (m.on_time_rate * max(late, 0) + (1 - m.on_time_rate) * max(late + 1, 0))
                    )
                    x = variable(c.unit_cost + lane.unit_cost + holding + expected)
                    serving.append(x)
                    made_by.setdefault((c.manufacturer_id, week), {}).setdefault(c.Index, []).append(x)
        equal.append(serving)
        b_equal.append(row.quantity)
    for (m, week), batches in made_by.items():
        regular: dict = {}
        overtime: dict = {}
        for index, xs in batches.items():
            c = network.capabilities.loc[index]
            o = variable(c.unit_cost * makers.overtime_premium[m])
            regular |= {**dict.fromkeys(xs, c.hours_per_unit), o: -c.hours_per_unit}
            overtime[o] = c.hours_per_unit
            upper[m, week, index] = ({**dict.fromkeys(xs, -1.0), o: 1.0}, 0.0)
        upper[m, week, "regular"] = (regular, hours[m, week])
        upper[m, week, "overtime"] = (overtime, makers.overtime_hours_per_week[m])
    a_ub, a_eq = np.zeros((len(upper), len(cost))), np.zeros((len(equal), len(cost)))
    for i, (terms, _) in enumerate(upper.values()):
        for j, value in terms.items():
            a_ub[i, j] = value
    for i, serving in enumerate(equal):
        a_eq[i, serving] = 1.0
    b_ub = np.array([b for _, b in upper.values()])
    return linprog(
        cost, A_ub=a_ub if len(b_ub) else None, b_ub=b_ub if len(b_ub) else None, A_eq=a_eq, b_eq=b_equal
    ).fun


@settings(max_examples=12, deadline=None)
@given(problems(max_weeks=3, same_price_in_class=True))
def test_costs_what_the_program_part_by_part_costs(problem):
    demand, network, policy, weeks = problem
    result = allocate(demand, network, policy, hours_of(network, weeks))
    assert result.cost["total"] == pytest.approx(
        loop_cost(demand, network, policy, weeks), rel=1e-7, abs=1e-7
    )


@settings(max_examples=10, deadline=None)
@given(problems(max_weeks=3))
def test_parts_of_other_prices_are_planned_exactly_where_there_are_bands_for_them(problem):
    demand, network, policy, weeks = problem
    demand = demand.assign(unit_price=demand["unit_price"].fillna(10.0))
    policy = policy.model_copy(update={"value_bands": 1000})
    result = allocate(demand, network, policy, hours_of(network, weeks))
    assert result.cost["total"] == pytest.approx(
        loop_cost(demand, network, policy, weeks), rel=1e-7, abs=1e-7
    )


def test_what_matters_most_is_served_first():
    prices = {"cheap": 20.0, "dear": 60.0, "dearest": 90.0}
    demand = make_demand([(part, "cnc", "north", 0, 8.0, price) for part, price in prices.items()])
    served = allocate(demand, ONE_SHOP, ON_TIME).plan.groupby("part_id")["quantity"].sum()
    assert served.to_dict() == pytest.approx({"dear": 4.0, "dearest": 8.0})
    # In one band they are alike.
    alike = allocate(demand, ONE_SHOP, ON_TIME.model_copy(update={"value_bands": 1})).plan
    assert alike.groupby("part_id")["quantity"].sum().to_dict() == pytest.approx(dict.fromkeys(prices, 4.0))


def test_weeks_of_one_shape_share_a_compiled_problem(monkeypatch):
    from forecasting_assets.allocation import program

    compiled, compile_problem = [], program._compile
    monkeypatch.setattr(program, "_CACHE", type(program._CACHE)())

    def counted(problem):
        compiled.append(problem)
        return compile_problem(problem)

    monkeypatch.setattr(program, "_compile", counted)
    costs = []
    for units in (5.0, 8.0, 30.0):
        demand = make_demand([("a", "cnc", "north", w, units + w, 20.0) for w in (0, 1)])
        later = demand.assign(due_week=demand["due_week"] + pd.Timedelta(weeks=int(units)))
        costs.append(allocate(later, ONE_SHOP, ON_TIME).cost["total"])
    assert len(compiled) == 1
    # Overtime of 2 hours a week at half the cost of 4, 18 + 19 units short at twice 20.
    assert costs == pytest.approx([11 * 4, 17 * 4, 24 * 4 + 4 * 2 + 37 * 40])


@settings(max_examples=12, deadline=None)
@given(problems())
def test_every_plan_holds_and_the_greedy_one_is_never_cheaper(problem):
    demand, network, policy, weeks = problem
    state = hours_of(network, weeks)
    optimal, greedy = (planner(demand, network, policy, state) for planner in (allocate, allocate_greedily))
    assert_valid(optimal, demand)
    assert_valid(greedy, demand)
    assert greedy.cost["total"] >= optimal.cost["total"] * (1 - 1e-7)
    assert (optimal.capacity_load["shadow_price"] >= 0).all()


@settings(max_examples=6, deadline=None)
@given(problems())
def test_does_not_depend_on_the_order_of_rows(problem):
    demand, network, policy, weeks = problem
    state = hours_of(network, weeks)
    assert state.capacity is not None
    shuffled = replace(
        network,
        manufacturers=network.manufacturers[::-1],
        capabilities=network.capabilities[::-1],
        lanes=network.lanes[::-1],
        capacity_overrides=network.capacity_overrides[::-1],
    )
    one, other = (
        allocate(demand, network, policy, state),
        allocate(demand[::-1], shuffled, policy, PlanningState(capacity=state.capacity[::-1])),
    )
    for table in ("plan", "capacity_load", "shortages"):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))


def test_no_whole_numbered_plan_is_cheaper():
    """With one hour a unit and whole hours the best plan is whole-numbered, so all of them can be tried."""
    network = make_network(
        [("M1", "north", 2.0, 1.0, 0.5, 0.9), ("M2", "south", 1.0, 1.0, 0.2, 1.0)],
        [("M1", "cnc", 1.0, 5.0), ("M2", "cnc", 1.0, 4.0)],
        [("north", "north", 0.5, 0), ("south", "north", 1.0, 1)],
    )
    policy = AllocationPolicy(lateness_penalty=0.2, holding_cost=0.1, max_weeks_early=1, max_weeks_late=1)
    asked, price = (3, 4), 9.0
    arcs = []  # maker, production week, due week, unit cost
    for maker, cost, lane, transit, rate in ((0, 5.0, 0.5, 0, 0.9), (1, 4.0, 1.0, 1, 1.0)):
        for made, due in product(range(2), range(2)):
            late = made + transit - due
            if abs(late) <= 1:
                penalty = 0.2 * price * (rate * max(late, 0) + (1 - rate) * max(late + 1, 0))
                arcs.append((maker, made, due, cost + lane + 0.1 * cost * max(-late, 0) + penalty))
    dearest = max(5 * (1.5 + 0.1) + 0.5 + 0.1 * 0.2 * price, 4 * (1.2 + 0.1) + 1)
    regular, overtime, premium = (2, 1), (1, 1), (2.5, 0.8)
    best = np.inf
    for units in product(range(4), repeat=len(arcs)):
        served, total = [0, 0], 0.0
        load: dict[tuple, int] = {}
        for (maker, made, due, cost), n in zip(arcs, units, strict=True):
            served[due] += n
            load[maker, made] = load.get((maker, made), 0) + n
            total += n * cost
        if any(s > a for s, a in zip(served, asked, strict=True)):
            continue
        over = {key: max(n - regular[key[0]], 0) for key, n in load.items()}
        if any(n > overtime[key[0]] for key, n in over.items()):
            continue
        total += sum(n * premium[key[0]] for key, n in over.items())
        best = min(best, total + (sum(asked) - sum(served)) * 2 * max(price, dearest))
    demand = make_demand([("a", "cnc", "north", w, float(n), price) for w, n in enumerate(asked)])
    assert allocate(demand, network, policy).cost["total"] == pytest.approx(best)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "cnc", "north", 0, -1.0, 2.0)], "quantity -1 of a, north, 2024-01-01"),
        ([("a", "cnc", "north", 0, np.nan, 2.0)], "quantity nan"),
        ([("a", "cnc", "north", 0, 1.0, np.inf)], "unit_price inf"),
        ([("a", None, "north", 0, 1.0, 2.0)], "rows without part_category"),
        ([("a", "cnc", "north", 0, 1.0, 2.0), ("a", "sheet", "north", 0, 1.0, 2.0)], "more than once"),
    ],
)
def test_demand_that_cannot_be_planned_is_refused(rows, message):
    with pytest.raises(DemandError, match=message):
        allocate(make_demand(rows), ONE_SHOP, POLICY)


def test_demand_of_another_shape_is_refused():
    demand = make_demand([("a", "cnc", "north", 0, 1.0, 2.0)])
    with pytest.raises(DemandError, match="no column region"):
        allocate(demand.drop(columns="region"), ONE_SHOP, POLICY)
    with pytest.raises(DemandError, match="due_week is of type object"):
        allocate(demand.assign(due_week=demand["due_week"].dt.date), ONE_SHOP, POLICY)
    with pytest.raises(DemandError, match="2024-01-02 is not a Monday"):
        allocate(demand.assign(due_week=pd.Timestamp("2024-01-02")), ONE_SHOP, POLICY)


def test_a_program_without_optimum_is_an_error_with_the_status():
    from scipy import sparse

    row, one = sparse.csr_array([[1.0]]), np.ones(1)
    unbounded = assemble({"x": Columns(-one)}, {"least": Rows({"x": -row}, np.zeros(1))})
    with pytest.raises(AllocationError, match="unbounded"):
        solve(unbounded)
    least, most = Rows({"x": -row}, -2 * one), Rows({"x": row}, one)
    with pytest.raises(InfeasibleError):
        solve(assemble({"x": Columns(one)}, {"least": least, "most": most}))
