"""Commands that set up a home: init, demo."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import ValidationError

from forecasting_assets.cli.exit_codes import FAILED
from forecasting_assets.cli.output import json_option, print_json, print_line
from forecasting_assets.settings import SETTINGS_FILE, forecasting_home, load_settings
from forecasting_assets.tables import ORDER_COLUMNS
from forecasting_assets.weeks import add_weeks, newest_closed_week
from forecasting_assets.wording import count

if TYPE_CHECKING:
    from forecasting_assets.workflows.new_home import OrderHistory

DEMO_WEEKS = 120
DEMO_PLANNED_WEEKS = 12
#: First line of the settings that the demo writes; it identifies a home of the demo.
DEMO_MARK = "# The synthetic marketplace of forecasting-assets demo."


@click.command()
@click.option("--orders", required=True, help="Folder or URL of the order files.")
@click.option(
    "--network", help="Folder or URL of manufacturers.csv, capabilities.csv and lanes.csv; can be set later."
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=LANDED",
    help=f"Landed name of a column, e.g. order_id=InvoiceNo; repeatable. Names: {', '.join(ORDER_COLUMNS)}.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Format of the files where it cannot be detected, e.g. date=day_first; repeatable.",
)
@json_option
def init(
    orders: str, network: str | None, columns: tuple[str, ...], formats: tuple[str, ...], as_json: bool
) -> None:
    """Write forecasting.toml for your own orders.

    Detects the weeks of the orders and the format of dates, numbers and text.
    """
    from forecasting_assets.reporting.commands import Commands
    from forecasting_assets.storage import is_url
    from forecasting_assets.workflows.new_home import absolute, set_up_home

    file = forecasting_home() / SETTINGS_FILE
    if file.exists():
        raise click.UsageError(f"{file} already exists: edit it, or remove it to start again.")
    landing, network_path = absolute(orders), network and absolute(network)
    if not is_url(landing) and not Path(landing).is_dir():
        raise click.UsageError(f"--orders {landing}: no such folder.")
    history = set_up_home(file.parent, landing, network_path, _column_map(columns), _format_fields(formats))
    if as_json:
        print_json(
            {
                "settings": file,
                "files": len(history.files),
                "rows": sum(landed.rows for landed in history.files),
                "first_week": history.weeks[0],
                "last_week": history.weeks[-1],
                "format": history.detected.order_format.model_dump(),
                "format_evidence": dict(history.detected.evidence),
                "unread_files": history.unread,
            }
        )
        return
    _report(file, history)
    if not network:
        print_line("No network yet: planning assets cannot run until [network] path names its folder.")
    closed = [week for week in history.weeks if week <= newest_closed_week()]
    if closed:
        command = Commands.of(file.parent).line(f"materialize --from {closed[0]} --to {closed[-1]}")
        print_line(f"Next: {command}")
    else:
        print_line(
            f"No week of these orders has closed yet; the newest closed week is {newest_closed_week()}."
        )


def _report(file: Path, history: "OrderHistory") -> None:
    """Say what was found in the order files, and what was written."""
    from forecasting_assets.lake.landed_files import describe_errors, describe_unread

    for evidence in history.detected.evidence.values():
        print_line(f"{evidence} ([orders.format] in {SETTINGS_FILE}).")
    if history.left_out:
        print_line(
            f"Orders of {history.left_out[0]} to {history.left_out[-1]} are left out because more than a year without "
            "orders follows them: set [calendar] first_week if their dates are correct."
        )
    files, weeks = history.files, history.weeks
    rows = sum(landed.rows for landed in files)
    print_line(
        f"{file} written: {count(len(files), 'order file')}, {count(rows, 'row')}, weeks {weeks[0]} to {weeks[-1]}"
    )
    if unread := "; ".join(describe_unread(history.unread)):
        print_line(f"Not read: {unread}")
    if faulty := [landed for landed in files if landed.fault]:
        print_line(f"Partly rejected: {describe_errors(faulty)}")


def _format_fields(pairs: Sequence[str]) -> dict[str, str]:
    from forecasting_assets.orders.formats import OrderFormat

    fields = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        OrderFormat(**fields)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        raise click.UsageError(f"--format {name}={fields.get(name, '')}: {problem['msg']}") from None
    return fields


def _column_map(pairs: Sequence[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        name, separator, landed = pair.partition("=")
        if not separator or not landed:
            raise click.UsageError(f"--column {pair}: write NAME=LANDED, e.g. order_id=InvoiceNo.")
        if name not in ORDER_COLUMNS:
            raise click.UsageError(f"--column {pair}: {name!r} is not one of {', '.join(ORDER_COLUMNS)}.")
        columns[name] = landed
    return columns


@click.command()
def demo() -> int:
    """Run the whole platform on a synthetic marketplace and print a summary."""
    from forecasting_assets.demo import Marketplace, write_marketplace
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.orchestration.runs import materialize
    from forecasting_assets.workflows.summary import summarise

    home = forecasting_home()
    _prepare_demo(home)
    settings = load_settings(home)
    market = Marketplace(first_week=settings.calendar.first_week, weeks=DEMO_WEEKS)
    print_line(f"Writing {DEMO_WEEKS} weeks of orders of a synthetic marketplace to {home / 'landing'} …")
    write_marketplace(home, market)
    weeks = market.week_starts
    recent = weeks[-DEMO_PLANNED_WEEKS:]
    print_line(f"Orders, demand and features of {len(weeks)} weeks:")
    succeeded = materialize(settings, weeks, "group:orders or group:features", report=print_line)
    if succeeded:
        print_line(f"Forecasts, backtests and plans of the last {len(recent)} weeks:")
        selection = "group:forecasts or group:planning"
        succeeded = materialize(settings, recent, selection, report=print_line)
    if not succeeded:
        print_line("FAILED: see above, or the run in the UI (make dev).")
        return FAILED
    print_line()
    print_line(summarise(settings, Lake(settings.lake_path), recent))
    return 0


def _prepare_demo(home: Path) -> None:
    """Write the demo's settings unless they exist; raise an error for a home that is not the demo's."""
    file, landing = home / SETTINGS_FILE, home / "landing"
    if file.exists():
        if not file.read_text(encoding="utf-8").startswith(DEMO_MARK):
            raise click.UsageError(
                f"{home} holds your own settings: set FORECASTING_HOME to another folder for the demo."
            )
        return
    if landing.exists() and any(landing.iterdir()):
        raise click.UsageError(
            f"{landing} already holds files: set FORECASTING_HOME to another folder for the demo."
        )
    # History ends with the newest closed week, which the UI shows first.
    first_week = add_weeks(newest_closed_week(), 1 - DEMO_WEEKS)
    home.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{DEMO_MARK}\n[calendar]\nfirst_week = {first_week}\n", encoding="utf-8")
