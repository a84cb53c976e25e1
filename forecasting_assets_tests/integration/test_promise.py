"""Promises end to end: inquiries on the newest plan, held in the planning folder, and kept by the next plan."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pandas as pd
import pytest

from forecasting_assets.allocation import Inquiry
from forecasting_assets.cli import main
from forecasting_assets.orchestration.checks.planning import plan_findings
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets.tables import ALLOCATION_PLAN, DEMAND_PLAN
from forecasting_assets.workflows import promise
from forecasting_assets.workflows.promise import answer_inquiries, hold, open_desk
from forecasting_assets_tests.support.homes import PLANNED

pytestmark = pytest.mark.spark
#: The newest plan, and the week that is planned next.
WEEK, NEXT = PLANNED[-2:]


@pytest.fixture
def before_next(home_copy, monkeypatch):
    """A home without locks whose newest plan is that of WEEK."""
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    (home_copy.path / "lake" / "allocation_plan" / f"week={NEXT}" / "data.parquet").unlink()
    for file in (home_copy.path / "landing" / "planning").glob("locked_allocations*"):
        file.unlink()
    return home_copy


def busiest(home) -> Inquiry:
    """An inquiry of the part that is made most, for some weeks ahead."""
    plan = home.lake.read_pandas(ALLOCATION_PLAN, [WEEK])
    part, region = plan.groupby(["part_id", "region"])["quantity"].sum().idxmax()
    return Inquiry(part, region, 60.0, NEXT + timedelta(weeks=4))


def plan_next(home):
    assert materialize(home.settings, [NEXT], "key:demand_plan or key:allocation_plan")
    plan, demand = (home.lake.read_pandas(table, [NEXT]) for table in (ALLOCATION_PLAN, DEMAND_PLAN))
    return plan["locked_quantity"].sum(), demand["held"].sum()


def test_a_promise_that_is_held_stands_in_the_next_plan(before_next):
    desk = open_desk(before_next.settings, before_next.lake, today=NEXT)
    assert (desk.week, desk.today) == (WEEK, NEXT)
    inquiry = busiest(before_next)
    (answer,) = desk.answer_in_turn([inquiry])
    held = hold(before_next.settings, desk, [answer], days=60)
    rows = pd.read_csv(str(held.file))
    assert rows["quantity"].sum() == inquiry.quantity
    # Later inquiries find these hours taken.
    again = open_desk(before_next.settings, before_next.lake, today=NEXT)
    hours = [d.capacity.free.slots[["regular_hours", "overtime_hours"]].sum().sum() for d in (desk, again)]
    units = [d.capacity.free.stock["quantity"].sum() for d in (desk, again)]
    assert hours[1] < hours[0] or units[1] < units[0]
    later = rows["production_week"].notna() & (rows["production_week"] > str(NEXT))
    in_horizon = rows["due_week"] > str(NEXT)
    assert in_horizon.any()
    assert plan_next(before_next) == pytest.approx(
        (rows.loc[later, "quantity"].sum(), rows.loc[in_horizon, "quantity"].sum())
    )
    findings = plan_findings(before_next.settings, before_next.lake, NEXT)
    for name in ("capacity_feasible", "demand_balanced", "solver_certified", "rows_published"):
        assert findings[name].passed, (name, findings[name])


def test_promises_that_are_held_at_the_same_time_know_of_each_other(before_next, monkeypatch):
    opened, both = [], threading.Barrier(2)

    def slow(settings, lake):
        desk = open_desk(settings, lake, today=NEXT)
        opened.append(desk.capacity.free)
        with suppress(threading.BrokenBarrierError):
            both.wait(1)
        return desk

    monkeypatch.setattr(promise, "open_desk", slow)
    with ThreadPoolExecutor(2) as pool:
        ask = partial(answer_inquiries, before_next.settings, before_next.lake, [busiest(before_next)])
        held = [run.result().held for run in [pool.submit(ask, 14) for _ in range(2)]]
    assert len({one.file for one in held if one}) == 2
    first, second = (free.slots[["regular_hours", "overtime_hours"]].sum().sum() for free in opened)
    of_stock = [free.stock["quantity"].sum() for free in opened]
    assert second < first or of_stock[1] < of_stock[0]


def test_an_expired_promise_does_not(before_next):
    desk = open_desk(before_next.settings, before_next.lake, today=NEXT)
    answers = desk.answer_in_turn([busiest(before_next)])
    held = hold(before_next.settings, desk, answers, days=1)
    assert held.expires == NEXT + timedelta(days=1)
    assert plan_next(before_next) == (0.0, 0.0)


def test_the_command_answers_one_inquiry_or_a_file(before_next, tmp_path, capsys):
    inquiry = busiest(before_next)
    one = ["promise", "--part", inquiry.part_id, "--region", inquiry.region, "--quantity", "12"]
    assert main(one) == 0
    said = capsys.readouterr().out
    assert "Earliest: in week" in said
    assert "Cheapest: in week" in said
    assert not list((before_next.path / "landing" / "planning").glob("promises*"))
    file = tmp_path / "inquiries.csv"
    file.write_text(
        f"part_id,region,quantity,by\n{inquiry.part_id},{inquiry.region},12,\nnothing,EU,1,\n"
        f"{inquiry.part_id},{inquiry.region},1000000,{NEXT + timedelta(days=7)}\n"
    )
    assert main(["promise", "--file", str(file), "--hold", "30", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    first, unknown, too_many = result["answers"]
    assert first["taken"] == "earliest"
    assert first["earliest"]["certificate"]["violations"] == []
    assert "is unknown" in unknown["why"]
    assert too_many["displacement"]["units"] < 1_000_000
    assert [bool(a["promise_id"]) for a in result["answers"]] == [True, False, False]
    assert main(["promise", "--file", str(file)]) == 0
    assert "earliest" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--part, --region and --quantity"),
        (["--part", "a", "--region", "EU", "--quantity", "none"], "quantity: 'none'"),
        (["--file", "nowhere.csv"], "no such file"),
        (
            ["--part", "a", "--region", "EU", "--quantity", "1", "--by", "2024-01-02"],
            "by: 2024-01-02 is a Tuesday",
        ),
    ],
)
def test_a_wrong_field_is_named_before_anything_is_read(arguments, said, capsys):
    assert main(["promise", *arguments]) == 2
    assert said in capsys.readouterr().err
