"""Exceptions of a plan: complete, in order, each with its owner, its reason and a remedy with its price."""

import shlex
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest

from forecasting_assets.reporting.commands import Commands
from forecasting_assets.reporting.exceptions import SHOWN, PlanProblems, exception_tables, find_exceptions
from forecasting_assets.reporting.formats import Money
from forecasting_assets.reporting.texttable import Command, Link
from forecasting_assets_tests.unit.reporting import factories

WEEK = date(2025, 3, 3)
EURO = Money("EUR")
PROBLEMS = PlanProblems(
    WEEK,
    factories.reasons(),
    factories.rules(),
    factories.shortages(),
    10_000.0,
    0.05,
    factories.commitments(),
    factories.overrides(),
)
NOTHING = replace(
    PROBLEMS,
    reasons=factories.reasons(0),
    rules=factories.rules(0),
    shortages=factories.shortages(0),
    commitments=factories.commitments().iloc[:0],
    overrides=factories.overrides().iloc[:0],
)


def reason(rule: str, **columns: Any) -> pd.DataFrame:
    return factories.reasons(1).assign(rule=rule, **columns)


def test_a_plan_without_problems_has_no_exceptions():
    listed, remedies = exception_tables(find_exceptions(NOTHING, EURO), Commands())
    assert (listed.rows, remedies.rows) == ([], [])


def test_every_problem_is_listed_once_and_shortages_come_first():
    found = find_exceptions(PROBLEMS, EURO)
    names = [e.problem for e in found]
    short = int((PROBLEMS.reasons["kind"] == "short").sum())
    assert names[:short] == ["Short"] * short
    assert names.count("Lock cannot be kept") == names.count("Promise cannot be kept") == 1
    assert names.count("Override without effect") == 1
    # One rule had to be relaxed; the shortages are below the limit.
    assert names.count("Over the limit") == 1
    assert len(found) == len(PROBLEMS.reasons) + 4


def test_a_remedy_has_its_price_and_a_command_that_tries_it():
    problems = replace(
        NOTHING,
        reasons=reason(
            "regular_hours",
            manufacturer_id="M 1",
            price=412.0,
            price_unit="hour",
            production_week=factories.ORIGIN,
        ),
    )
    found = find_exceptions(problems, EURO)
    listed, remedies = exception_tables(found, Commands())
    assert found[0].remedy.owner == "M 1"
    link, row = listed.rows[0][-2], remedies.rows[0]
    assert isinstance(link, Link)
    assert link.href == f"#{remedies.anchors[0]}"
    assert row[1] == link.text == "More hours at M 1 in week 2025-03-03"
    assert row[3] == "412.00 EUR saved per hour"
    assert isinstance(row[5], Command)
    assert shlex.split(row[5].code)[1:] == [
        "what-if",
        "--week",
        "2025-03-03",
        "--capacity",
        "M 1@2025-03-03=+10%",
    ]


def test_problems_with_one_remedy_share_it():
    twice = pd.concat([factories.reasons(1), factories.reasons(1).assign(region="elsewhere", quantity=7.0)])
    listed, remedies = exception_tables(find_exceptions(replace(NOTHING, reasons=twice), EURO), Commands())
    assert (len(listed.rows), len(remedies.rows)) == (2, 1)
    assert remedies.rows[0][4] == f"{twice['quantity'].sum():,.0f}"


@pytest.mark.parametrize(
    ("rule", "owner"),
    [
        ("maximum_share", "Network"),
        ("frozen_weeks", "Planning"),
        ("activation", "Planning"),
        ("minimum_batch", "M1"),
        ("minimum_load", "M1"),
        ("regular_hours + maximum_share", "Planning"),
        ("horizon", "Network"),
        ("unservable", "Network"),
        ("declined", "Sales"),
        ("cost", "Sales"),
        ("gap", "Planning"),
    ],
)
def test_every_rule_has_an_owner_and_a_remedy(rule, owner):
    later = factories.ORIGIN + pd.Timedelta(weeks=3)
    problems = replace(NOTHING, reasons=reason(rule, manufacturer_id="M1", due_week=later))
    found = find_exceptions(problems, EURO)
    assert found[0].remedy.owner == owner
    assert "{" not in found[0].remedy.what


def test_overdue_units_are_told_from_late_ones():
    problems = replace(NOTHING, reasons=reason("horizon", kind="late", due_week=factories.ORIGIN))
    assert [(e.problem, e.remedy.owner) for e in find_exceptions(problems, EURO)] == [("Overdue", "Sales")]


def test_shortages_over_the_limit_are_an_exception():
    problems = replace(NOTHING, shortages=factories.shortages(), shortage_limit=0.0)
    found = find_exceptions(problems, EURO)
    assert [e.problem for e in found] == ["Over the limit"]
    assert found[0].units == factories.shortages()["quantity"].sum()


def test_a_long_list_says_what_it_does_not_show():
    many = pd.concat([factories.reasons(1).assign(region=f"r{i}", quantity=2.0) for i in range(SHOWN + 5)])
    listed, _ = exception_tables(find_exceptions(replace(NOTHING, reasons=many), EURO), Commands())
    assert len(listed.rows) == SHOWN
    assert listed.note == "Not shown: 5 exceptions with 10 units."
