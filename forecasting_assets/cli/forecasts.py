"""The command about forecasts: show."""

from typing import TYPE_CHECKING, Any

import click

from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line, print_table

if TYPE_CHECKING:
    from forecasting_assets.reporting.outlook import Outlook


@click.command()
@click.argument("part")
@click.option("--region", help="Region to show; all by default.")
@click.option(
    "--week", metavar="WEEK", help="Planned week, as the date of its Monday; the newest by default."
)
@json_option
def show(part: str, region: str | None, week: str | None, as_json: bool) -> None:
    """Show the forecast of a part: past demand, intervals, bookings, overrides, accuracy and what drives it.

    The page that is written shows the same as forecast.html, which has the largest parts of a large catalogue.
    """
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.reporting.forecast_words import about_series, forecast_rows
    from forecasting_assets.reporting.outlook import outlook
    from forecasting_assets.weeks import parse_week
    from forecasting_assets.workflows.forecast_page import show_part

    settings = load_existing_settings()
    shown = show_part(settings, Lake(settings.lake_path), part, region, parse_week(week) if week else None)
    rows = outlook(shown.tables)
    about = about_series(rows, shown.tables)
    if as_json:
        origin = str(shown.tables.week)
        series = [_json(rows, i, about[i]) for i in range(len(rows))]
        print_json({"week": origin, "part_id": part, "series": series, "report": shown.path})
        return
    for i, of_region in enumerate(rows.keys["region"]):
        print_line(f"{part}, {of_region}: forecast after the week {shown.tables.week}, in units a week")
        print_table(*forecast_rows(rows, i, shown.tables.week))
        for sentence in about[i]:
            print_line(f"- {sentence}")
        print_line()
    print_line(f"Picture and table: {shown.path}")


def _json(rows: "Outlook", i: int, about: list[str]) -> dict[str, Any]:
    """Return a series with one value a week, None where there is none."""
    values = {name: getattr(rows, name)[i] for name in ("mean", "booked", "override", "planned")}
    numbers = {name: [None if v != v else float(v) for v in array] for name, array in values.items()}
    return {"region": rows.keys["region"].iloc[i], **numbers, "about": about}
