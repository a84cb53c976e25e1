from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.orders.demand import weekly_demand
from forecasting_assets.tables import CLEAN_ORDERS, WEEKLY_DEMAND
from forecasting_assets_tests.support.week_files import week_file

MONDAY = datetime(2025, 3, 10, tzinfo=UTC)
lines = st.lists(
    st.fixed_dictionaries(
        {
            "part_id": st.sampled_from(["P1", "P2"]),
            "region": st.sampled_from(["north", "south"]),
            "part_category": st.sampled_from(["casting", "milling", "ätzen"]),
            "order_id": st.sampled_from([None, "1", "2", "3"]),
            "order_date": st.integers(0, 2).map(lambda hours: MONDAY + timedelta(hours=hours)),
            "quantity": st.integers(1, 9).map(float),
            "unit_price": st.integers(1, 9).map(float),
        }
    ),
    max_size=20,
)


@given(lines)
def test_demand_is_the_sum_of_the_lines_of_a_series(lines):
    made = weekly_demand(week_file(CLEAN_ORDERS, lines))
    assert made.schema.names == WEEKLY_DEMAND.names
    found = {(row["part_id"], row["region"]): row for row in made.to_pylist()}
    assert len(found) == len(made)
    assert found.keys() == {(line["part_id"], line["region"]) for line in lines}
    for (part, region), row in found.items():
        own = [line for line in lines if (line["part_id"], line["region"]) == (part, region)]
        latest = max(own, key=lambda line: (line["order_date"], line["part_category"]))
        units = sum(line["quantity"] for line in own)
        assert row["part_category"] == latest["part_category"]
        assert row["quantity"] == units
        assert row["order_count"] == len({line["order_id"] for line in own} - {None})
        assert row["unit_price"] == pytest.approx(sum(o["quantity"] * o["unit_price"] for o in own) / units)
