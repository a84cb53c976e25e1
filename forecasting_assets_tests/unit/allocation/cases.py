"""Small networks and demands to plan with, by hand and at random."""

from datetime import date
from typing import TypeVar

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from forecasting_assets.allocation.network import Network, weekly_capacity
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.state import PlanningState
from forecasting_assets.weeks import add_weeks, weeks_between

FIRST = date(2024, 1, 1)


def monday(n: int) -> pd.Timestamp:
    """The n-th production week, from 0."""
    return pd.Timestamp(add_weeks(FIRST, n))


T = TypeVar("T")


def make_network(manufacturers, capabilities, lanes, overrides=()) -> Network:
    """Rows as tuples in the order of the columns of `tables.py`, without activation_cost."""
    names = ["manufacturer_id", "region", "capacity_hours_per_week", "overtime_hours_per_week"]
    return Network(
        _frame(manufacturers, [*names, "overtime_premium", "on_time_rate"]).assign(activation_cost=0.0),
        _frame(capabilities, ["manufacturer_id", "part_category", "hours_per_unit", "unit_cost"]),
        _frame(lanes, ["from_region", "to_region", "unit_cost", "transit_weeks"]),
        _frame(overrides, ["manufacturer_id", "week", "capacity_hours"]),
    )


def _frame(rows, columns) -> pd.DataFrame:
    """Columns typed by name, so that a table without rows has its types too."""
    text = {"manufacturer_id", "part_id", "part_category", "region", "from_region", "to_region"}
    types = {
        c: object if c in text else "datetime64[ns]" if c in {"week", "due_week"} else float for c in columns
    }
    return pd.DataFrame(rows, columns=columns).astype(types)


def make_demand(rows) -> pd.DataFrame:
    """Rows (part_id, part_category, region, n-th week due, quantity, unit_price)."""
    rows = [
        (part, category, region, monday(week), *amounts) for part, category, region, week, *amounts in rows
    ]
    return _frame(rows, ["part_id", "part_category", "region", "due_week", "quantity", "unit_price"])


def hours_of(network: Network, weeks: int) -> PlanningState:
    """A new start with the hours of the first `weeks` weeks."""
    capacity = weekly_capacity(network, weeks_between(FIRST, add_weeks(FIRST, weeks - 1)))
    return PlanningState(capacity=capacity)


#: One shop in the region it delivers to: 10 hours a week and 2 in overtime at half the cost more.
ONE_SHOP = make_network(
    [("M1", "north", 10.0, 2.0, 0.5, 1.0)], [("M1", "cnc", 1.0, 4.0)], [("north", "north", 0.0, 0)]
)


@st.composite
def problems(draw, max_weeks=4, same_price_in_class=False):
    """(demand, network, policy, weeks): tight and loose, cheap and dear, some classes nobody can serve."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_manufacturers, n_weeks = draw(st.integers(1, 4)), draw(st.integers(1, max_weeks))
    categories, regions = ["cnc", "sheet"][: draw(st.integers(1, 2))], ["north", "south"]
    tightness = draw(st.sampled_from([0.0, 0.3, 1.0, 5.0]))
    ids = [f"M{i}" for i in range(n_manufacturers)]
    network = make_network(
        [
            (
                m,
                rng.choice(regions),
                rng.choice([0.0, rng.uniform(5, 40)], p=[0.1, 0.9]),
                rng.choice([0.0, rng.uniform(1, 10)]),
                rng.choice([0.0, rng.uniform(0.1, 1.0)], p=[0.2, 0.8]),
                rng.choice([1.0, rng.uniform(0.5, 1.0)]),
            )
            for m in ids
        ],
        [
            (m, c, rng.uniform(0.2, 3), rng.uniform(4, 20))
            for m in ids
            for c in categories
            if rng.random() < 0.8
        ],
        [
            (a, b, rng.uniform(0.0, 5), int(rng.integers(0, 3)))
            for a in regions
            for b in regions
            if rng.random() < 0.85
        ],
        [(m, monday(w), rng.uniform(0, 20)) for m in ids for w in range(n_weeks) if rng.random() < 0.15],
    )
    price = {c: rng.uniform(5, 40) for c in categories}
    demand = make_demand(
        [
            (
                f"{c}-{i}",
                c,
                r,
                w,
                0.0 if rng.random() < 0.2 else tightness * rng.uniform(0, 12),
                price[c] if same_price_in_class else rng.choice([np.nan, rng.uniform(5, 40)]),
            )
            for c in categories
            for r in regions
            for w in range(n_weeks)
            for i in range(2)
        ]
    )
    policy = AllocationPolicy(
        lateness_penalty=draw(st.sampled_from([0.0, 0.1])),
        holding_cost=draw(st.sampled_from([0.0, 0.005, 0.1])),
        obsolescence=draw(st.sampled_from([0.0, 0.01])),
        max_weeks_early=draw(st.integers(0, 3)),
        max_weeks_late=draw(st.integers(0, 2)),
        shortage_cost=draw(st.sampled_from([1.1, 2.0])),
        whole_units=False,
    )
    return demand, network, policy, n_weeks


def some(value: T | None) -> T:
    """The value, which is there."""
    assert value is not None
    return value
