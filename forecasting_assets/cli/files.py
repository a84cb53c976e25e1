"""Commands about files that planners exchange: export, template, check-planning."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecasting_assets.cli.exit_codes import FAILED
from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line
from forecasting_assets.tables import TEMPLATES
from forecasting_assets.weeks import parse_week
from forecasting_assets.wording import count

if TYPE_CHECKING:
    import pandas as pd

    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.tables.table_files import FileFormat

#: As the workflows name them, which are imported only when a command runs.
EXPORTS = ("plan", "forecast", "shortages", "manufacturer")


def _week_option(command: Any) -> Any:
    return click.option(
        "--week", metavar="WEEK", help="Planned week, as the date of its Monday; the newest plan by default."
    )(command)


def _format_option(*formats: str) -> Callable[[Any], Any]:
    return click.option(
        "--format",
        "file_format",
        type=click.Choice(formats),
        help="By default that of the ending of --to, or else csv.",
    )


def _to_option(command: Any) -> Any:
    return click.option(
        "--to",
        type=click.Path(path_type=Path, dir_okay=False),
        help="New file to write; by default one with the week in its name, in the working directory.",
    )(command)


@click.command()
@click.argument("what", type=click.Choice(EXPORTS), metavar="WHAT")
@click.argument("manufacturer", required=False)
@_week_option
@_format_option("csv", "xlsx", "parquet")
@_to_option
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
    """
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.workflows.exports import Export, read_export

    if (what == "manufacturer") != (manufacturer is not None):
        raise click.UsageError("Name the manufacturer after `export manufacturer`, and only there.")
    lake = Lake(load_existing_settings().lake_path)
    wanted = Export(what, _week_or_newest(lake, week), manufacturer or "")
    _write(lambda: read_export(lake, wanted), wanted.name, file_format, to, as_json)


@click.command()
@click.argument("kind", type=click.Choice(TEMPLATES), metavar="KIND")
@_week_option
@_format_option("csv", "xlsx")
@_to_option
@json_option
def template(kind: str, week: str | None, file_format: str | None, to: Path | None, as_json: bool) -> None:
    """Write a planning file to fill in, with the parts and forecasts of a planned week.

    KIND is forecast_overrides, locked_allocations, stock, work_in_progress, known_covariates, demand_corrections (with
    the weeks that the models leave out) or successors. Fill in the rows that you want: those that stay empty say
    nothing. Then check the file with check-planning and put it into the planning folder.
    """
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.workflows.templates import read_template

    settings = load_existing_settings()
    lake = Lake(settings.lake_path)
    of = _week_or_newest(lake, week)
    _write(lambda: read_template(settings, lake, kind, of), f"{kind}-{of}", file_format, to, as_json)


@click.command("check-planning")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def check_planning(files: tuple[Path, ...], as_json: bool) -> int:
    """Check planning files before they are put into the planning folder; exit with 1 if one cannot be used.

    Each problem names row and column. Rows that change nothing, as those with a part that nobody orders, are warnings.
    """
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.lake.planning_files import PlanningFolder
    from forecasting_assets.workflows.planning_check import check_planning_file

    settings = load_existing_settings()
    lake = Lake(settings.lake_path)
    checks = [check_planning_file(PlanningFolder.of(settings), lake, file) for file in files]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            unfilled = f", {count(check.unfilled, 'row')} not filled in" if check.unfilled else ""
            verdict = count(len(check.problems), "problem") if check.problems else "no problems"
            print_line(f"{check.file}: {count(check.rows, 'row')}{unfilled}, {verdict}")
            for problem in check.problems:
                print_line(f"  error: {problem.message}")
            for warning in check.warnings:
                print_line(f"  warning: {warning}")
    return FAILED if any(check.problems for check in checks) else 0


def _write(
    read: "Callable[[], pd.DataFrame]", name: str, file_format: str | None, to: Path | None, as_json: bool
) -> None:
    """Write a table to a new file, in the working directory unless `to` says where, and print its path."""
    from forecasting_assets.storage import add_file
    from forecasting_assets.tables.table_files import file_content

    chosen = _chosen_format(file_format, to)
    target = to or Path(f"{name}.{chosen}")
    add_file(target.parent, target.name, file_content(read(), chosen))
    if as_json:
        print_json({"format": chosen, "file": target})
    else:
        print_line(str(target))


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
