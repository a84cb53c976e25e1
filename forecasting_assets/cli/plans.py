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
    """Plan a changed case of a week and show the difference; the plan itself is unchanged."""
    from forecasting_assets.orchestration.assets.planning import what_if as plan_what_if
    from forecasting_assets.weeks import parse_week

    if not (capacity or demand or remove):
        raise click.UsageError("Nothing to change: use --capacity, --demand or --remove.")
    text, page = plan_what_if(load_existing_settings(), parse_week(week), capacity, demand, remove)
    if as_json:
        print_json({"week": week, "summary": text, "report": page})
        return
    print_line(text)
    print_line(f"Picture and tables: {page}")
