"""How a backfill is split into runs."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows.backfill import LONGEST_RUN, Cost, chunks, duration, measured_cost

FIRST = date(2024, 1, 1)


@given(
    st.sets(st.integers(0, 300), min_size=1),
    st.floats(1, 100),
    st.floats(0.1, 1000),
)
def test_every_week_is_in_one_run_of_consecutive_weeks(numbers, start_up, per_week):
    weeks = sorted(add_weeks(FIRST, n) for n in numbers)
    cost = Cost(start_up, per_week)
    runs = chunks(weeks, cost)
    assert [week for run in runs for week in run] == weeks
    for run in runs:
        assert run == weeks_between(run[0], run[-1])
        assert len(run) == 1 or cost.of(len(run)) <= LONGEST_RUN


def test_start_up_and_weekly_cost_follow_from_runs_of_different_length():
    cost = measured_cost([(1, 25.0), (10, 70.0), (4, 40.0)])
    assert (cost.start_up, cost.per_week, cost.measured) == (pytest.approx(20), pytest.approx(5), 3)


def test_runs_of_one_length_and_no_runs_give_a_positive_cost():
    assert measured_cost([(4, 40.0), (4, 44.0)]).of(4) == pytest.approx(42.0)
    assert measured_cost([(1, 5.0), (9, 4.0)]).per_week > 0
    assert measured_cost([]) == Cost()


@pytest.mark.parametrize(("seconds", "text"), [(44.6, "45 s"), (200, "3 min"), (7500, "2 h 05 min")])
def test_durations_are_formatted_in_a_suitable_unit(seconds, text):
    assert duration(seconds) == text
