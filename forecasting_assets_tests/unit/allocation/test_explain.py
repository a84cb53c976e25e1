"""Why units are short or late, in words."""

from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy

from .cases import ONE_SHOP, make_demand, make_network

POLICY = AllocationPolicy(
    lateness_penalty=0.1, holding_cost=0.05, obsolescence=0, shortage_cost=2, max_weeks_late=1
)
ON_TIME = POLICY.model_copy(update={"max_weeks_late": 0})


def reasons(demand, network=ONE_SHOP, policy=POLICY):
    return allocate(demand, network, policy).reasons.set_index("kind")["reason"].to_dict()


def test_short_because_everyone_is_full():
    demand = make_demand([("a", "cnc", "north", w, 30.0, 20.0) for w in (0, 1)])
    reason = reasons(demand, policy=ON_TIME)["short"]
    assert reason.startswith("cnc for north in week 2024-01-08: ")
    for words in ("only capable manufacturer", "through 01-08", "alternative 0.00", "penalty"):
        assert words in reason


def test_an_alternative_that_displaces_more_valuable_work_costs_more_than_the_penalty():
    # An hour is worth 2·30 - 4 to the expensive part, so a unit of the cheap one would cost 60 and its lack is 40.
    rows = [("expensive", "cnc", "north", 0, 30.0, 30.0), ("cheap", "cnc", "south", 0, 5.0, 20.0)]
    network = make_network(
        [("M1", "north", 10.0, 0.0, 0.0, 1.0), ("M2", "north", 10.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 4.0)],
        [("north", "north", 0.0, 0), ("north", "south", 1.0, 0)],
    )
    result = allocate(make_demand(rows), network, ON_TIME)
    found = result.reasons.set_index("region")["reason"]
    for words in ("both capable manufacturers full", "through 01-01", "alternative 21.00", "penalty"):
        assert words in found["south"]


def test_short_because_no_manufacturer_can():
    assert (
        "no manufacturer makes laser" in reasons(make_demand([("a", "laser", "north", 0, 3.0, 9.0)]))["short"]
    )
    assert "has a lane to moon" in reasons(make_demand([("a", "cnc", "moon", 0, 3.0, 9.0)]))["short"]
    far = make_network(
        [("M1", "far", 10.0, 0.0, 0.0, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("far", "north", 0.0, 9)]
    )
    assert (
        "can deliver within the allowed weeks"
        in reasons(make_demand([("a", "cnc", "north", 0, 3.0, 9.0)]), far)["short"]
    )


def test_late_because_on_time_hours_are_more_expensive():
    network = make_network(
        [("M1", "far", 50.0, 0.0, 0.0, 1.0), ("M2", "north", 50.0, 0.0, 0.0, 1.0)],
        [("M1", "cnc", 1.0, 4.0), ("M2", "cnc", 1.0, 9.0)],
        [("far", "north", 1.0, 1), ("north", "north", 0.0, 0)],
    )
    rows = [("a", "cnc", "north", 0, 5.0, 20.0), ("b", "cnc", "north", 1, 0.0, 20.0)]
    # In time at M2 for 9, a week late from M1 for 4 + 1 and a penalty of 2.
    reason = reasons(make_demand(rows), network)["late"]
    assert reason.startswith("cnc for north in week 2024-01-01: hours left")
    for words in ("at M2", "2.00 more expensive", "late"):
        assert words in reason


def test_nothing_to_explain():
    assert allocate(make_demand([("a", "cnc", "north", 0, 3.0, 9.0)]), ONE_SHOP, POLICY).reasons.empty


def test_declined_because_making_it_costs_more_than_leaving_it():
    demand = make_demand([("a", "cnc", "north", 0, 3.0, 9.0), ("b", "cnc", "north", 0, 4.0, 9.0)])
    policy = AllocationPolicy(shortage_price={"part": {"b": 2.5}})
    reasons_of = allocate(demand, ONE_SHOP, policy).reasons
    assert reasons_of["quantity"].tolist() == [4.0]
    reason = reasons_of["reason"].iloc[0]
    for words in ("declined", "costs at least 4.00 a unit (at M1)", "leaving it costs 2.50"):
        assert words in reason
