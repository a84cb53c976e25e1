"""Build hook of MkDocs: write the reference pages from the code, so that they cannot fall behind it.

``mkdocs.yml`` names this file under ``hooks``. Settings come from the pydantic model, assets, tables and checks
from ``forecasting_assets.pipeline``, network files from ``forecasting_assets.tables`` and commands from click.
"""

import types
import typing
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import annotated_types
import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from forecasting_assets import tables
from forecasting_assets.cli.app import app
from forecasting_assets.graph import Upstream, WeeklyAsset
from forecasting_assets.orchestration.build import asset_functions
from forecasting_assets.orchestration.factory import AssetFunction
from forecasting_assets.pipeline import build_pipeline
from forecasting_assets.settings import Settings
from forecasting_assets.tables import Table

PROGRAM = "forecasting-assets"
_GROUPS = {
    "orders": "Orders and demand",
    "features": "Features",
    "forecasts": "Forecasts",
    "planning": "Plans and their impact",
}
_NETWORK_FILES = (tables.MANUFACTURERS, tables.CAPABILITIES, tables.LANES, tables.CAPACITY_OVERRIDES)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated reference pages to the site."""
    for name, text in reference_pages().items():
        files.append(File.generated(config, f"reference/{name}", content=text))
    return files


def reference_pages() -> dict[str, str]:
    """Return the generated pages: file name -> Markdown."""
    return {"settings.md": settings_page(), "tables.md": tables_page(), "commands.md": commands_page()}


# Settings


def settings_page() -> str:
    """Return the reference of ``forecasting.toml`` and of the environment variables."""
    lines = [
        "# Settings",
        "",
        "`forecasting.toml` in `FORECASTING_HOME` holds the settings. Every setting has a default, so an empty",
        "file, or none, is valid. The environment variable given below a setting overrides the file. Write lists",
        "and tables in environment variables as JSON.",
        "",
        "`FORECASTING_HOME` itself is set in the environment only; the default is `.forecasting` in the working",
        "directory. Relative paths in settings are relative to it.",
        "",
        "A wrong value stops the program. The error names the setting, the value and the remedy. Passwords and",
        "tokens are refused: [give them in the environment](../how-to/deploy.md#secrets).",
        "",
    ]
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            lines += _section(section, field.annotation)
    return "\n".join(lines) + "\n"


def _section(path: str, model: type[BaseModel]) -> Iterator[str]:
    nested = {}
    yield from [f"## [{path}]", ""]
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            nested[f"{path}.{name}"] = field.annotation
            continue
        variable = "__".join(["FORECASTING", *path.split("."), name]).upper()
        yield from [f"### `{name}` {{ #{path.replace('.', '-')}-{name} }}", ""]
        yield from [f"{_sentence(field.description)}", ""]
        yield from [f"- Type: {_type_name(field.annotation)}{_bounds(field)}"]
        yield from [f"- Default: {_default(field)}"]
        yield from [f"- Environment: `{variable}`", ""]
    for name, section in nested.items():
        yield from _section(name, section)


def _sentence(text: str | None) -> str:
    return f"{(text or '').rstrip('.')}."


def _type_name(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{_toml(value)}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(part) for part in arguments if part is not type(None)) + ", optional"
    if origin is dict:
        return f"table of {_type_name(arguments[1])}"
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is typing.Annotated:
        return _type_name(arguments[0])
    return {str: "text", int: "integer", float: "number", bool: "`true` or `false`", date: "date"}[annotation]


def _bounds(field: FieldInfo) -> str:
    signs = {
        annotated_types.Ge: ("ge", "at least"),
        annotated_types.Gt: ("gt", "more than"),
        annotated_types.Le: ("le", "at most"),
        annotated_types.Lt: ("lt", "less than"),
    }
    found = [
        f"{words} {getattr(bound, attribute):,}"
        for bound in field.metadata
        for kind, (attribute, words) in signs.items()
        if isinstance(bound, kind)
    ]
    return f", {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    return "none" if value is None or value is PydanticUndefined else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    """Write a value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\t", "\\t") + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)


# Assets, tables and checks


def tables_page() -> str:
    """Return the reference of assets, their tables and checks, and of the network and planning files."""
    settings = Settings(home=Path())
    pipeline, functions = build_pipeline(settings), asset_functions(settings)
    lines = [
        "# Assets, tables and checks",
        "",
        "Each asset writes one table of the lake, one file per week: `lake/<table>/week=YYYY-MM-DD/data.parquet`.",
        "Some assets write further tables beside their own. Column names are a contract: they change only with a",
        "new major version. A column marked *optional* may be empty.",
        "",
    ]
    for group, title in _GROUPS.items():
        lines += [f"## {title}", ""]
        for asset in pipeline.values():
            if asset.group == group:
                lines += _asset(asset, functions[asset.name])
    lines += ["## Network files", "", "The files that you write and the platform reads.", ""]
    for table in _NETWORK_FILES:
        lines += [f"### {table.name}.csv", "", *_columns(table), ""]
    lines += [
        "## Planning files",
        "",
        "Files that planners write and the platform reads, all of them optional.",
        "",
    ]
    for table in tables.PLANNING_FILES.values():
        lines += [
            f"### {table.name}",
            "",
            f"`{table.name}*.csv`, `.csv.gz`, `.parquet` or `.xlsx`.",
            "",
            *_columns(table),
            "",
        ]
    return "\n".join(lines) + "\n"


def _asset(asset: WeeklyAsset, function: AssetFunction) -> Iterator[str]:
    description = " ".join((function.function.__doc__ or "").split())
    yield from [f"### {asset.name}", "", description, ""]
    reads = [f"`{source.asset}`{_weeks(source)}" for source in asset.upstream]
    reads += [asset.files] if asset.files else []
    reads += [f"planning files `{rows.kind}`" for rows in asset.planning]
    yield from ["Reads: " + ", ".join(reads) + ".", ""]
    if asset.settings:
        yield from ["Settings that change it: " + ", ".join(f"`{name}`" for name in asset.settings) + ".", ""]
    yield from _table(asset.table)
    yield from ["| Check | Blocking | What it verifies |", "|---|---|---|"]
    for check in asset.checks:
        yield f"| `{check.name}` | {'yes' if check.blocking else 'no'} | {_cell(check.description)} |"
    yield ""
    for table in asset.also_writes:
        yield from [f"### {table.name}", "", f"Written by `{asset.name}`.", ""]
        yield from _table(table)


def _weeks(source: Upstream) -> str:
    """Return which weeks are read, counted from the week that is made."""
    if not source.first and not source.last:
        return ""
    if source.first == source.last:
        return f" (week {source.first:+d})"
    return (
        f" (weeks {source.first:+d} to {source.last:+d})"
        if source.last
        else f" (weeks {source.first:+d} to 0)"
    )


def _table(table: Table) -> Iterator[str]:
    yield from _columns(table)
    yield ""
    if table.open:
        yield from ["Beside these the table holds the columns of the order files as text, unchanged.", ""]


def _columns(table: Table) -> Iterator[str]:
    yield from ["| Column | Type | Meaning |", "|---|---|---|"]
    for column in table.columns:
        kind = f"{column.type}, optional" if column.nullable else column.type
        meaning = f"{column.description} ({column.bounds})" if column.bounds else column.description
        yield f"| `{column.name}` | {kind} | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


# Commands


def commands_page() -> str:
    """Return the reference of the command line."""
    context = click.Context(app, info_name=PROGRAM, terminal_width=100, **app.context_settings)
    lines = [
        "# Commands",
        "",
        "| Exit code | Meaning |",
        "|---|---|",
        "| 0 | Everything succeeded |",
        "| 1 | A run or a check failed, or `--check` found a week that is not fresh |",
        "| 2 | The command cannot be carried out as given |",
        "| 130 | Interrupted with Ctrl-C; completed weeks are kept |",
        "| 141 | The program that read the output closed it |",
        "",
        *_help(f"## {PROGRAM}", context),
    ]
    return "\n".join([*lines, *_commands(app, context, "##")]) + "\n"


def _commands(group: click.Group, context: click.Context, level: str, above: str = "") -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=context, terminal_width=100)
        yield from _help(f"{level} {above}{name}", own)
        if isinstance(command, click.Group):
            yield from _commands(command, own, f"{level}#", f"{above}{name} ")


def _help(heading: str, context: click.Context) -> list[str]:
    return [heading, "", "```text", context.command.get_help(context), "```", ""]
