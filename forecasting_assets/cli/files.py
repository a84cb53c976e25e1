"""Commands about files that planners exchange: export."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line
from forecasting_assets.weeks import parse_week

if TYPE_CHECKING:
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.tables.table_files import FileFormat

_WHAT = ("plan", "forecast", "shortages", "manufacturer")


def _week_option(command: Any) -> Any:
    return click.option(
        "--week", metavar="WEEK", help="Planned week, as the date of its Monday; the newest plan by default."
    )(command)


@click.command()
@click.argument("what", type=click.Choice(_WHAT), metavar="WHAT")
@click.argument("manufacturer", required=False)
@_week_option
@click.option(
    "--format", "file_format", type=click.Choice(("csv", "xlsx", "parquet")), help="csv by default."
)
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@json_option
def export(
    what: Any,
    manufacturer: str | None,
    week: str | None,
    file_format: str | None,
    to: Path | None,
    as_json: bool,
) -> None:
    """Write a table of a plan as a file for a spreadsheet or another program.

    WHAT is plan (who makes what when), forecast (forecast, booked units, overrides and what is planned for), shortages,
    or manufacturer with its name: what that manufacturer is to make. The file of a manufacturer can be put into the
    planning folder, with changed quantities where it has confirmed others: its rows are locked allocations.

    Without --to the file is written beside the reports of the week.
    """
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.lake.reports import write_file
    from forecasting_assets.tables.table_files import file_content
    from forecasting_assets.workflows.exports import Export, read_export, write_export

    if (what == "manufacturer") != (manufacturer is not None):
        raise click.UsageError("Name the manufacturer after `export manufacturer`, and only there.")
    settings = load_existing_settings()
    lake = Lake(settings.lake_path)
    wanted = Export(what, _week_or_newest(lake, week), manufacturer or "")
    chosen = _chosen_format(file_format, to)
    if to is None:
        path = write_export(settings, lake, wanted, chosen)
    else:
        path = write_file(to, file_content(read_export(lake, wanted), chosen))
    if as_json:
        print_json({"week": wanted.week, "format": chosen, "file": path})
    else:
        print_line(path)


def _week_or_newest(lake: "Lake", week: str | None) -> date:
    from forecasting_assets.workflows.exports import newest_plan

    return newest_plan(lake) if week is None else parse_week(week)


def _chosen_format(file_format: str | None, to: Path | None) -> "FileFormat":
    """Return the format that is named, or else that of the ending of the file, or else CSV."""
    from forecasting_assets.tables.table_files import FILE_FORMATS

    name = file_format or (to.suffix.lower().removeprefix(".") if to else "csv")
    for known in FILE_FORMATS:
        if name == known:
            return known
    raise click.UsageError(f"--to {to}: end the name in .csv, .xlsx or .parquet, or give --format.")
