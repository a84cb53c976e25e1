"""kill -9 of a run at random moments, over all assets: no half weeks, and the next run repairs."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from devtools.servers import wait_until
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.orchestration.runs import materialize
from forecasting_assets_tests.faults.harness import TALLY, assert_same_lake, half_weeks, unmake
from forecasting_assets_tests.support.homes import PLANNED
from forecasting_assets_tests.support.runs import START_UP, Run, span

pytestmark = pytest.mark.spark

KILLS, SEED = 32, 5
#: As many as take a process a core where weeks are worked on side by side.
WEEKS = PLANNED[-4:]
BACKFILL = ["backfill", *span(WEEKS), "--resume"]
#: A killed run is followed by others that find its weeks half way; every so often by one that finds none.
ANEW = 6


@dataclass(frozen=True)
class Moment:
    """Some seconds into a step, in a run that took `begin` seconds to come to that step."""

    step: str
    begin: float
    seconds: float

    def comes(self, run: Run) -> bool:
        """Wait for it; whether the run has not ended before."""
        pace = run.wait_for_step(self.step) / self.begin if self.begin else 1.0
        return not run.ends_within(self.seconds * pace)


def moments(ends: Sequence[tuple[str, float]], chance: random.Random) -> list[Moment]:
    """When to kill: once in every asset, and else anywhere in the run."""
    steps = [(step, begin, end) for (_, begin), (step, end) in pairwise([("", 0.0), *ends])]
    assets = [s for s in steps if s[0] != START_UP and not s[0].endswith("_checks")]
    chosen = [Moment(step, begin, chance.uniform(0, end - begin)) for step, begin, end in assets]
    anywhere = KILLS - len(chosen)
    for i in range(anywhere):
        at = ends[-1][1] * (i + chance.random()) / anywhere
        chosen.append(next(Moment(step, begin, at - begin) for step, begin, end in steps if at <= end))
    chance.shuffle(chosen)
    return chosen


def test_killed_at_any_moment(home, home_copy):
    chance = random.Random(SEED)
    unmake(home_copy, WEEKS)
    undisturbed = Run(home_copy, BACKFILL)
    ends = undisturbed.timed()
    pending = moments(ends, chance)
    assert undisturbed.process.returncode == 0, undisturbed.output
    steps = [step for step, _ in ends if step != START_UP]
    # After the first asset and before the last one a run has written some tables and not others.
    last_asset = max(i for i, step in enumerate(steps) if not step.endswith("_checks"))
    between = steps[1:last_asset]
    assert len(between) > 5
    assert_same_lake(home, home_copy)
    unmake(home_copy, WEEKS)
    runs = []
    while pending:
        run = Run(home_copy, BACKFILL)
        runs.append(run)
        moment = pending.pop()
        earlier = replace(moment, seconds=moment.seconds / 2)
        if not moment.comes(run):  # it was quicker than expected, or had nothing to do
            assert run.process.returncode == 0, run.output
            assert_same_lake(home, home_copy)
            unmake(home_copy, WEEKS)
            pending.append(earlier)
            continue
        everything = chance.random() < 0.5
        run.kill(everything)
        TALLY.kills.append((run.step, "whole group" if everything else "process"))
        if run.step in between:
            written = run.written_tables(WEEKS)
            assert written[steps[0]], run.step
            assert not written[steps[last_asset]], run.step
            TALLY.half_way[run.step] += 1
        if run.step != moment.step:  # else a short asset might be missed
            pending.append(earlier)
        found = half_weeks(home_copy)
        TALLY.half_weeks.extend(found)
        assert not found
        if len(pending) % ANEW == 0:
            unmake(home_copy, WEEKS)
    # Every asset in between was killed with some tables written and others not.
    assert {step for step in between if not step.endswith("_checks")} <= TALLY.half_way.keys()
    code, output = Run(home_copy, BACKFILL).end()
    assert code == 0, output
    assert_same_lake(home, home_copy)
    wait_until(
        lambda: not any(run.leftovers() for run in runs), 120, "the end of all that killed runs started"
    )


def test_nothing_goes_on_from_a_week_whose_run_was_killed_before_its_checks(home_copy, capsys):
    """Nor is it fresh: the next run makes and checks it again."""
    unmake(home_copy, WEEKS)  # the same data would keep the results of its checks
    run = Run(home_copy, ["materialize", *span(WEEKS), "--select", "key:raw_orders or key:clean_orders"])
    run.wait_for_step("clean_orders_checks")
    run.kill(everything=True)
    TALLY.kills.append((run.step, "whole group"))
    state = freshness_of(home_copy.settings).state("clean_orders", WEEKS[0])
    assert (state.state, state.reasons) == (
        "out of date",
        ("its checks have not run: its run was interrupted",),
    )
    assert not materialize(home_copy.settings, WEEKS, "key:weekly_demand")
    assert f"the check conservation of clean_orders {WEEKS[0]} failed" in capsys.readouterr().out
    assert materialize(home_copy.settings, WEEKS, "key:clean_orders or key:weekly_demand")
