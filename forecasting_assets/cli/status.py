"""Commands that show the state of the weeks: status, stale."""

from collections.abc import Container
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from forecasting_assets.cli.exit_codes import FAILED
from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line, print_table
from forecasting_assets.weeks import newest_closed_week
from forecasting_assets.wording import count

if TYPE_CHECKING:
    from forecasting_assets.lake.freshness import Freshness


@click.command()
@click.option("--check", is_flag=True, help="Exit with 1 if a week is out of date, missing or failed.")
@json_option
def status(check: bool, as_json: bool) -> int:
    """Show how many weeks of each asset are fresh, out of date, missing or failed."""
    from forecasting_assets.lake.freshness import STATES, by_state, freshness_of
    from forecasting_assets.lake.freshness_report import describe_files, describe_weeks

    freshness = freshness_of(load_existing_settings())
    assets = {asset: by_state(weeks) for asset, weeks in freshness.status().items()}
    if as_json:
        print_json(
            {
                "newest_closed_week": newest_closed_week(),
                "newest_weeks_without_orders": freshness.weeks_without_orders,
                "assets": assets,
                "failures": reasons(freshness, "failed"),
                "files": describe_files(freshness),
            }
        )
    else:
        rows = []
        for asset, states in assets.items():
            existing = [week for name in ("fresh", "out of date", "failed") for week in states[name]]
            counts = [f"{len(states[name]):,}" for name in STATES]
            rows.append([asset, *counts, str(max(existing, default="none"))])
        print_table(["asset", *STATES, "newest week"], rows)
        print_line()
        for line in describe_weeks(freshness):
            print_line(line)
        print_line(f"Newest closed week: {newest_closed_week()}.")
        if without := freshness.weeks_without_orders:
            print_line(
                f"No orders have arrived of {count(len(without), 'closed week')}, from {without[0]} on."
            )
        for line in describe_files(freshness):
            print_line(line)
    unsettled = any(weeks for states in assets.values() for name, weeks in states.items() if name != "fresh")
    return FAILED if check and unsettled else 0


@click.command()
@click.option("--check", is_flag=True, help="Exit with 1 if anything is listed.")
@json_option
def stale(check: bool, as_json: bool) -> int:
    """List the weeks of each asset that are out of date, missing or failed, and why."""
    from forecasting_assets.lake.freshness import freshness_of
    from forecasting_assets.lake.freshness_report import describe_stale

    freshness = freshness_of(load_existing_settings())
    if as_json:
        print_json(reasons(freshness))
    else:
        print_line(describe_stale(freshness))
    return FAILED if check and any(freshness.stale().values()) else 0


def reasons(
    freshness: "Freshness", state: str | None = None, weeks: Container[date] | None = None
) -> dict[str, dict[str, Any]]:
    """Return asset -> week -> its state and reasons, of the weeks that are not fresh.

    Parameters
    ----------
    freshness
        Of the home.
    state, weeks
        Only weeks in this state, and only these weeks; all if None.
    """
    return {
        asset: {
            str(week): {"state": entry.state, "reasons": entry.reasons, "inherited": entry.inherited}
            for week, entry in entries.items()
            if state in (None, entry.state) and (weeks is None or week in weeks)
        }
        for asset, entries in freshness.stale().items()
    }
