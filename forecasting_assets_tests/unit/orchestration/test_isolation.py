"""A bad week among good ones: which are made, which fail, and how often the work is tried."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.workflows.isolation import InputsChangedError, failures_by_week

WEEKS: list[Any] = list(range(16))  # any values do


def attempt(weeks, bad):
    tried, made = [], set()

    def work(part):
        tried.append(list(part))
        if wrong := bad.intersection(part):
            raise ValueError(f"bad: {sorted(wrong)}")
        made.update(part)

    return failures_by_week(weeks, work), made, tried


@given(st.sets(st.sampled_from(WEEKS)).filter(lambda bad: not {0, 1, 2, 15} <= bad))
def test_just_the_bad_weeks_fail(bad):
    failed, made, _ = attempt(WEEKS, bad)
    assert failed.keys() == bad
    assert made == set(WEEKS) - bad


def test_all_is_done_at_once_if_nothing_is_wrong():
    assert attempt(WEEKS, set())[2] == [WEEKS]
    assert attempt([], set())[2] == []


def test_one_bad_week_is_found_by_halves():
    failed, _, tried = attempt(WEEKS, {5})
    assert str(failed[5]) == "bad: [5]"
    assert len(tried) == 9


def test_what_is_wrong_with_every_week_is_not_tried_with_each():
    failed, made, tried = attempt(list(range(104)), set(range(104)))
    assert failed.keys() == set(range(104))
    assert not made
    assert len(tried) < 15
    assert str(failed[103]) == "bad: [103]"
    assert str(failed[50]) == "not tried, as 4 others failed, one of them with: bad: [103]"


def test_what_is_wrong_with_the_first_weeks_leaves_the_others_alone():
    failed, made, tried = attempt(list(range(52)), set(range(9)))
    assert failed.keys() == set(range(9))
    assert made == set(range(9, 52))
    assert tried[-1][-1] == 51, "the last week may go on from those before it"


def test_weeks_whose_inputs_have_changed_are_not_tried_again_with_the_old_ones():
    tried = []

    def work(part):
        tried.append(part)
        raise InputsChangedError

    failed = failures_by_week(WEEKS, work)
    assert failed.keys() == set(WEEKS)
    assert len(tried) == 1
