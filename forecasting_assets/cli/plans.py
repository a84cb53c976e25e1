"""Commands about plans: what-if."""

import click

from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line


@click.command("what-if")
@click.option("--week", required=True, metavar="WEEK", help="Planned week, as the date of its Monday.")
@click.option(
    "--capacity", multiple=True, metavar="MANUFACTURER=-40%", help="More or fewer hours; repeatable."
)
@click.option(
    "--demand",
    multiple=True,
    metavar="CATEGORY/REGION=+20%",
    help="More or less demand; * means all; repeatable.",
)
@click.option("--remove", multiple=True, metavar="MANUFACTURER", help="Plan without it; repeatable.")
@json_option
def what_if(
    week: str, capacity: tuple[str, ...], demand: tuple[str, ...], remove: tuple[str, ...], as_json: bool
) -> None:
    """Plan a changed case of a week and show the difference; the plan itself stays as it is."""
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.weeks import parse_week
    from forecasting_assets.workflows.what_if import Case
    from forecasting_assets.workflows.what_if import what_if as plan_case

    if not (capacity or demand or remove):
        raise click.UsageError("Nothing is changed: give --capacity, --demand or --remove.")
    settings = load_existing_settings()
    case = Case(capacity, demand, remove)
    text, page = plan_case(settings, Lake(settings.lake_path), parse_week(week), case)
    if as_json:
        print_json({"week": week, "summary": text, "report": page})
        return
    print_line(text)
    print_line(f"Picture and tables: {page}")
