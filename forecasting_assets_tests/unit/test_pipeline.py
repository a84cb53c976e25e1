"""The graph is consistent in itself."""

from forecasting_assets.graph import ORDER_FILES
from forecasting_assets.orchestration.build import asset_checks, asset_functions
from forecasting_assets.pipeline import build_pipeline
from forecasting_assets.settings import Settings


def pipeline_of(tmp_path, **sections):
    return build_pipeline(Settings(home=tmp_path, **sections))


def test_an_asset_reads_assets_before_it_and_its_own_earlier_weeks_alone(tmp_path):
    pipeline = pipeline_of(tmp_path, allocation={"frozen_weeks": 2})
    before = set()
    for name, asset in pipeline.items():
        for source in asset.upstream:
            assert source.first <= source.last <= 0
            if source.asset == name:
                assert source.last < 0
                assert source.optional
            else:
                assert source.asset in before
        before.add(name)


def test_every_table_is_written_by_one_asset(tmp_path):
    pipeline = pipeline_of(tmp_path)
    written = [table.name for asset in pipeline.values() for table in (asset.table, *asset.also_writes)]
    assert len(written) == len(set(written))


def test_settings_that_assets_name_exist(tmp_path):
    settings = Settings(home=tmp_path)
    names = {name for asset in build_pipeline(settings).values() for name in asset.settings}
    assert names
    for name in names:
        value = settings
        for part in name.split("."):
            value = getattr(value, part)


def test_the_graph_begins_with_files(tmp_path):
    pipeline = pipeline_of(tmp_path)
    assert [name for name, asset in pipeline.items() if asset.files == ORDER_FILES] == ["raw_orders"]
    assert all(asset.upstream or asset.files for asset in pipeline.values())


def test_windows_follow_the_settings(tmp_path):
    pipeline = pipeline_of(tmp_path, forecasting={"history_weeks": 90, "refit_weeks": 3})
    (history,) = (s for s in pipeline["sarimax_model"].upstream if s.asset == "weekly_demand")
    assert history.first == 1 - 90 - 2


def test_every_asset_has_a_function_and_checks(tmp_path):
    pipeline, settings = pipeline_of(tmp_path), Settings(home=tmp_path)
    assert set(asset_functions(settings)) == set(asset_checks(settings)) == set(pipeline)
    for asset in pipeline.values():
        names = [check.name for check in asset.checks]
        assert names
        assert len(names) == len(set(names))
