"""The documentation: it builds, what it shows runs or can be read, and its tables match the code."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from forecasting_assets import tables
from forecasting_assets.cli.app import app
from forecasting_assets.pipeline import build_pipeline
from forecasting_assets.settings import Settings
from forecasting_assets_tests.support.documentation import DOCS, ROOT, snippets

TUTORIAL = DOCS / "tutorial.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
IMAGE_BYTES = 300_000


def pages_with(*languages: str) -> list:
    return [
        pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if snippets(page, *languages)
    ]


def command_lines(page: Path, program: str) -> list[list[str]]:
    """Return the arguments of each call of `program` in the blocks of a page, fenced or indented."""
    indented = re.findall(r"^ {4}(\S.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    text = "\n".join([*snippets(page, "bash", "text"), *indented]).replace("\\\n", " ")
    lines = re.findall(rf"^{program} .*$", text, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def first_cells(page: Path, heading: str) -> list[str]:
    """Return the names in code style in the first column of the table under a heading."""
    section = page.read_text(encoding="utf-8").split(f"## {heading}", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table, heading
    return [name for row in table[0].splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site. Strict: a broken link between pages is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    return folder


def test_the_reference_names_every_setting_table_and_command(site):
    reference = {
        name: (site / "reference" / name / "index.html").read_text(encoding="utf-8")
        for name in ("settings", "tables", "commands")
    }
    for section, field in Settings.model_fields.items():
        for name in getattr(field.annotation, "model_fields", {}):
            if (section, name) != ("orders", "format"):
                assert f"FORECASTING__{section}__{name}".upper() in reference["settings"]
    for table in (value for value in vars(tables).values() if isinstance(value, tables.Table)):
        if table is not tables.DEMAND_HISTORY and table is not tables.MANUFACTURERS:  # not in the lake
            assert f'id="{table.name}"' in reference["tables"], table.name
    for command in app.commands:
        assert f'id="{command}"' in reference["commands"]


def test_the_site_loads_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|link)\b[^>]*https?://[^>]*>", page.read_text(encoding="utf-8"))
        assert [tag for tag in loaded if 'rel="canonical"' not in tag] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_to_files_of_the_project_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_images_are_small():
    assert [image.name for image in (DOCS / "images").iterdir() if image.stat().st_size > IMAGE_BYTES] == []


def test_the_diagram_shows_every_asset(tmp_path):
    shown = (DOCS / "images" / "pipeline.svg").read_text(encoding="utf-8")
    assert [asset for asset in build_pipeline(Settings(home=tmp_path)) if f">{asset}<" not in shown] == []


def test_the_tables_of_order_files_match_the_code():
    page = DOCS / "how-to" / "your-own-data.md"
    assert sorted(first_cells(page, "Order files")) == sorted(tables.ORDER_COLUMNS)
    assert sorted(first_cells(page, "What happens to bad rows")) == sorted(tables.REJECTION_REASONS)


@pytest.mark.parametrize("page", pages_with("toml"))
def test_settings_in_the_documentation_are_valid(page, tmp_path):
    for snippet in snippets(page, "toml"):
        Settings(home=tmp_path, **tomllib.loads(snippet))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_variables_in_the_documentation_exist(page):
    group = click.Context(app, info_name="forecasting-assets")
    for name, *arguments in command_lines(page, "forecasting-assets"):
        app.commands[name].make_context(name, arguments, parent=group)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {line[0] for line in command_lines(page, "make")} <= set(targets)
    variables = re.findall(r"FORECASTING__([A-Z_]+?)__([A-Z_]+)", page.read_text(encoding="utf-8"))
    for section, field in variables:
        model = Settings.model_fields[section.lower()].annotation
        assert field.lower() in getattr(model, "model_fields", {})


@pytest.mark.parametrize("page", [p for p in pages_with("python") if p.values[0] != TUTORIAL])
def test_python_in_the_documentation_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for snippet in snippets(page, "python"):
        exec(compile(snippet, str(page), "exec"), {})


@pytest.mark.spark
@pytest.mark.matrix
def test_the_tutorial_leads_to_a_plan(tmp_path):
    script = "set -euo pipefail\n" + "\n".join(snippets(TUTORIAL, "bash"))
    programs = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "FORECASTING__SPARK__MASTER": "local[2]",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("duplicate", "business_impact", "plan.html", "M01", "Total cost"):
        assert shown in done.stdout
