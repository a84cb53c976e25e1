"""Two homes on one lake: whole runs of the same week at the same time."""

import dagster as dg
import pytest

from forecasting_assets_tests.faults.harness import assert_same_lake, every_table
from forecasting_assets_tests.integration.test_object_store import moved
from forecasting_assets_tests.support.homes import PLANNED, Home
from forecasting_assets_tests.support.object_store import keys
from forecasting_assets_tests.support.object_store import server as server
from forecasting_assets_tests.support.object_store import store as store
from forecasting_assets_tests.support.runs import Run, run, span

pytestmark = [pytest.mark.spark, pytest.mark.matrix]

WEEK = PLANNED[-1]


@pytest.fixture
def homes(home, store, tmp_path) -> list[Home]:
    """Two homes, as on two machines, whose order files, plans and lake are in one bucket, without the newest week."""
    first = moved(home, store, tmp_path / "first", lambda table: True)
    return [first, first.copy(tmp_path / "second")]


def lines_of_log(home: Home) -> list[str]:
    """What the last run of a home has logged in Dagster."""
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        (last,) = instance.get_runs(limit=1)
        return [entry.user_message for entry in instance.all_logs(last.run_id)]


@pytest.mark.parametrize("begun", ["(start-up)", "weekly_demand"])
def test_two_runs_of_one_week_take_turns_and_both_succeed(home, homes, store, begun):
    first, second = homes
    leading = Run(first, ["backfill", *span([WEEK]), "--resume"])
    leading.wait_for_step(begun)
    # It makes all assets again, close behind the other one, which reads them.
    following = Run(second, ["materialize", *span([WEEK])])
    assert leading.process.poll() is None
    ended = [one.end() for one in (leading, following)]
    assert [code for code, _ in ended] == [0, 0], ended
    if begun == "(start-up)":
        waited = [
            line for one in homes for line in lines_of_log(one) if line.startswith("Waiting for another")
        ]
        assert waited
    for one in homes:
        assert run(one, "stale") == (0, "Nothing is out of date.\n")
        assert_same_lake(home, one, [WEEK], every_table(home))
    assert not [key for key in keys(store, "lake/_locks/") if not key.endswith("/")]
    of_week = [key for key in keys(store, "lake/") if f"/week={WEEK}/" in key]
    assert {key.rpartition("/")[2] for key in of_week} == {"data.parquet", "_record.json"}
    assert run(second, "backfill", *span([WEEK]), "--resume")[1].rstrip().endswith("every week is fresh.")
