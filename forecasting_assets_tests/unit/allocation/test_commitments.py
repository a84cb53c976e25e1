"""Locked allocations and promises in the plan, against loops and a linear program with these amounts fixed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.allocation.held import active_promises
from forecasting_assets.allocation.optimal import allocate, build_problem, planned_units
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.allocation.verify import check_capacity, check_certificate
from forecasting_assets.tables import QUANTILES
from forecasting_assets.weeks import add_weeks

from .cases import FIRST, ONE_SHOP, hours_of, make_demand, make_network, monday, problems
from .part_model import lp_cost, unit_cost

POLICY = AllocationPolicy(lateness_penalty=0.1, holding_cost=0.05, obsolescence=0, shortage_cost=2)
BEFORE = pd.Timestamp(add_weeks(FIRST, -1))
LOT = ["manufacturer_id", "part_id", "region", "production_week"]


def locks(*rows) -> pd.DataFrame:
    """Rows (manufacturer, part, category, region, n-th week, units), entered in this order."""
    columns = ["manufacturer_id", "part_id", "part_category", "region", "production_week", "quantity"]
    frame = pd.DataFrame([(m, p, c, r, monday(w), units) for m, p, c, r, w, units in rows], columns=columns)
    return frame.astype({"quantity": float}).assign(entered=BEFORE, reason="")


def promises(*rows) -> pd.DataFrame:
    """Rows (manufacturer, part, region, n-th production week, n-th due week, units)."""
    columns = ["manufacturer_id", "part_id", "region", "production_week", "due_week", "quantity"]
    frame = pd.DataFrame(
        [
            (m, p, r, pd.NaT if w is None else monday(w), monday(due), units)
            for m, p, r, w, due, units in rows
        ],
        columns=columns,
    )
    return frame.astype({"quantity": float, "production_week": "datetime64[ns]"}).assign(
        promise_id=[f"p{i}" for i in range(len(frame))], part_category="cnc", entered=BEFORE
    )


def planned(demand, network=ONE_SHOP, policy=POLICY, **state):
    """The plan and the report on commitments; the plan is certified and within its hours."""
    plan = allocate(demand, network, policy, PlanningState(**state))
    assert_valid(plan)
    return plan, report_of(demand, network, policy, **state)


def assert_valid(plan):
    assert plan.certificate
    for finding in (check_capacity(plan.capacity_load), check_certificate(plan.certificate)):
        assert finding.passed, finding


def report_of(demand, network=ONE_SHOP, policy=POLICY, **state):
    fixed = build_problem(demand, network, policy, PlanningState(**state)).fixed
    assert fixed
    return fixed.report


def quantities(plan, column="locked_quantity", by=("production_week", "due_week")):
    return plan.plan.groupby(list(by))[column].sum().to_dict()


DEMAND = make_demand([("a", "cnc", "north", w, 5.0, 20.0) for w in (0, 1)])


def test_locked_units_serve_the_earliest_demand_and_the_rest_is_planned():
    plan, report = planned(DEMAND, locked=locks(("M1", "a", None, "north", 0, 8.0)))
    expected = {(monday(0), monday(0)): 5.0, (monday(0), monday(1)): 3.0, (monday(1), monday(1)): 0.0}
    assert quantities(plan) == pytest.approx(expected)
    assert quantities(plan, "quantity")[monday(1), monday(1)] == pytest.approx(2.0)
    assert plan.cost["total"] == pytest.approx(10 * 4 + 3 * 0.05 * 4)
    assert report[["quantity", "planned", "why"]].to_numpy().tolist() == [[8.0, 8.0, ""]]


def test_a_lock_of_a_part_has_the_category_that_the_part_has_in_the_region():
    network = make_network(
        [("M1", "north", 40.0, 0.0, 0.0, 1.0), ("M2", "south", 40.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "sheet", 1.0, 4.0)],
        [("north", "north", 0.0, 0), ("south", "south", 0.0, 0)],
    )
    demand = make_demand([("a", "cnc", "north", 0, 5.0, 20.0), ("a", "sheet", "south", 0, 5.0, 20.0)])
    _, report = planned(demand, network, locked=locks(("M2", "a", "", "south", 0, 5)))
    assert report[["part_category", "planned"]].to_numpy().tolist() == [["sheet", 5.0]]


def test_units_that_come_late_serve_what_is_due_before_and_the_rest_is_made_to_stock():
    plan, _ = planned(DEMAND, locked=locks(("M1", "a", None, "north", 1, 12.0)))
    assert quantities(plan) == pytest.approx({(monday(1), monday(0)): 5.0, (monday(1), monday(1)): 7.0})
    assert plan.cost["lateness_cost"] == pytest.approx(5 * 0.1 * 20)
    load = plan.capacity_load.set_index("production_week")
    assert load.loc[monday(1), "load_hours"] == load["load_hours"].sum() == pytest.approx(12.0)


def test_overtime_is_used_for_what_does_not_fit_and_what_fits_neither_is_cut():
    lock = locks(("M1", "a", None, "north", 0, 7.0), ("M1", "a", None, "north", 0, 6.5))
    plan, report = planned(DEMAND, locked=lock)
    assert report["planned"].tolist() == [7.0, 5.0]
    assert "enough for 5 units" in report["why"][1]
    assert plan.capacity_load["overtime_hours"].tolist()[:2] == pytest.approx([2.0, 0.0])
    assert plan.cost["overtime_cost"] == pytest.approx(2 * 2.0)


def test_a_locked_category_is_shared_by_its_parts_in_proportion_to_their_demand():
    demand = make_demand([("a", "cnc", "north", 0, 6.0, 20.0), ("b", "cnc", "north", 0, 3.0, 20.0)])
    plan, _ = planned(demand, locked=locks(("M1", None, "cnc", "north", 0, 6.0)))
    assert quantities(plan, by=["part_id"]) == pytest.approx({"a": 4.0, "b": 2.0})
    demand = make_demand([(part, "cnc", "north", 0, 1.5, 20.0) for part in "abcd"])
    plan, _ = planned(demand, locked=locks(("M1", None, "cnc", "north", 0, 3.0)))
    assert sorted(quantities(plan, by=["part_id"]).values()) == [0.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        (("M9", "a", None, "north", 0, 1.0), "M9 is not in the network"),
        (("M1", "z", None, "north", 0, 1.0), "part z is unknown"),
        (("M1", None, None, "north", 0, 1.0), "neither a part nor a category"),
        (("M1", None, "laser", "north", 0, 1.0), "M1 does not make laser"),
        (("M1", "a", None, "moon", 0, 1.0), "no lane from north to moon"),
        (("M1", "a", None, "north", -1, 1.0), "2023-12-25 has passed"),
        (("M1", "a", None, "north", 9, 1.0), "2024-03-04 lies beyond the horizon"),
        (("M1", "a", None, "north", 0, 13.0), "enough for 12 units"),
        (("M1", None, "cnc", "south", 0, 1.0), "no lane from north to south"),
    ],
)
def test_what_cannot_stand_is_named(lock, said):
    report = report_of(DEMAND, locked=locks(lock))
    assert said in report["why"][0]
    assert report["planned"][0] == (12.0 if lock[-1] == 13.0 else 0.0)


def test_a_category_that_stock_covers_is_not_made():
    stock = pd.DataFrame({"part_id": ["a"], "region": ["north"], "week": [monday(0)], "quantity": [10.0]})
    report = report_of(DEMAND, supply=stock, locked=locks(("M1", None, "cnc", "north", 0, 3.0)))
    assert "no more of cnc is wanted in north" in report["why"][0]


def test_a_promise_keeps_its_units_for_its_own_week():
    plan, _ = planned(DEMAND, promised=promises(("M1", "a", "north", 0, 1, 4.0)))
    assert quantities(plan)[monday(0), monday(1)] == pytest.approx(4.0)
    # What is due before is planned beside it.
    assert quantities(plan, "quantity")[monday(0), monday(0)] == pytest.approx(5.0)


def test_a_table_of_locks_without_rows_is_no_lock():
    demand = make_demand([("a", "cnc", "north", w, 5.0, 20.0) for w in (0, 1)])
    promised = promises(("M1", "a", "north", 0, 1, 2.0))
    report = report_of(demand, promised=promised, locked=locks(("M1", "a", None, "north", 0, 1.0))[:0])
    assert report["kind"].tolist() == ["promise"]


def test_a_promise_from_stock_leaves_demand_due_before_it_to_be_made():
    stock = pd.DataFrame({"part_id": ["a"], "region": ["north"], "week": [monday(0)], "quantity": [5.0]})
    plan, report = planned(DEMAND, supply=stock, promised=promises((None, "a", "north", None, 1, 4.0)))
    assert quantities(plan, "quantity", ["due_week"]) == pytest.approx({monday(0): 4.0, monday(1): 1.0})
    assert report["planned"].tolist() == [4.0]
    report = report_of(DEMAND, supply=stock, promised=promises((None, "a", "north", None, 1, 7.0)))
    assert "only 5 units are in stock" in report["why"][0]


def test_rules_count_locked_units():
    network = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 10.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 5.0)],
        [("north", "north", 0.0, 0)],
    )
    rules = {"maximum_share": {"cnc": 0.6}, "minimum_load": {"M2": 0.25}, "minimum_batch": {"cnc": 3.0}}
    policy = POLICY.model_copy(update=rules)
    lock = locks(("M1", "a", None, "north", 0, 2.0), ("M2", "a", None, "north", 1, 1.0))
    plan, _ = planned(DEMAND, network, policy, locked=lock)
    made = quantities(plan, "quantity", ["manufacturer_id"])
    assert made == pytest.approx({"M1": 5.0, "M2": 5.0})
    limits = plan.rules.set_index("subject")
    assert limits.loc["cnc at M1", "planned"] == pytest.approx(5.0)
    assert limits.loc["M2", "planned"] == pytest.approx(5.0)
    assert not plan.rules["eased"].any()


def test_an_activation_cost_is_paid_once():
    network = replace(ONE_SHOP, manufacturers=ONE_SHOP.manufacturers.assign(activation_cost=7.0))
    plan, _ = planned(DEMAND, network, locked=locks(("M1", "a", None, "north", 0, 2.0)))
    # All ten units are made in the week that is used anyway.
    assert plan.cost["activation_cost"] == pytest.approx(7.0)
    assert plan.capacity_load["activation_cost"].tolist()[:2] == pytest.approx([7.0, 0.0])


def test_keeping_what_the_previous_plan_made_is_no_change():
    policy = POLICY.model_copy(update={"frozen_weeks": 1, "change_penalty": 1.0})
    previous = allocate(
        DEMAND, ONE_SHOP, policy, PlanningState(locked=locks(("M1", "a", None, "north", 0, 8.0)))
    ).plan
    plan, _ = planned(
        DEMAND, ONE_SHOP, policy, previous=previous, locked=locks(("M1", "a", None, "north", 0, 8.0))
    )
    assert plan.cost["change_cost"] == pytest.approx(0.0)
    assert quantities(plan, "quantity", ["production_week"])[monday(0)] == pytest.approx(8.0)


def test_scenarios_leave_locked_units_out():
    quantiles = {q: DEMAND["quantity"] * (0.5 + level) for q, level in QUANTILES.items()}
    policy = POLICY.model_copy(update={"uncertainty": "stochastic", "scenarios": 6})
    plan, _ = planned(
        DEMAND.assign(**quantiles), ONE_SHOP, policy, locked=locks(("M1", "a", None, "north", 0, 5.0))
    )
    assert quantities(plan)[monday(0), monday(0)] == pytest.approx(5.0)


def test_which_promises_a_plan_keeps():
    held = pd.concat([promises(("M1", "a", "north", 1, due, 1.0)) for due in (0, 1, 1, 1)]).assign(
        entered=pd.to_datetime(["2023-12-01", "2023-12-01", "2024-01-03", "2024-01-08"]),
        expires=pd.to_datetime(["2024-02-01", "2024-01-07", "2024-01-08", "2024-02-01"]),
    )
    # One was due already, one has expired, and one was entered later.
    assert active_promises(held, pd.Timestamp("2024-01-07"))["expires"].tolist() == [
        pd.Timestamp("2024-01-08")
    ]


@st.composite
def locked_problems(draw):
    """A problem with stock, and locks of parts and categories; some of them cannot stand."""
    demand, network, policy, weeks = draw(problems(max_weeks=3, same_price_in_class=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts, regions = demand["part_id"].unique(), ["north", "south"]
    rows = {}
    for _ in range(draw(st.integers(1, 6))):
        is_part = rng.random() < 0.6
        key = (
            f"M{rng.integers(0, 5)}",
            str(rng.choice(parts)) if is_part else None,
            None if is_part else str(rng.choice(["cnc", "sheet"])),
            str(rng.choice(regions)),
            int(rng.integers(-1, 5)),
        )
        rows[key] = (*key, float(rng.integers(1, 15)))
    some = demand.sample(frac=0.3, random_state=int(rng.integers(0, 1000)))
    supply = some[["part_id", "region"]].assign(
        week=some["due_week"], quantity=rng.uniform(0, 5, len(some)).round(2)
    )
    return demand, network, policy, weeks, locks(*rows.values()), supply


def units_that_fit(lock_rows, demand, network, net, weeks):
    """What of each lock can stand, lock by lock, with the regular and overtime units of each."""
    home = network.manufacturers.set_index("manufacturer_id")
    category_of = demand.set_index("part_id")["part_category"].to_dict()
    hours = {}
    for m in home.index:
        for w in range(weeks):
            hours[m, w] = [home.capacity_hours_per_week[m], home.overtime_hours_per_week[m]]
    for o in network.capacity_overrides.itertuples():
        hours[o.manufacturer_id, number(o.week)][0] = o.capacity_hours
    rates = {
        (c.manufacturer_id, c.part_category): c.hours_per_unit for c in network.capabilities.itertuples()
    }
    lanes = set(zip(network.lanes["from_region"], network.lanes["to_region"], strict=True))
    result = []
    for row in lock_rows.itertuples():
        category = row.part_category or category_of[row.part_id]
        slot = (row.manufacturer_id, number(row.production_week))
        possible = (
            slot in hours
            and (row.manufacturer_id, category) in rates
            and (home.region[row.manufacturer_id], row.region) in lanes
            and (row.part_id or net.get((category, row.region), 0.0) > 0)
        )
        if not possible:
            result.append((0.0, 0.0))
            continue
        rate, left = rates[row.manufacturer_id, category], hours[slot]
        units = min(row.quantity, np.floor(sum(left) / rate + 1e-9))
        over = max(units * rate - left[0], 0.0)
        hours[slot] = [max(left[0] - units * rate, 0.0), left[1] - over]
        result.append((units, over / rate))
    return result, hours


def due_weeks(demand, supply, made, late, weeks):
    """Serve demand by loops: what is left of it, what each lot serves by due week, and what it makes to stock."""
    left = {(r.part_id, r.region, number(r.due_week)): r.quantity for r in demand.itertuples()}
    units = [[r.part_id, r.region, number(r.week), r.quantity, None] for r in supply.itertuples()]
    units += [[part, region, arrival, quantity, lot] for lot, part, region, arrival, quantity in made]
    units.sort(key=lambda u: u[2])
    served: dict = {}
    stock: dict = {}
    for allowed in (0, late):
        for due in range(weeks):
            for source in units:
                part, region, arrival, quantity, lot = source
                taken = min(left.get((part, region, due), 0.0), quantity) if arrival <= due + allowed else 0.0
                if taken > 0:
                    left[part, region, due] -= taken
                    source[3] -= taken
                    served[lot, due] = served.get((lot, due), 0.0) + taken
    for _, _, arrival, quantity, lot in units:
        if quantity > 1e-9:
            stock[lot, arrival] = stock.get((lot, arrival), 0.0) + quantity
    return left, served, stock


def number(week):
    return (week - monday(0)).days // 7


@settings(max_examples=6, deadline=None)
@given(locked_problems())
def test_the_plan_with_locks_is_the_optimum_with_these_amounts_fixed(case):
    demand, network, policy, weeks, lock_rows, supply = case
    state = replace(hours_of(network, weeks), supply=supply, locked=lock_rows)
    open_problem = build_problem(demand, network, policy, replace(state, locked=None, supply=None))
    classes = open_problem.instance.classes
    key = ["part_id", "region", "due_week"]
    prices = open_problem.instance.parts.set_index(key)["class"]
    net = planned_units(build_problem(demand, network, policy, replace(state, locked=None)))
    net = net.merge(demand[["part_id", "part_category"]].drop_duplicates("part_id"), on="part_id")
    wanted = net.groupby(["part_category", "region"])["quantity"].sum().to_dict()

    plan = allocate(demand, network, policy, state)
    report = report_of(demand, network, policy, **vars(state))
    assert_valid(plan)

    fits, hours = units_that_fit(lock_rows, demand, network, wanted, weeks)
    assert report["planned"].tolist() == pytest.approx([units for units, _ in fits])
    assert ((report["why"] == "") == (report["planned"] == report["quantity"])).all()
    locked = plan.plan[plan.plan["locked_quantity"] > 0]
    assert locked["locked_quantity"].sum() == pytest.approx(sum(units for units, _ in fits))

    makers = {m.manufacturer_id: m for m in network.manufacturers.itertuples()}
    abilities = {(c.manufacturer_id, c.part_category): c for c in network.capabilities.itertuples()}
    lanes = {(lane.from_region, lane.to_region): lane for lane in network.lanes.itertuples()}
    lots: dict = locked.groupby(LOT)["locked_quantity"].sum().to_dict()
    category_of = demand.set_index("part_id")["part_category"].to_dict()
    pieces = []
    for row, (units, _) in zip(lock_rows.itertuples(), fits, strict=True):
        lot = (row.manufacturer_id, row.part_id, row.region, row.production_week)
        if row.part_id and units:
            pieces.append((lot, units))
            lots[lot] -= units
    for row in lock_rows.itertuples():
        of_category = [
            (lot, units)
            for lot, units in lots.items()
            if (lot[0], category_of[lot[1]], *lot[2:])
            == (row.manufacturer_id, row.part_category, row.region, row.production_week)
        ]
        pieces += [(lot, units) for lot, units in of_category if units > 1e-9]

    def arrival_of(lot):
        return number(lot[3]) + int(lanes[makers[lot[0]].region, lot[2]].transit_weeks)

    made = [(lot, lot[1], lot[2], arrival_of(lot), units) for lot, units in pieces]
    left, served, stock = due_weeks(demand, supply, made, policy.max_weeks_late, weeks)
    expected: dict = {}
    fixed_cost = 0.0
    for found, is_served in ((served, True), (stock, False)):
        for (lot, due), units in found.items():
            if lot is None:
                continue
            expected[lot, due] = expected.get((lot, due), 0.0) + units
            c, lane = abilities[lot[0], category_of[lot[1]]], lanes[makers[lot[0]].region, lot[2]]
            value = classes["unit_value"][prices[lot[1], lot[2], monday(due)]] if is_served else 0.0
            fixed_cost += units * unit_cost(c, makers[lot[0]], lane, policy, due - arrival_of(lot), value)
    by_due = locked.groupby([*LOT, "due_week"])["locked_quantity"].sum()
    found = {(key[:4], number(key[4])): units for key, units in by_due.to_dict().items()}  # type: ignore[index]
    assert found == pytest.approx(expected)
    premium = {k: c.unit_cost * makers[k[0]].overtime_premium for k, c in abilities.items()}
    for row, (_, over) in zip(lock_rows.itertuples(), fits, strict=True):
        if over:
            fixed_cost += over * premium[row.manufacturer_id, row.part_category or category_of[row.part_id]]

    rest = lp_cost(left, demand, policy, hours, (makers, abilities, lanes), classes, prices)
    assert plan.cost["total"] == pytest.approx(fixed_cost + rest, rel=1e-6, abs=1e-6)
