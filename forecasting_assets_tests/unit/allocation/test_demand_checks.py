"""The mean demand is planned for, or served by supply."""

import pandas as pd
import pytest

from forecasting_assets.allocation.demand_checks import check_mean


def units(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["part_id", "region", "quantity"])


@pytest.mark.parametrize(
    ("planned", "supply", "passed"),
    [
        (units(("p", "north", 12.0), ("p", "north", 8.0)), None, True),
        (units(("p", "north", 15.0)), units(("p", "north", 5.0)), True),
        (units(("p", "north", 15.0)), units(("p", "south", 5.0)), False),
        (units(("p", "north", 19.99)), None, False),
        (units(), None, False),
        (units(("p", "north", float("nan"))), None, False),
    ],
)
def test_less_than_the_mean_demand_is_found(planned, supply, passed):
    finding = check_mean(planned, units(("p", "north", 20.0)), supply)
    assert finding.passed == passed
    assert finding.metadata["series_planned_for_too_little"] == int(not passed)
    if not passed:
        assert "p in north" in finding.description


def test_the_tolerance_is_that_of_the_part_itself():
    demand = units(("large", "north", 1e7), ("small", "north", 5.0))
    assert not check_mean(units(("large", "north", 1e7)), demand, None).passed
