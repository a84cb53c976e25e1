"""`forecasting-assets`: set up a home, materialize weeks, run the demo."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from forecasting_assets.settings import (
    SETTINGS_FILE,
    Settings,
    forecasting_home,
    load_settings,
)
from forecasting_assets.tables import ORDER_COLUMNS
from forecasting_assets.weeks import add_weeks, newest_closed_week, parse_week, weeks_between

DEMO_WEEKS = 120
DEMO_PLANNED_WEEKS = 12
#: First line of the settings the demo writes, by which it knows a home of its own.
DEMO_MARK = "# The synthetic marketplace of forecasting-assets demo."


class UsageError(ValueError):
    """A command that cannot be carried out as given."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0 only if all succeeded."""
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.command(parsed)
    except KeyboardInterrupt:
        print("Interrupted: what is made stands.", file=sys.stderr)
        return 130
    except ValueError as error:  # all errors of use are; anything else is a fault of ours and keeps its trace
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="forecasting-assets", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    init = commands.add_parser("init", help="write forecasting.toml for your own orders")
    init.add_argument("--orders", required=True, help="folder or URL of the order files")
    init.add_argument(
        "--network", help="folder of manufacturers.csv, capabilities.csv, lanes.csv; may come later"
    )
    init.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME=LANDED",
        help=f"landed name of a column, as order_id=InvoiceNo; one of {', '.join(ORDER_COLUMNS)}",
    )
    init.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="how the files are written where they do not decide it, as date=day_first, decimal=, or encoding=cp1250",
    )
    init.set_defaults(command=_init)

    run = commands.add_parser(
        "materialize", help="materialize assets for a week or a range of weeks in one run"
    )
    run.add_argument(
        "--select", help="assets in Dagster's selection syntax, as '+key:feature_table'; all if left out"
    )
    run.add_argument("--from", dest="first", metavar="WEEK", help="first week, by its Monday")
    run.add_argument("--to", dest="last", metavar="WEEK", help="last week, by its Monday")
    run.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="ASSET/CHECK",
        help="go ahead although this check has failed, as clean_orders/conservation; recorded with what is made",
    )
    run.set_defaults(command=_materialize)

    back = commands.add_parser(
        "backfill", help="materialize many weeks in as few runs as is sensible, with progress"
    )
    back.add_argument("--from", dest="first", required=True, metavar="WEEK", help="first week, by its Monday")
    back.add_argument("--to", dest="last", required=True, metavar="WEEK", help="last week, by its Monday")
    back.add_argument("--select", help="assets in Dagster's selection syntax; all if left out")
    back.add_argument(
        "--dry-run", action="store_true", help="say what would be run and about how long it takes"
    )
    back.add_argument(
        "--resume",
        action="store_true",
        help="only weeks that are missing, out of date or failed in a selected asset",
    )
    back.set_defaults(command=_backfill)

    status = commands.add_parser(
        "status", help="which weeks of each asset are fresh, out of date, missing or failed"
    )
    status.set_defaults(command=_status)

    stale = commands.add_parser("stale", help="which weeks of which asset are out of date, and why")
    stale.set_defaults(command=_stale)

    what_if = commands.add_parser(
        "what-if", help="plan a changed case of a week and show the difference; the plan is left as it is"
    )
    what_if.add_argument("--week", required=True, metavar="WEEK", help="week planned, by its Monday")
    what_if.add_argument(
        "--capacity", action="append", default=[], metavar="MAKER=-40%", help="more or fewer hours"
    )
    what_if.add_argument(
        "--demand",
        action="append",
        default=[],
        metavar="CATEGORY/REGION=+20%",
        help="more or less demand; * is all",
    )
    what_if.add_argument("--remove", action="append", default=[], metavar="MAKER", help="without it")
    what_if.set_defaults(command=_what_if)

    demo = commands.add_parser("demo", help="run the whole platform on a synthetic marketplace")
    demo.set_defaults(command=_demo)

    dev = commands.add_parser("dev", help="Dagster UI and daemon on http://127.0.0.1:3000")
    dev.add_argument("--port", default="3000")
    dev.set_defaults(command=_dev)

    mlflow = commands.add_parser("mlflow", help="MLflow UI on http://127.0.0.1:5000")
    mlflow.add_argument("--port", default="5000")
    mlflow.set_defaults(command=_mlflow)
    return parser


def _column_map(pairs: Sequence[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        name, separator, landed = pair.partition("=")
        if not separator or not landed:
            raise UsageError(f"--column {pair}: write NAME=LANDED, as order_id=InvoiceNo")
        if name not in ORDER_COLUMNS:
            raise UsageError(f"--column {pair}: {name!r} is none of {', '.join(ORDER_COLUMNS)}")
        columns[name] = landed
    return columns


def _init(arguments: argparse.Namespace) -> int:
    from forecasting_assets.new_home import absolute, set_up_home
    from forecasting_assets.resources.landing import describe_errors, describe_unread
    from forecasting_assets.storage import is_url

    file = forecasting_home() / SETTINGS_FILE
    if file.exists():
        raise UsageError(f"{file} exists already: edit it, or remove it to start again")
    orders, network = absolute(arguments.orders), arguments.network and absolute(arguments.network)
    if not is_url(orders) and not Path(orders).is_dir():
        raise UsageError(f"--orders {orders}: no such folder")
    columns, order_format = _column_map(arguments.column), _format_fields(arguments.format)
    history = set_up_home(file.parent, orders, network, columns, order_format)
    for evidence in history.detected.evidence.values():
        print(f"{evidence} ([orders.format] in {SETTINGS_FILE}).")
    if history.left_out:
        print(
            f"Orders of {history.left_out[0]} to {history.left_out[-1]} are left out, as over a year without orders "
            "follows them: set [calendar] first_week if their dates are right."
        )
    files, weeks = history.files, history.weeks
    rows = sum(found.rows for found in files)
    print(f"{file} written: {len(files):,} order files, {rows:,} rows, weeks {weeks[0]} to {weeks[-1]}")
    if unread := describe_unread(history.unread):
        print(f"Not read: {unread}")
    if faulty := [found for found in files if found.fault]:
        print(f"Partly rejected: {describe_errors(faulty)}")
    if not network:
        print("No network yet: planning assets refuse until [network] path names its folder.")
    closed = [week for week in weeks if week <= newest_closed_week()]
    if closed:
        print(f"Next: forecasting-assets materialize --from {closed[0]} --to {closed[-1]}")
    else:
        print(f"No week of these orders has closed yet; the newest closed week is {newest_closed_week()}.")
    return 0


def _format_fields(pairs: Sequence[str]) -> dict[str, str]:
    from pydantic import ValidationError

    from forecasting_assets.orders.formats import OrderFormat

    fields = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        OrderFormat(**fields)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        raise UsageError(f"--format {name}={fields.get(name, '')}: {problem['msg']}") from None
    return fields


def _weeks(settings: Settings, first: str | None, last: str | None) -> list[date]:
    """The weeks asked for; the newest closed one that has orders if none is."""
    newest = newest_closed_week()
    if first is None and last is None:
        from forecasting_assets.resources.landing import Landing

        files = Landing.of(settings).readable_files()
        weeks = [week for found in files for week in found.weeks if week <= newest]
        if not weeks:
            raise UsageError(
                f"{settings.landing} holds no orders of a week that has closed (the newest is {newest})"
            )
        return [max(weeks)]
    begin = parse_week(first or last or "")
    end = parse_week(last or first or "")
    if end < begin:
        raise UsageError(f"--to {end} is before --from {begin}")
    if begin < settings.calendar.first_week:
        raise UsageError(
            f"--from {begin} is before the first week of history, {settings.calendar.first_week}: "
            f"set [calendar] first_week in {settings.home / SETTINGS_FILE} if there are older orders"
        )
    if end > newest:
        raise UsageError(f"week {end} has not closed yet: the newest closed week is {newest}")
    return weeks_between(begin, end)


def _materialize(arguments: argparse.Namespace) -> int:
    from forecasting_assets.runs import materialize

    settings = load_settings()
    weeks = _weeks(settings, arguments.first, arguments.last)
    what = f"week {weeks[0]}" if len(weeks) == 1 else f"{len(weeks)} weeks, {weeks[0]} to {weeks[-1]}"
    print(f"Materializing {arguments.select or 'all assets'}: {what}", flush=True)
    succeeded = materialize(settings, weeks, arguments.select, arguments.override)
    print("Succeeded." if succeeded else "FAILED: see above, or the run in the UI.")
    return 0 if succeeded else 1


def _backfill(arguments: argparse.Namespace) -> int:
    from forecasting_assets.backfill import chunks, duration
    from forecasting_assets.runs import backfill, past_cost, weeks_to_make

    settings = load_settings()
    weeks = _weeks(settings, arguments.first, arguments.last)
    if arguments.resume:
        weeks = weeks_to_make(settings, weeks, arguments.select)
    if not weeks:
        print("Nothing to do: every week is fresh.")
        return 0
    cost = past_cost(settings, arguments.select)
    runs = chunks(weeks, cost)
    basis = f"measured in {cost.measured} runs" if cost.measured else "a guess, as no such run has been made"
    print(
        f"{len(weeks)} weeks in {len(runs)} runs, one JVM start, about "
        f"{duration(cost.start_up + sum(cost.per_week * len(run) for run in runs))}\n"
        f"({cost.start_up:.0f} s to start and {cost.per_week:.1f} s a week, {basis})",
        flush=True,
    )
    for run in runs if arguments.dry_run else ():
        print(f"  {run[0]} to {run[-1]}: {len(run)} weeks")
    if arguments.dry_run:
        return 0
    succeeded = False
    try:
        succeeded = backfill(settings, runs, arguments.select, cost)
    finally:
        print("Succeeded." if succeeded else "Not all weeks are made: run it again with --resume.")
    return 0 if succeeded else 1


def _status(arguments: argparse.Namespace) -> int:
    from forecasting_assets.assets.lineage import describe_status
    from forecasting_assets.definitions import lineage_of

    print(describe_status(lineage_of(load_settings())))
    return 0


def _stale(arguments: argparse.Namespace) -> int:
    from forecasting_assets.assets.lineage import describe_stale
    from forecasting_assets.definitions import lineage_of

    print(describe_stale(lineage_of(load_settings())))
    return 0


def _what_if(arguments: argparse.Namespace) -> int:
    from forecasting_assets.assets.planning import what_if

    if not (arguments.capacity or arguments.demand or arguments.remove):
        raise UsageError("nothing is changed: give --capacity, --demand or --remove")
    week = parse_week(arguments.week)
    text, page = what_if(load_settings(), week, arguments.capacity, arguments.demand, arguments.remove)
    print(text)
    print(f"Picture and tables: {page}")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from forecasting_assets.demo import Marketplace, write_marketplace
    from forecasting_assets.runs import materialize, summarise

    home = forecasting_home()
    file = home / SETTINGS_FILE
    landing = home / "landing"
    if not file.exists():
        if landing.exists() and any(landing.iterdir()):
            raise UsageError(
                f"{landing} holds files already: set FORECASTING_HOME to another folder for the demo"
            )
        # It ends with the newest closed week, where the UI looks first.
        first_week = add_weeks(newest_closed_week(), 1 - DEMO_WEEKS)
        home.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{DEMO_MARK}\n[calendar]\nfirst_week = {first_week}\n", encoding="utf-8")
    elif not file.read_text(encoding="utf-8").startswith(DEMO_MARK):
        raise UsageError(
            f"{home} holds your own settings: set FORECASTING_HOME to another folder for the demo"
        )
    settings = load_settings(home)
    market = Marketplace(first_week=settings.calendar.first_week, weeks=DEMO_WEEKS)
    print(f"Writing {DEMO_WEEKS} weeks of orders of a synthetic marketplace to {landing} …", flush=True)
    write_marketplace(home, market)
    weeks = market.week_starts
    recent = weeks[-DEMO_PLANNED_WEEKS:]
    print(f"Orders, demand and features of {len(weeks)} weeks:", flush=True)
    succeeded = materialize(settings, weeks, "+key:feature_table")
    if succeeded:
        print(f"Forecasts, backtests and plans of the last {len(recent)} weeks:", flush=True)
        succeeded = materialize(settings, recent, "group:forecasts or group:planning")
    if not succeeded:
        print("FAILED: see above, or the run in the UI (make dev).")
        return 1
    print()
    print(summarise(settings, recent))
    return 0


def _dev(arguments: argparse.Namespace) -> int:
    from forecasting_assets.runs import prepare_queue

    settings = load_settings()
    _name_home()
    prepare_queue(settings.home)
    spark = settings.spark
    if spark.warm_server and not spark.remote:
        from forecasting_assets.resources.spark_server import start_server

        start_server(spark)
    if sys.platform == "linux":  # on macOS not even NumPy can be imported before a fork without risk
        from forecasting_assets.resources.run_launcher_process import keep_warm

        keep_warm()
    return _serve(
        ["dagster", "dev", "-m", "forecasting_assets.definitions", "-h", "127.0.0.1", "-p", arguments.port]
    )


def _mlflow(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    _name_home()
    store = [
        "--backend-store-uri",
        settings.tracking_uri,
        "--artifacts-destination",
        str(settings.home / "mlartifacts"),
    ]
    return _serve(
        ["mlflow", "server", *store, "--workers", "1", "--host", "127.0.0.1", "--port", arguments.port]
    )


def _name_home() -> None:
    """Have what is started from here find this home."""
    from forecasting_assets.runs import prepare_home

    home = forecasting_home()
    os.environ |= {"FORECASTING_HOME": str(home), "DAGSTER_HOME": str(prepare_home(home))}


def _serve(command: list[str]) -> int:
    """Replace this process by a server."""
    # `dagster dev` advertises its successor, which wants a project of its own layout.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command` is superseded")
    tool = Path(sys.executable).parent / command[0]
    os.execv(tool, [str(tool), *command[1:]])
