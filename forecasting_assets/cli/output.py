"""What commands print: lines, tables and JSON. Colour only on a terminal."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

#: Wide enough that no cell is cut where there is no terminal whose width counts.
_WIDTH_OF_FILES = 200


def json_option(command: Any) -> Any:
    """Add `--json` to a command, passed to it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def print_json(content: Any) -> None:
    """Print anything that JSON can hold; dates and paths as text."""
    click.echo(json.dumps(content, indent=2, default=str, ensure_ascii=False))


def print_line(text: str = "", err: bool = False) -> None:
    """Print one line at once, so that progress is seen through a pipe too."""
    click.echo(text, err=err)
    (sys.stderr if err else sys.stdout).flush()


def print_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a heading: the first column to the left, the others to the right."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    table = Table(box=None, pad_edge=False)
    for position, name in enumerate(heading):
        table.add_column(name, justify="right" if position else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
