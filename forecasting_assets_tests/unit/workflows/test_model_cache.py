"""Fits are told from one another by what they learn from."""

import ast
import os
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting.registry import Sarimax, Xgb
from forecasting_assets.lake.lake import Lake
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.weeks import add_weeks, weeks_between
from forecasting_assets.workflows import model_cache
from forecasting_assets.workflows.model_cache import Fit, code, code_of, fit_ids, traceable

FIRST = date(2024, 1, 1)
WEEKS = weeks_between(FIRST, add_weeks(FIRST, 9))
FITTED_AT = WEEKS[-3]
FEATURES = feature_columns(8)


def write(settings, table, week, n_rows=1):
    """A week of a table with so many rows."""
    lake = Lake(path=settings.lake_path)
    empty = {column.name: pd.Series([None] * n_rows, dtype=object) for column in table.columns}
    lake.write_pandas(pd.DataFrame(empty), table, week)


def fit_id(settings, week=FITTED_AT):
    return fit_ids(Xgb(), settings, Lake(settings.lake_path), [week])[week]


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {FIRST}\n")
    settings = load_settings(tmp_path)
    for week in WEEKS:
        write(settings, WEEKLY_DEMAND, week)
        write(settings, FEATURES, week)
    return settings


def test_what_is_made_after_the_fit_makes_no_other_of_it(settings):
    before = fit_id(settings)
    write(settings, WEEKLY_DEMAND, add_weeks(FITTED_AT, 1), n_rows=2)
    # There is no target for features of the week itself.
    write(settings, FEATURES, FITTED_AT, n_rows=2)
    assert fit_id(settings) == before


@pytest.mark.parametrize(
    ("table", "week"),
    [
        (WEEKLY_DEMAND, WEEKS[0]),
        (WEEKLY_DEMAND, FITTED_AT),
        (FEATURES, WEEKS[0]),
        (FEATURES, add_weeks(FITTED_AT, -1)),
    ],
)
def test_a_week_that_is_written_again_makes_another_fit(settings, table, week):
    before = fit_id(settings)
    write(settings, table, week, n_rows=2)
    assert fit_id(settings) != before


def test_features_do_not_concern_a_model_that_does_not_read_them(settings):
    before = fit_ids(Sarimax(), settings, Lake(settings.lake_path), [FITTED_AT])
    write(settings, FEATURES, WEEKS[0], n_rows=2)
    assert fit_ids(Sarimax(), settings, Lake(settings.lake_path), [FITTED_AT]) == before


def test_other_models_do_not_concern_a_fit(settings):
    forecasting = settings.forecasting.model_copy(update={"models": ("xgb",)})
    assert fit_id(settings.model_copy(update={"forecasting": forecasting})) == fit_id(settings)


def test_a_week_that_is_written_again_as_it_was_makes_no_other_fit(settings):
    before = fit_id(settings)
    for week in WEEKS:
        write(settings, WEEKLY_DEMAND, week)
        file = f"{settings.lake_path}/feature_table/week={week}/data.parquet"
        os.utime(file, ns=(1, 1))
    assert fit_id(settings) == before


def test_a_fit_is_not_found_again_if_weeks_were_written_while_it_learnt(settings):
    fit = Fit("xgb_model", FITTED_AT, "a model", id=fit_id(settings))
    assert traceable(Xgb(), fit, settings, Lake(settings.lake_path)) == fit
    write(settings, WEEKLY_DEMAND, FITTED_AT, n_rows=2)
    assert traceable(Xgb(), fit, settings, Lake(settings.lake_path)) == Fit("xgb_model", FITTED_AT, "a model")


def test_settings_code_and_the_week_of_the_fit_make_another(settings, monkeypatch):
    other = settings.model_copy(update={"forecasting": settings.forecasting.model_copy(update={"seed": 1})})
    found = {fit_id(settings), fit_id(other), fit_id(settings, WEEKS[-2])}
    another = [*model_cache.code()[:-1], "another version"]
    monkeypatch.setattr(model_cache, "code", lambda: another)
    assert len(found | {fit_id(settings)}) == 4


#: Modules that the code of models imports and that change no forecast: errors, texts, checks and versions of Spark.
NO_MODEL_CODE = {
    *(
        "errors.py",
        "findings.py",
        "spark_versions.py",
        "wording.py",
        "orders/text.py",
        "planning/overrides.py",
    ),
    *("forecasting/metrics.py", "forecasting/value_added.py"),
}


def test_all_modules_that_the_models_import_count():
    files: set[Path] = set()
    modules = {f"forecasting_assets.forecasting.{name}" for name in ("registry", "on_spark", "successions")}
    while new := {file for module in modules if (file := source_of(module))} - files:
        files |= new
        modules = {name for file in new for name in imported(file)}
    counted = {file.relative_to(model_cache._SOURCES) for file in model_cache.code_files()}
    assert {str(file) for file in files - counted} == NO_MODEL_CODE
    others = {str(file) for file in counted - files if file.parts[0] == "forecasting"}
    assert not others, "modules that no model imports count: add them to _NO_MODEL_CODE"


def source_of(module: str) -> Path | None:
    """Return the file of a module, relative to the package; None for a name that is no module of the package."""
    package, *names = module.split(".")
    if package != "forecasting_assets" or not names:
        return None
    place = Path(*names)
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if (model_cache._SOURCES / file).is_file():
            return file
    return None


def imported(file: Path) -> set[str]:
    """Return the modules, and the names in them, that a file imports."""
    nodes = list(ast.walk(ast.parse((model_cache._SOURCES / file).read_text())))
    modules = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names = [
        f"{node.module}.{of.name}" for node in nodes if isinstance(node, ast.ImportFrom) for of in node.names
    ]
    return {*modules, *names}


CODE = "def weight(n):\n    return n / 2\n"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ('"""A module."""\n# Why.\ndef weight(n):\n    """A docstring."""\n    return n / 2  # half\n', True),
        ("def weight(n):\n    return n / 3\n", False),
        ("def weight(n, m=1):\n    return n / 2\n", False),
    ],
)
def test_comments_and_docstrings_are_no_code(other, same):
    assert (code_of(other) == code_of(CODE)) == same


@pytest.mark.parametrize(
    ("module", "counts"),
    [
        ("forecasting/sarimax.py", True),
        ("forecasting/xgb/training.py", True),
        ("features/window.py", True),
        ("weeks.py", True),
        ("planning/covariates.py", True),
        ("workflows/planner_notes.py", True),
        ("forecasting/checks.py", False),
        ("reporting/html.py", False),
    ],
)
def test_only_modules_that_change_what_models_say_count(tmp_path, monkeypatch, module, counts):
    sources = tmp_path / "sources"
    shutil.copytree(model_cache._SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__"))
    before = code.__wrapped__()
    monkeypatch.setattr(model_cache, "_SOURCES", sources)
    assert code.__wrapped__() == before
    with (sources / module).open("a") as file:
        file.write("\nMORE = 1\n")
    assert (code.__wrapped__() != before) == counts
