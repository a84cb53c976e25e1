"""Bad weeks, held-back weeks and late files, with the real Spark and Dagster."""

import shutil
from datetime import UTC, datetime

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from forecasting_assets.cli import main
from forecasting_assets.forecasting.registry import Sarimax, Xgb
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.lake.freshness_report import describe_stale, describe_weeks
from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.orchestration.checks.factory import up_to_date
from forecasting_assets.orchestration.runs import materialize, weeks_not_fresh
from forecasting_assets.runtime.orphans import end_orphans
from forecasting_assets.tables import (
    CAPACITY_LOAD,
    CLEAN_ORDERS,
    PLAN_SHORTAGES,
    RAW_ORDERS,
    REJECTED_ORDERS,
    REPLAY_STATE,
    WEEKLY_DEMAND,
)
from forecasting_assets.workflows.arrivals import Cursor, decide
from forecasting_assets.workflows.model_cache import fit_ids
from forecasting_assets_tests.support.homes import PLANNED, WEEKS, rows
from forecasting_assets_tests.support.runs import Run, span

pytestmark = pytest.mark.spark
BEFORE, BAD, AFTER = WEEKS[20:23]


def events(home, asset):
    """Weeks of `asset` that the newest run materialized."""
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        run = instance.get_runs(limit=1)[0]
        logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    made = [entry.get_dagster_event().step_materialization_data.materialization for entry in logs]
    return [m.partition for m in made if m.asset_key == dg.AssetKey(asset)]


def states(home, asset, weeks):
    freshness = freshness_of(home.settings)
    return [freshness.state(asset, week).state for week in weeks]


def corrupt(home, table, week):
    (home.path / "lake" / table.name / f"week={week}" / "data.parquet").write_bytes(b"PAR1 no more")


def test_a_bad_week_fails_alone_and_is_mended_alone(home_copy, capsys):
    corrupt(home_copy, RAW_ORDERS, BAD)
    assert not materialize(home_copy.settings, [BEFORE, BAD, AFTER], "key:clean_orders or key:weekly_demand")
    said = capsys.readouterr().out
    assert f"clean_orders: 1 of 3 weeks failed, the others are made.\n    {BAD}: " in said
    assert f"clean_orders {BAD} failed in this run" in said
    # Orders of the bad week may be wanted in the week after.
    for asset, after in (("clean_orders", "fresh"), ("weekly_demand", "out of date")):
        assert events(home_copy, asset) == [str(BEFORE), str(AFTER)]
        assert states(home_copy, asset, [BEFORE, BAD, AFTER]) == ["fresh", "failed", after]
    assert materialize(home_copy.settings, [BAD], "+key:weekly_demand")
    assert states(home_copy, "weekly_demand", [BEFORE, BAD, AFTER]) == ["fresh"] * 3


def test_a_failed_check_holds_back_later_runs_until_it_passes_or_is_overridden(home_copy, capsys):
    week, settings_file = PLANNED[-1], home_copy.path / "forecasting.toml"
    kept = settings_file.read_text()
    # Rules that contradict each other: the plan is made, and its check fails.
    settings_file.write_text(
        kept + '[allocation.minimum_load]\nM02 = 0.9\n[allocation.maximum_share]\n"CNC machining" = 0.01\n'
    )
    assert not materialize(home_copy.settings, [week], "key:allocation_plan or key:business_impact")
    assert events(home_copy, "allocation_plan") == [str(week)]
    assert events(home_copy, "business_impact") == []
    for _ in range(2):
        assert not materialize(home_copy.settings, PLANNED[-2:], "key:business_impact")
        said = capsys.readouterr().out
        assert f"the check rules_kept of allocation_plan {week} failed (" in said
        assert "forecasting/override_checks=allocation_plan/rules_kept" in said
        assert events(home_copy, "business_impact") == [str(PLANNED[-2])]
    override = ["allocation_plan/rules_kept"]
    assert materialize(home_copy.settings, [week], "key:business_impact", override)
    with dg.DagsterInstance.from_config(str(home_copy.path / "dagster")) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("business_impact"))
        assert event is not None
        made = event.asset_materialization
        assert made is not None
        assert made.metadata["overridden_checks"].value == override[0]
    settings_file.write_text(kept)
    assert materialize(home_copy.settings, [week], "key:allocation_plan or key:business_impact")


def test_a_backfill_is_resumed_with_the_weeks_that_are_not_fresh(home_copy, capsys, monkeypatch):
    monkeypatch.setenv("FORECASTING_HOME", str(home_copy.path))
    shutil.rmtree(home_copy.path / "lake" / "weekly_demand" / f"week={BAD}")
    span = ["--from", str(BEFORE), "--to", str(AFTER), "--select", "key:weekly_demand", "--resume"]
    assert main(["backfill", *span, "--dry-run"]) == 0
    assert "1 week in 1 run, about 40 s (30 s to start and 10.0 s per week, a guess" in (
        said := capsys.readouterr().out
    )
    assert f"{BAD} to {BAD}: 1 week" in said
    assert states(home_copy, "weekly_demand", [BAD]) == ["missing"]
    assert main(["backfill", "--select", "key:weekly_demand", "--resume", "--dry-run"]) == 0
    assert f"{BAD} to {BAD}: 1 week" in capsys.readouterr().out
    assert main(["backfill", "--from", str(BEFORE), "--resume"]) == 2
    assert "--resume alone" in capsys.readouterr().err
    assert main(["backfill", *span]) == 0
    assert events(home_copy, "weekly_demand") == [str(BAD)]
    assert main(["backfill", *span]) == 0
    assert "Nothing to do: every week is fresh." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("step", "seconds"), [("clean_orders", 1.0), pytest.param("weekly_demand", 0.0, marks=pytest.mark.matrix)]
)
def test_a_killed_run_leaves_whole_weeks_and_the_next_one_repairs(home, home_copy, step, seconds):
    weeks, tables = WEEKS[20:32], [RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS, WEEKLY_DEMAND]
    for table in tables:
        for week in weeks[::2]:
            shutil.rmtree(home_copy.path / "lake" / table.name / f"week={week}")
    run = Run(home_copy, ["materialize", *span(weeks), "--select", "+key:weekly_demand"])
    run.wait_for_step(step)
    assert not run.ends_within(seconds), run.output
    run.kill(everything=True)
    # The run was half-way: the first table was written, the last one was not, and weeks of it are still missing.
    written = run.written_tables(weeks)
    assert written["raw_orders"] == set(weeks)
    assert written["weekly_demand"] == set()
    assert set(home_copy.lake.existing_weeks(WEEKLY_DEMAND)) & set(weeks) == set(weeks[1::2])
    if step == "weekly_demand":
        assert written["clean_orders"] == written["rejected_orders"] == set(weeks)
    for table in tables:
        for week in set(home_copy.lake.existing_weeks(table)) & set(weeks):
            rows(home_copy, table, week)  # whole, whichever run wrote it
    left = weeks_not_fresh(home_copy.settings, weeks, "+key:weekly_demand")
    assert set(left) >= set(weeks[::2])
    assert materialize(home_copy.settings, left, "+key:weekly_demand")
    assert states(home_copy, "weekly_demand", weeks) == ["fresh"] * len(weeks)
    for table in tables:
        for week in weeks:
            pd.testing.assert_frame_equal(rows(home, table, week), rows(home_copy, table, week))
    with dg.DagsterInstance.from_config(str(home_copy.path / "dagster")) as instance:
        end_orphans(instance)
        assert not instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))


def test_a_late_file_puts_out_of_date_what_it_touches_and_what_follows(home_copy):
    week = PLANNED[2]
    assert describe_stale(freshness_of(home_copy.settings)) == "Nothing is out of date."
    (home_copy.path / "landing" / "orders" / "late.csv").write_text(
        f"order_id,order_date,part_id,region,quantity,unit_price\nlate1,{week},p-new,EU,5,2\n"
    )
    stale = freshness_of(home_copy.settings).stale()
    assert list(stale["raw_orders"]) == [week]
    assert stale["raw_orders"][week].reasons == ("order files new: late.csv",)
    # An order may be wanted in any later week; until it is read, all of them may change.
    assert list(stale["weekly_demand"]) == WEEKS[WEEKS.index(week) :]
    assert list(stale["feature_table"]) == WEEKS[WEEKS.index(week) :]
    assert list(stale["allocation_plan"]) == PLANNED[2:]
    assert stale["allocation_plan"][PLANNED[-1]].inherited
    # Status and the check that the UI shows say the same.
    freshness = freshness_of(home_copy.settings)
    assert f"allocation_plan out of date: {PLANNED[2]} to {PLANNED[-1]}" in describe_weeks(freshness)
    assert not up_to_date(freshness, "allocation_plan").passed
    assert materialize(home_copy.settings, [week], "+key:weekly_demand")
    assert states(home_copy, "weekly_demand", [week]) == ["fresh"]
    freshness = freshness_of(home_copy.settings)
    assert freshness.state("feature_table", WEEKS[-1]).reasons == (f"weekly_demand changed: {week}",)
    assert f"feature_table out of date: {week} to {WEEKS[-1]}" in describe_weeks(freshness)


def test_an_interrupted_write_is_noticed_and_mended(home_copy):
    week = WEEKS[30]
    home_copy.lake.write_pandas(home_copy.lake.read_pandas(WEEKLY_DEMAND, [week]), WEEKLY_DEMAND, week)
    state = freshness_of(home_copy.settings).state("weekly_demand", week)
    assert state.state == "out of date"
    assert "a run was interrupted, or the file was changed" in state.reasons[0]
    assert materialize(home_copy.settings, [week], "key:weekly_demand")
    assert states(home_copy, "weekly_demand", [week]) == ["fresh"]


@pytest.fixture(params=["new times", "another path"])
def moved_home(request, home, tmp_path):
    """The home copied without the times of its files, or with its lake in another place."""
    shutil.copytree(home.path, tmp_path / "copy", copy_function=shutil.copyfile)
    copied = type(home)(tmp_path / "copy", home.known)
    if request.param == "another path":
        shutil.move(copied.path / "lake", tmp_path / "elsewhere")
        settings = copied.path / "forecasting.toml"
        settings.write_text(settings.read_text() + f'[lake]\npath = "{tmp_path / "elsewhere"}"\n')
    return copied


def test_a_copied_home_is_as_fresh_as_the_one_it_was_copied_from(moved_home):
    freshness = freshness_of(moved_home.settings)
    assert describe_stale(freshness) == "Nothing is out of date."
    decision = decide(freshness, Cursor(), datetime.now(UTC), [])
    assert decision.requests == []


def test_models_of_a_copied_home_are_the_same_fits(home, moved_home):
    for model in (Sarimax(), Xgb()):
        moved = fit_ids(model, moved_home.settings, moved_home.lake, PLANNED)
        assert moved == fit_ids(model, home.settings, home.lake, PLANNED)


def test_a_changed_byte_is_noticed_and_the_file_is_named(home_copy, capsys):
    file = home_copy.path / "lake" / "weekly_demand" / f"week={BAD}" / "data.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    state = freshness_of(home_copy.settings).state("weekly_demand", BAD)
    assert (state.state, state.inherited) == ("out of date", False)
    assert str(file) in state.reasons[0]
    following = freshness_of(home_copy.settings).state("feature_table", BAD)
    assert (following.state, following.inherited) == ("out of date", False)
    assert materialize(home_copy.settings, [BAD], "weekly_demand")
    assert describe_stale(freshness_of(home_copy.settings)) == "Nothing is out of date."


def test_names_that_mean_harm_stay_data(home_copy):
    """Nothing that a file or a part is called leaves its folder or is run as SQL."""
    week, zone = WEEKS[-1], home_copy.path / "landing" / "orders" / "week=1999-01-04" / "$(touch x); '--"
    names = ["../../evil", "<script>alert(1)</script>", "=1+1", "'; DROP TABLE files; --", 'p`q"r', "$x$ ü"]
    zone.mkdir(parents=True)
    lines = [f'h{i},{week},"{name.replace(chr(34), chr(34) * 2)}",EU,1,2' for i, name in enumerate(names)]
    text = "order_id,order_date,part_id,region,quantity,unit_price\n" + "\n".join(lines) + "\n"
    (zone / "`a` <b> %2e%2e.csv").write_text(text)
    (zone / f"{'x' * 230}.csv").write_bytes(b"")
    before = {path.name for path in home_copy.path.iterdir()}
    assert materialize(home_copy.settings, [week], "+key:known_covariates")
    assert set(names) <= set(home_copy.lake.read_pandas(WEEKLY_DEMAND, [week])["part_id"])
    assert {path.name for path in home_copy.path.iterdir()} - before <= {"locks"}
    (listed,) = (home_copy.path / "landing" / "quarantine").iterdir()
    assert "it is empty" in listed.read_text()


def dagster_statuses(home, week, assets):
    """What Dagster's UI says of a week: whether the asset is stale, and because of what."""
    graph = build_defs(home.settings).resolve_asset_graph()
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        return {asset: resolver.get_status(dg.AssetKey(asset), str(week)).value for asset in assets}


def test_the_lineage_in_the_ui_begins_at_the_files_and_shows_what_has_changed(home_copy):
    # A plan reads weekly_demand itself: Dagster marks it when that is made again, even with the same rows.
    week, assets = PLANNED[-1], ["raw_orders", "clean_orders", "weekly_demand"]
    assert materialize(home_copy.settings, [week], "+key:weekly_demand")
    assert dagster_statuses(home_copy, week, assets) == dict.fromkeys(assets, "FRESH")
    (home_copy.path / "landing" / "orders" / "late.csv").write_text(
        f"order_id,order_date,part_id,region,quantity,unit_price\nlate1,{week},p-new,EU,5,2\n"
    )
    defs = build_defs(home_copy.settings)
    with dg.DagsterInstance.from_config(str(home_copy.path / "dagster")) as instance:
        cursor = None
        for _ in range(2):  # the second tick knows that the file is whole
            with dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"landing": (defs.resources or {})["landing"]}
            ) as context:
                result = defs.resolve_sensor_def("new_orders_sensor")(context)
            assert isinstance(result, dg.SensorResult)
            cursor, asset_events = result.cursor, result.asset_events
        for event in asset_events:
            if isinstance(event, dg.AssetObservation):
                instance.report_runless_asset_event(event)
    assert dagster_statuses(home_copy, week, assets)["raw_orders"] == "STALE"
    assert materialize(home_copy.settings, [week], "raw_orders")
    assert dagster_statuses(home_copy, week, assets)["raw_orders"] == "FRESH"


def test_tables_that_assets_write_beside_their_own_are_shown_with_their_rows(home):
    week = PLANNED[-1]
    with dg.DagsterInstance.from_config(str(home.path / "dagster")) as instance:
        for table in (REJECTED_ORDERS, CAPACITY_LOAD, PLAN_SHORTAGES, REPLAY_STATE):
            records = instance.fetch_materializations(
                dg.AssetRecordsFilter(dg.AssetKey(table.name), asset_partitions=[str(week)]), limit=1
            ).records
            (rows_shown,) = (
                record.asset_materialization.metadata["dagster/partition_row_count"].value
                for record in records
                if record.asset_materialization
            )
            assert rows_shown == home.lake.rows(table, week)
    graph = build_defs(home.settings).resolve_asset_graph()
    assert graph.get(dg.AssetKey("rejected_orders")).parent_keys == {dg.AssetKey("clean_orders")}
    assert graph.get(dg.AssetKey("raw_orders")).parent_keys == {dg.AssetKey("order_files")}
    assert graph.get(dg.AssetKey("allocation_plan")).freshness_policy is not None
