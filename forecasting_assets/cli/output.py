"""Output of commands: lines, tables and JSON, with colour only on a terminal."""

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

#: Wide enough that no cell is cut when the output is not a terminal.
_WIDTH_OF_FILES = 200


def json_option(command: Any) -> Any:
    """Add `--json` to a command, passed to it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def print_json(content: Any) -> None:
    """Print a value as JSON, with dates and paths as text, and null for numbers that are not known."""
    click.echo(json.dumps(_without_nan(content), indent=2, default=str, ensure_ascii=False, allow_nan=False))


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return [_without_nan(inner) for inner in value] if isinstance(value, list | tuple) else value


def print_line(text: str = "", err: bool = False) -> None:
    """Print one line and flush it, so that progress is also visible through a pipe."""
    click.echo(text, err=err)
    (sys.stderr if err else sys.stdout).flush()


def print_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a heading, the first column left-aligned and the others right-aligned."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    table = Table(box=None, pad_edge=False)
    for position, name in enumerate(heading):
        table.add_column(name, justify="right" if position else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
