"""The status quo: in order, cheapest first, never ahead."""

import pytest

from forecasting_assets.allocation.greedy import allocate_greedily
from forecasting_assets.allocation.policy import AllocationPolicy

from .cases import ONE_SHOP, hours_of, make_demand, make_network, monday

POLICY = AllocationPolicy(max_weeks_late=1)


def units(result):
    return result.plan.set_index(["manufacturer_id", "production_week"])["quantity"].to_dict()


def test_cheapest_first_then_the_next():
    network = make_network(
        [("M1", "north", 10.0, 5.0, 0.5, 1.0), ("M2", "north", 10.0, 5.0, 0.5, 1.0)],
        [("M1", "cnc", 1.0, 6.0), ("M2", "cnc", 2.0, 4.0)],
        [("north", "north", 0.0, 0)],
    )
    result = allocate_greedily(make_demand([("a", "cnc", "north", 0, 16.0, 20.0)]), network, POLICY)
    # 5 units fill the regular hours of M2, 10 those of M1, and overtime of M2 at 4 + 2 is the cheapest then.
    assert units(result) == pytest.approx({("M2", monday(0)): 6.0, ("M1", monday(0)): 10.0})
    assert result.cost["overtime_cost"] == pytest.approx(1 * 2.0)
    assert result.certificate is None


def test_does_not_look_ahead_and_is_late_instead():
    demand = make_demand([("a", "cnc", "north", w, q, 20.0) for w, q in enumerate((0.0, 15.0))])
    result = allocate_greedily(demand, ONE_SHOP, POLICY, hours_of(ONE_SHOP, 3))
    assert units(result) == pytest.approx({("M1", monday(1)): 12.0, ("M1", monday(2)): 3.0})
    assert result.cost["holding_cost"] == 0
    assert result.cost["lateness_cost"] == pytest.approx(3 * 0.1 * 20)


def test_the_earlier_due_week_goes_first_and_the_rest_is_short():
    demand = make_demand([("a", "cnc", "north", w, q, 20.0) for w, q in enumerate((20.0, 12.0))])
    result = allocate_greedily(demand, ONE_SHOP, POLICY, hours_of(ONE_SHOP, 2))
    assert units(result)[("M1", monday(0))] == pytest.approx(12.0)
    assert result.plan.groupby("due_week")["quantity"].sum().tolist() == pytest.approx([20.0, 4.0])
    assert result.shortages["quantity"].tolist() == pytest.approx([8.0])
