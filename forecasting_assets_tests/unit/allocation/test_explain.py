"""Why units are short or late, in words."""

from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy

from .cases import ONE_SHOP, make_demand, make_network

POLICY = AllocationPolicy(lateness_penalty=0.1, holding_cost=0.05, shortage_cost=2, max_weeks_late=1)


def reasons(demand, network=ONE_SHOP):
    return allocate(demand, network, POLICY).reasons.set_index("kind")["reason"].to_dict()


def test_short_because_everyone_is_full():
    demand = make_demand([("a", "cnc", "north", w, 30.0, 20.0) for w in (0, 1)])
    assert reasons(demand)["short"] == (
        "cnc for north in week 2024-01-08: the only capable manufacturer full through 01-08, "
        "next alternative 0.00 over the penalty"
    )


def test_an_alternative_that_displaces_dearer_work_is_dearer_than_the_penalty():
    # An hour is worth 2·30 - 4 to the dear part, so a unit of the cheap one would cost 60 and its lack is 40.
    rows = [("dear", "cnc", "north", 0, 30.0, 30.0), ("cheap", "cnc", "south", 0, 5.0, 20.0)]
    network = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 10.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 4.0)],
        [("north", "north", 0.0, 0), ("north", "south", 1.0, 0)],
    )
    result = allocate(make_demand(rows), network, POLICY)
    found = result.reasons.set_index("region")["reason"]
    assert found["south"].endswith(
        "both capable manufacturers full through 01-01, next alternative 21.00 over the penalty"
    )


def test_short_because_nobody_can():
    assert (
        "no manufacturer makes laser" in reasons(make_demand([("a", "laser", "north", 0, 3.0, 9.0)]))["short"]
    )
    assert "has a lane to moon" in reasons(make_demand([("a", "cnc", "moon", 0, 3.0, 9.0)]))["short"]
    far = make_network(
        [("M1", "far", 10.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("far", "north", 0.0, 9)]
    )
    assert (
        "can deliver it in these weeks"
        in reasons(make_demand([("a", "cnc", "north", 0, 3.0, 9.0)]), far)["short"]
    )


def test_late_because_the_hours_in_time_are_dearer():
    network = make_network(
        [("M1", "far", 50.0, 0.0, 0.0, 1.0), ("M2", "north", 50.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 9.0)],
        [("far", "north", 1.0, 1), ("north", "north", 0.0, 0)],
    )
    rows = [("a", "cnc", "north", 0, 5.0, 20.0), ("b", "cnc", "north", 1, 0.0, 20.0)]
    # In time at M2 for 9, a week late from M1 for 4 + 1 and a penalty of 2.
    assert reasons(make_demand(rows), network)["late"] == (
        "cnc for north in week 2024-01-01: hours left in time at M2, but 2.00 dearer than being late"
    )


def test_nothing_to_explain():
    assert allocate(make_demand([("a", "cnc", "north", 0, 3.0, 9.0)]), ONE_SHOP, POLICY).reasons.empty
