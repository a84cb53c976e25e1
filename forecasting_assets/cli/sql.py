"""The command sql: queries over the tables of the lake."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import print_json, print_line, print_table
from forecasting_assets.wording import count

if TYPE_CHECKING:
    import pandas as pd

#: Rows that are shown as a table.
_ROWS_SHOWN = 200


@click.command()
@click.argument("query")
@click.option(
    "--format",
    "output",
    type=click.Choice(("table", "csv", "json")),
    default="table",
    show_default=True,
    help="Print a table for people, or all rows as CSV or JSON.",
)
def sql(query: str, output: str) -> None:
    """Query the tables of the lake with SQL.

    Each table is a view of its name with a column week, as in "select week, sum(quantity) from allocation_plan group by
    week". "show tables" lists them, "describe allocation_plan" lists the columns of one. The SQL is DuckDB's; it can
    read these tables but change nothing.
    """
    from forecasting_assets.lake.home import open_home
    from forecasting_assets.lake.sql import lake_tables, run_query
    from forecasting_assets.tables.table_files import file_content

    home = open_home(load_existing_settings())
    answer = run_query(home.lake, lake_tables(home.pipeline), query)
    if output == "csv":
        print_line(file_content(answer, "csv").decode().removesuffix("\n"))
    elif output == "json":
        from forecasting_assets.tables.table_files import json_records

        print_json(json_records(answer))
    else:
        shown = answer.head(_ROWS_SHOWN)
        cells = [list(map(_formatter(values), values)) for _, values in shown.items()]
        print_table([str(name) for name in shown.columns], list(zip(*cells, strict=True)))
        if len(answer) > len(shown):
            rest = count(len(answer) - len(shown), "more row")
            print_line(f"… and {rest}: add a limit, or print all rows with --format csv")


def _formatter(values: "pd.Series") -> Callable[[Any], str]:
    """Return how the values of a column are shown to people."""
    import pandas as pd

    from forecasting_assets.reporting.formats import number
    from forecasting_assets.reporting.texttable import day, text

    if pd.api.types.is_float_dtype(values):
        digits = 0 if (values.dropna() % 1 == 0).all() else 2
        return lambda value: number(value, digits)
    return day if pd.api.types.is_datetime64_dtype(values) else text
