"""Tables published as Delta and Iceberg tables: the rows of the lake, in versions that stay as they are."""

import re
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.utils.config import Config

from forecasting_assets.lake import publish as publishing
from forecasting_assets.lake.delta import DeltaLog
from forecasting_assets.lake.iceberg import IcebergLog
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.publish import publish
from forecasting_assets.lake.table_log import PublishError, TableLog
from forecasting_assets.settings import LakeSettings, Settings, SettingsError, load_settings
from forecasting_assets.storage import StoreError
from forecasting_assets.tables import ALLOCATION_PLAN, PLAN_COST, Table
from forecasting_assets.tables.arrow import arrow_schema
from forecasting_assets.tables.schema import Column
from forecasting_assets_tests.support import published
from forecasting_assets_tests.support.documentation import DOCS, snippets
from forecasting_assets_tests.support.published import (
    FORMATS,
    delta_table,
    files,
    iceberg_table,
    read,
    versions,
)

PAGE = DOCS / "how-to" / "table-formats.md"
WEEKS = [date(2024, 3, 4) + timedelta(weeks=i) for i in range(4)]
VALUES: dict[Any, list[Any]] = {
    pa.string(): ["a'b", None, "ü"],
    pa.float64(): [0.1, None, -1e300],
    pa.int64(): [2**62, None, -1],
    pa.date32(): [date(1999, 12, 31), None, date(2200, 1, 1)],
    pa.timestamp("us", tz="UTC"): [
        datetime(2024, 2, 29, 1, 2, 3, 4, UTC),
        None,
        datetime(1970, 1, 1, tzinfo=UTC),
    ],
    pa.list_(pa.float64()): [[1.5, 2.5], None, []],
}


def settings_of(home: Path, format: str, lake: str = "lake") -> Settings:
    return Settings(home=home, lake=LakeSettings(path=lake, format=format))


@pytest.fixture(params=FORMATS)
def settings(request, tmp_path) -> Settings:
    return settings_of(tmp_path, request.param)


@pytest.fixture
def lake(settings) -> Lake:
    return Lake(settings.lake_path)


def write(lake: Lake, week: date, amounts: list[float], table: Table = PLAN_COST) -> None:
    rows = pa.table(
        {"part": [f"p{i}" for i in range(len(amounts))], "amount": pa.array(amounts, pa.float64())}
    )
    lake.write_table(rows, table.name, week)


def amounts(settings: Settings, version: int | None = None) -> dict[date, list[float]]:
    found: dict[date, list[float]] = {}
    for row in read(settings, PLAN_COST, version).to_pylist():
        found.setdefault(row["week"], []).append(row["amount"])
    return found


def test_a_table_has_the_rows_of_the_lake(settings, lake):
    columns = tuple(
        Column(f"a {kind}", kind, "") for kind in ("string", "double", "long", "date", "timestamp", "doubles")
    )
    table = Table("every_type", (*columns, Column("week", "date", "Is not stored")), open=True)
    schema = arrow_schema(table).remove(len(columns))
    rows = pa.table([pa.array(VALUES[field.type], field.type) for field in schema], schema)
    landed = rows.append_column("Ordered by, e-mail", pa.array(["x", "y", "z"]))
    for week, part in zip(WEEKS, (landed, rows.slice(1), rows.slice(0, 0)), strict=False):
        lake.write_table(part, table.name, week)
    publish(settings, lake, [table])
    found = read(settings, table)
    assert found.schema.names == [*schema.names, "week"]
    assert found["week"].to_pylist() == [WEEKS[0]] * 3 + [WEEKS[1]] * 2
    assert found.select(schema.names).to_pylist() == rows.to_pylist() + rows.slice(1).to_pylist()


def test_what_changed_is_one_version_and_older_versions_stay_as_they_were(settings, lake):
    history: list[dict[date, list[float]]] = []
    changes: list[dict[date, list[float]]] = [
        {WEEKS[0]: [1.0], WEEKS[1]: [2.0, 3.0], WEEKS[2]: []},
        {WEEKS[0]: [4.0, 5.0], WEEKS[3]: [6.0]},
        {WEEKS[2]: [7.0]},
        {WEEKS[2]: []},
        {WEEKS[0]: [1.0]},  # as it was in the first version
    ]
    for change in changes:
        for week, rows in change.items():
            write(lake, week, rows)
        history.append((history[-1] if history else {}) | change)
        for _ in range(2):  # the second time there is nothing to do
            publish(settings, lake, [PLAN_COST])
        assert len(versions(settings, PLAN_COST)) == len(history)
    for version, known in zip(versions(settings, PLAN_COST), history, strict=True):
        assert amounts(settings, version) == {week: rows for week, rows in known.items() if rows}


def test_a_week_that_was_removed_from_the_lake_is_removed(settings, lake):
    for week in WEEKS:
        write(lake, week, [1.0])
    publish(settings, lake, [PLAN_COST])
    for file in Path(lake.path, "plan_cost", f"week={WEEKS[1]}").iterdir():
        file.unlink()
    publish(settings, lake, [PLAN_COST])
    assert set(amounts(settings)) == {WEEKS[0], WEEKS[2], WEEKS[3]}


def test_a_week_that_is_damaged_stays_as_it_was_published(settings, lake):
    write(lake, WEEKS[0], [1.0])
    publish(settings, lake, [PLAN_COST])
    for week in WEEKS[:2]:
        file = Path(lake.path, "plan_cost", f"week={week}", "data.parquet")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"damaged")
    write(lake, WEEKS[2], [2.0])
    publish(settings, lake, [PLAN_COST])
    assert amounts(settings) == {WEEKS[0]: [1.0], WEEKS[2]: [2.0]}


def test_what_other_programs_write_is_replaced(settings, lake):
    for week in WEEKS[:2]:
        write(lake, week, [1.0])
    publish(settings, lake, [PLAN_COST])
    foreign = pa.table({"part": ["x", "x"], "amount": [9.0, 9.0], "week": [WEEKS[0], WEEKS[3]]})
    if settings.lake.format == "delta":
        write_deltalake(f"{settings.lake_path}/delta/plan_cost", foreign, mode="append")
    else:
        iceberg_table(settings, PLAN_COST).append(foreign)
    assert read(settings, PLAN_COST).num_rows == 4
    publish(settings, lake, [PLAN_COST])
    assert amounts(settings) == {week: [1.0] for week in WEEKS[:2]}


@pytest.mark.parametrize("catalog", ["is removed too", "survives"])
def test_a_published_table_that_is_removed_is_made_again(settings, lake, catalog):
    write(lake, WEEKS[0], [1.0])
    publish(settings, lake, [PLAN_COST])
    shutil.rmtree(Path(settings.lake_path, settings.lake.format))
    if catalog == "is removed too":
        (settings.home / "iceberg.db").unlink(missing_ok=True)
    published.catalog.cache_clear()
    publish(settings, lake, [PLAN_COST])
    assert amounts(settings) == {WEEKS[0]: [1.0]}


@pytest.mark.parametrize("format", FORMATS)
@given(
    runs=st.lists(
        st.dictionaries(
            st.sampled_from(WEEKS), st.none() | st.lists(st.just(0.0) | st.floats(1, 2), max_size=2)
        ),
        min_size=1,
        max_size=5,
    )
)
@hypothesis.settings(max_examples=8, deadline=None)
def test_every_version_is_the_lake_at_its_time(format, runs):
    with tempfile.TemporaryDirectory() as folder:
        published.catalog.cache_clear()
        settings = settings_of(Path(folder), format)
        lake, known, history = (
            Lake(settings.lake_path),
            dict[date, list[float]](),
            list[dict[date, list[float]]](),
        )
        for changes in runs:
            before = dict(known)
            for week, rows in changes.items():
                if rows is None:
                    shutil.rmtree(Path(lake.path, "plan_cost", f"week={week}"), ignore_errors=True)
                    known.pop(week, None)
                else:
                    write(lake, week, rows)
                    known[week] = rows
            publish(settings, lake, [PLAN_COST])
            history += [dict(known)] if known != before else []
        for version, rows_of in zip(versions(settings, PLAN_COST), history, strict=True):
            assert amounts(settings, version) == {week: rows for week, rows in rows_of.items() if rows}


def test_a_table_that_gains_a_column_has_it_empty_before(settings, lake):
    write(lake, WEEKS[0], [1.0])
    publish(settings, lake, [PLAN_COST])
    wider = replace(PLAN_COST, columns=(*PLAN_COST.columns, Column("currency", "string", "Its currency")))
    rows = pa.table({"part": ["p"], "amount": [2.0], "currency": ["EUR"]})
    lake.write_table(rows, wider.name, WEEKS[1])
    publish(settings, lake, [wider])
    assert read(settings, wider)["currency"].to_pylist() == [None, "EUR"]
    write(lake, WEEKS[2], [3.0])
    publish(settings, lake, [PLAN_COST])  # by an older release
    assert read(settings, wider)["amount"].to_pylist() == [1.0, 2.0, 3.0]


def test_a_column_of_another_type_is_refused(settings, lake):
    write(lake, WEEKS[0], [1.0])
    publish(settings, lake, [PLAN_COST])
    part, amount = PLAN_COST.columns
    with pytest.raises(PublishError, match="amount") as caught:
        publish(settings, lake, [replace(PLAN_COST, columns=(part, replace(amount, type="string")))])
    assert (caught.value.table, caught.value.format) == ("plan_cost", settings.lake.format)
    assert "\n" not in str(caught.value)
    assert amounts(settings) == {WEEKS[0]: [1.0]}


@pytest.mark.parametrize("before", [[], [0.0]], ids=["new week", "replaced week"])
def test_of_two_writers_of_a_week_one_publishes_it_and_the_other_tries_again(
    settings, lake, monkeypatch, before
):
    for week in WEEKS[: len(before)]:
        write(lake, week, before)
    publish(settings, lake, [PLAN_COST])
    attempts = []

    def overtaken(*args):
        attempts.append(args)
        if (
            len(attempts) == 1
        ):  # another process writes the week after this one has read it, and commits first
            write(lake, WEEKS[0], [2.0])
            publish(settings, lake, [PLAN_COST])
        return copy(*args)

    copy = publishing._copy
    monkeypatch.setattr(publishing, "_copy", overtaken)
    write(lake, WEEKS[0], [1.0])
    before_race = len(versions(settings, PLAN_COST))
    publish(settings, lake, [PLAN_COST])
    assert amounts(settings) == {WEEKS[0]: [2.0]}
    assert len(versions(settings, PLAN_COST)) == before_race + 1
    assert len(attempts) == 2


def test_who_always_comes_second_gives_up(settings, lake, monkeypatch):
    amounts = iter(range(100))

    def overtaken(*args):
        with monkeypatch.context() as other:
            other.setattr(publishing, "_copy", copy)
            write(lake, WEEKS[0], [float(next(amounts))])
            publish(settings, lake, [PLAN_COST])
        write(lake, WEEKS[0], [float(next(amounts))])
        return copy(*args)

    copy = publishing._copy
    monkeypatch.setattr(publishing, "_ATTEMPTS", 2)
    monkeypatch.setattr(publishing, "_copy", overtaken)
    write(lake, WEEKS[0], [float(next(amounts))])
    with pytest.raises(PublishError, match=r"try again \(the last time: .+\)"):
        publish(settings, lake, [PLAN_COST])
    assert len(versions(settings, PLAN_COST)) == 2
    assert len(copies(settings)) == 2  # of the other's versions: none is left of those that did not commit


def copies(settings: Settings) -> list[Path]:
    return list(Path(settings.lake_path, settings.lake.format, "plan_cost").rglob("week=*/*.parquet"))


def test_a_commit_that_is_refused_is_tried_once_and_says_why(settings, lake, monkeypatch):
    write(lake, WEEKS[0], [1.0])
    publish(settings, lake, [PLAN_COST])
    if settings.lake.format == "delta":
        delta_table(settings, PLAN_COST).alter.set_table_properties({"delta.appendOnly": "true"})
        reason = "append-only"
    else:
        reason = "the server says no"

        def refuse(*args):
            raise CommitFailedException(reason)

        monkeypatch.setattr("pyiceberg.catalog.sql.SqlCatalog.commit_table", refuse)
    tried = []
    copy = publishing._copy

    def counted(*args):
        tried.append(args)
        return copy(*args)

    monkeypatch.setattr(publishing, "_copy", counted)
    before = copies(settings)
    write(lake, WEEKS[0], [2.0])
    with pytest.raises(PublishError, match=reason) as caught:
        publish(settings, lake, [PLAN_COST])
    assert "others" not in str(caught.value)
    assert len(tried) == 1
    assert copies(settings) == before
    assert amounts(settings) == {WEEKS[0]: [1.0]}


def test_a_commit_whose_answer_was_lost_keeps_its_files(settings, lake, monkeypatch):
    log: type[TableLog] = DeltaLog if settings.lake.format == "delta" else IcebergLog
    commit: Any = log.commit

    def lost(*args):
        commit(*args)
        raise OSError("connection reset")

    write(lake, WEEKS[0], [1.0])
    with monkeypatch.context() as once:
        once.setattr(log, "commit", lost)
        with pytest.raises((PublishError, StoreError)):
            publish(settings, lake, [PLAN_COST])
    assert amounts(settings) == {WEEKS[0]: [1.0]}
    publish(settings, lake, [PLAN_COST])
    assert len(versions(settings, PLAN_COST)) == 1


def test_copies_are_deleted_if_another_one_fails(settings, lake, monkeypatch):
    copy = publishing._copy

    def failing(*args):
        if args[3] == WEEKS[1]:
            raise ValueError("no")
        return copy(*args)

    for week in WEEKS:
        write(lake, week, [1.0])
    with monkeypatch.context() as once:
        once.setattr(publishing, "_copy", failing)
        with pytest.raises(PublishError, match="no"):
            publish(settings, lake, [PLAN_COST])
    assert copies(settings) == []
    publish(settings, lake, [PLAN_COST])
    assert len(copies(settings)) == 4


def test_the_catalog_of_a_home_with_any_name_is_in_it(tmp_path):
    home = tmp_path / "a%20b #c?d"
    home.mkdir()
    settings = settings_of(home, "iceberg", str(tmp_path / "lake"))
    write(Lake(settings.lake_path), WEEKS[0], [1.0])
    publish(settings, Lake(settings.lake_path), [PLAN_COST])
    assert (home / "iceberg.db").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [home.name, "lake"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("path", ["a%20b", "a#b", "a?b", "s3://bucket/a%20b"])
def test_a_lake_whose_path_formats_misread_is_one_line(tmp_path, format, path):
    file = tmp_path / "forecasting.toml"
    file.write_text(f'[lake]\nformat = "{format}"\npath = "{path}"\n')
    with pytest.raises(SettingsError, match=rf"\[lake\] path = .*{re.escape(path)}") as caught:
        load_settings(tmp_path)
    assert "\n" not in str(caught.value)
    file.write_text(f'[lake]\npath = "{path}"\n')
    assert load_settings(tmp_path).lake.format == "parquet"


def test_duckdb_reads_it(settings, lake):
    for i, week in enumerate(WEEKS):
        write(lake, week, [1.0 + i, 2.0])
    publish(settings, lake, [PLAN_COST])
    rows = read(settings, PLAN_COST)  # DuckDB finds it by its name
    found = duckdb.sql(
        "select week, sum(amount) from rows where week > '2024-03-11' group by 1 order by 1"
    ).fetchall()
    assert rows.num_rows == 8
    assert found == [(WEEKS[2], 5.0), (WEEKS[3], 6.0)]


@pytest.mark.parametrize("original", ["stays", "is gone"])
def test_a_home_that_is_copied_publishes_at_its_new_place(settings, lake, tmp_path_factory, original):
    write(lake, WEEKS[0], [1.0])
    publish(settings, lake, [PLAN_COST])
    home = tmp_path_factory.mktemp("other") / "home"
    shutil.copytree(settings.home, home)
    if original == "is gone":
        shutil.rmtree(settings.home)
    copied = settings_of(home, settings.lake.format)
    write(Lake(copied.lake_path), WEEKS[1], [2.0])
    for _ in range(2):
        publish(copied, Lake(copied.lake_path), [PLAN_COST])
    assert amounts(copied) == {WEEKS[0]: [1.0], WEEKS[1]: [2.0]}
    assert len(versions(copied, PLAN_COST)) == (2 if settings.lake.format == "delta" else 1)
    assert all(str(home) in file for file in files(copied, PLAN_COST))
    if original == "stays":
        assert amounts(settings) == {WEEKS[0]: [1.0]}


@pytest.fixture
def plant(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("PYICEBERG_CATALOG__PLANT__URI", f"sqlite:///{tmp_path}/plant.db")
    monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())  # it is read when a process begins
    other = LakeSettings(format="iceberg", catalog="plant", namespace="planning")
    settings = Settings(home=tmp_path, lake=other)
    write(Lake(settings.lake_path), WEEKS[0], [1.0])
    publish(settings, Lake(settings.lake_path), [PLAN_COST])
    return settings


def rows_of_plant() -> int:
    return load_catalog("plant").load_table("planning.plan_cost").scan().to_arrow().num_rows


def test_a_catalog_that_pyiceberg_knows_by_name_is_used(plant):
    assert rows_of_plant() == 1


def test_a_namespace_that_another_process_makes_at_the_same_time_is_used(plant, monkeypatch):
    catalog = load_catalog("plant")
    catalog.drop_table("planning.plan_cost")
    exists = type(catalog).namespace_exists
    asked = []

    def too_early(*args):
        asked.append(args)
        return len(asked) > 1 and exists(*args)

    monkeypatch.setattr(type(catalog), "namespace_exists", too_early)
    publish(plant, Lake(plant.lake_path), [PLAN_COST])
    assert rows_of_plant() == 1


def test_a_table_that_a_named_catalog_has_elsewhere_is_left_alone(plant):
    moved = plant.model_copy(update={"lake": plant.lake.model_copy(update={"path": "moved"})})
    with pytest.raises(PublishError, match=r"\[lake\].*drop"):
        publish(moved, Lake(moved.lake_path), [PLAN_COST])
    assert not Path(moved.lake_path).exists()
    assert rows_of_plant() == 1


def test_a_table_of_a_named_catalog_that_was_removed_is_made_again_once_it_is_dropped(plant):
    shutil.rmtree(Path(plant.lake_path, "iceberg"))
    with pytest.raises(PublishError, match=r"planning\.plan_cost.*drop") as caught:
        publish(plant, Lake(plant.lake_path), [PLAN_COST])
    assert "\n" not in str(caught.value)
    (example,) = snippets(PAGE, "python3")
    exec(example.replace('"forecasting_assets"', '"planning"'))
    publish(plant, Lake(plant.lake_path), [PLAN_COST])
    assert rows_of_plant() == 1


def test_a_catalog_that_pyiceberg_does_not_know_is_one_line(tmp_path):
    settings = Settings(home=tmp_path, lake=LakeSettings(format="iceberg", catalog="nowhere"))
    with pytest.raises(PublishError, match="NOWHERE") as caught:
        publish(settings, Lake(settings.lake_path), [ALLOCATION_PLAN, PLAN_COST])
    assert (caught.value.table, "\n" in str(caught.value)) == ("plan_cost", False)


@pytest.mark.parametrize(("format", "package"), [("delta", "deltalake"), ("iceberg", "pyiceberg")])
def test_a_missing_package_is_one_line_that_installs_it(tmp_path, monkeypatch, format, package):
    monkeypatch.setattr("forecasting_assets.settings.find_spec", lambda name: None)
    (tmp_path / "forecasting.toml").write_text(f'[lake]\nformat = "{format}"\n')
    with pytest.raises(SettingsError, match=rf"{package} is not.*pip install '?{package}") as caught:
        load_settings(tmp_path)
    assert "\n" not in str(caught.value)


def test_parquet_publishes_nothing(tmp_path):
    settings = Settings(home=tmp_path)
    write(Lake(settings.lake_path), WEEKS[0], [1.0])
    publish(settings, Lake(settings.lake_path), [PLAN_COST])
    assert [folder.name for folder in Path(settings.lake_path).iterdir() if folder.name[0] != "_"] == [
        "plan_cost"
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_the_examples_of_the_page_read_a_plan(tmp_path, monkeypatch, capsys, format):
    settings = settings_of(tmp_path / "home", format)
    lake = Lake(settings.lake_path)
    settings.home.mkdir()
    schema = arrow_schema(ALLOCATION_PLAN)
    for quantity in (1.0, 2.0):
        row: dict[str, list[Any]] = {field.name: [VALUES[field.type][0]] for field in schema} | {
            "quantity": [quantity]
        }
        lake.write_table(pa.table(row, schema), ALLOCATION_PLAN.name, WEEKS[0])
        publish(settings, lake, [ALLOCATION_PLAN])
    monkeypatch.chdir(tmp_path)
    examples = [
        code
        for code in snippets(PAGE, "py")
        if {"delta": "deltalake", "iceberg": "pyiceberg"}[format] in code
    ]
    assert len(examples) == 2
    names: dict[str, Any] = {}
    for code in examples:
        exec(code, names)
    assert names["first"]["quantity"].to_pylist() == [1.0]
    assert f"{WEEKS[0]} │           2.0" in capsys.readouterr().out
    assert read(settings, ALLOCATION_PLAN)["quantity"].to_pylist() == [2.0]  # after space was freed
