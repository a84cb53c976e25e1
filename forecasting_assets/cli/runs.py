"""Commands that compute weeks: materialize, backfill."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import click

from forecasting_assets.cli.exit_codes import FAILED
from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line
from forecasting_assets.cli.status import reasons
from forecasting_assets.settings import SETTINGS_FILE, Settings
from forecasting_assets.weeks import newest_closed_week, parse_week, weeks_between
from forecasting_assets.wording import count

_select = click.option(
    "--select",
    metavar="ASSETS",
    help="Assets: names separated by commas, or Dagster's selection syntax, e.g. '+key:feature_table'. Default: all.",
)
_first = click.option("--from", "first", metavar="WEEK", help="First week, as the date of its Monday.")
_last = click.option("--to", "last", metavar="WEEK", help="Last week, as the date of its Monday.")
_closed_before = click.option(
    "--closed-before",
    metavar="DATE",
    help="Instead of --to: the newest week that is over at the beginning of this day (UTC), for schedulers.",
)


@click.command()
@_select
@_first
@_last
@_closed_before
@click.option(
    "--override",
    multiple=True,
    metavar="ASSET/CHECK",
    help="Continue although this check has failed, e.g. clean_orders/conservation; recorded with the weeks.",
)
@json_option
def materialize(
    select: str | None,
    first: str | None,
    last: str | None,
    closed_before: str | None,
    override: tuple[str, ...],
    as_json: bool,
) -> int:
    """Materialize a week or a range of weeks in one run: by default the newest closed week with orders."""
    from forecasting_assets.lake.freshness import freshness_of
    from forecasting_assets.orchestration.runs import materialize as run_weeks

    settings = load_existing_settings()
    weeks = requested_weeks(settings, first, _last_week(last, closed_before))
    report = _progress_printer(as_json)
    what = f"week {weeks[0]}" if len(weeks) == 1 else f"{len(weeks):,} weeks, {weeks[0]} to {weeks[-1]}"
    report(f"Materializing {select or 'all assets'}: {what}")
    succeeded = run_weeks(settings, weeks, select, override, report)
    if as_json:
        failures = {} if succeeded else reasons(freshness_of(settings), "failed", weeks)
        print_json({"weeks": weeks, "select": select, "succeeded": succeeded, "failures": failures})
    else:
        report("Succeeded." if succeeded else "FAILED: see above, or the run in the UI.")
    return 0 if succeeded else FAILED


@click.command()
@_first
@_last
@_closed_before
@_select
@click.option(
    "--dry-run", is_flag=True, help="Show the runs and their estimated duration, but do not run them."
)
@click.option(
    "--resume",
    is_flag=True,
    help="Only weeks that are missing, out of date or failed in a selected asset.",
)
@json_option
def backfill(
    first: str | None,
    last: str | None,
    closed_before: str | None,
    select: str | None,
    dry_run: bool,
    resume: bool,
    as_json: bool,
) -> int:
    """Materialize many weeks in few runs of a suitable size.

    With --closed-before and without --from it is one week; with --resume alone, all weeks that `stale` lists.
    """
    from forecasting_assets.lake.freshness import freshness_of
    from forecasting_assets.orchestration.runs import backfill as run_backfill
    from forecasting_assets.orchestration.runs import past_cost, weeks_not_fresh
    from forecasting_assets.workflows.backfill import chunks, duration

    settings = load_existing_settings()
    last = _last_week(last, closed_before)
    weeks = None
    if last is not None and (first is not None or closed_before is not None):
        weeks = requested_weeks(settings, first, last)
    elif not resume or first is not None or last is not None:
        raise click.UsageError("--from and --to are needed, or --closed-before, or --resume alone.")
    if weeks is None or resume:
        weeks = weeks_not_fresh(settings, weeks, select)
    report = _progress_printer(as_json)
    cost = past_cost(settings, select)
    runs = chunks(weeks, cost)
    result: dict[str, Any] = {
        "weeks": weeks,
        "runs": [{"first": run[0], "last": run[-1], "weeks": len(run)} for run in runs],
        "estimated_seconds": round(cost.start_up + cost.per_week * len(weeks)) if weeks else 0,
        "estimate_measured_in_runs": cost.measured,
    }
    if not weeks:
        report("Nothing to do: every week is fresh.")
    else:
        basis = (
            f"measured in {count(cost.measured, 'run')}"
            if cost.measured
            else "a guess, as there are no such runs yet"
        )
        report(
            f"{count(len(weeks), 'week')} in {count(len(runs), 'run')}, about "
            f"{duration(result['estimated_seconds'])} ({cost.start_up:.0f} s to start and {cost.per_week:.1f} s per "
            f"week, {basis})"
        )
    succeeded = True
    if dry_run:
        for run in runs:
            report(f"  {run[0]} to {run[-1]}: {count(len(run), 'week')}")
    elif weeks:
        succeeded = _run_all(lambda: run_backfill(settings, runs, select, cost, report), report)
    if as_json:
        failures = {} if succeeded else reasons(freshness_of(settings), "failed", weeks)
        print_json(result | {"dry_run": dry_run, "succeeded": succeeded, "failures": failures})
    return 0 if succeeded else FAILED


def _run_all(run: Callable[[], bool], report: Callable[[str], None]) -> bool:
    succeeded = False
    try:
        succeeded = run()
    finally:  # also after Ctrl-C
        report("Succeeded." if succeeded else "Some weeks are not complete: run it again with --resume.")
    return succeeded


def _last_week(last: str | None, closed_before: str | None) -> str | None:
    """Return the last week of a command, as --to or --closed-before names it."""
    if closed_before is None:
        return last
    if last is not None:
        raise click.UsageError("--to and --closed-before both name the last week: use one of them.")
    try:
        day = date.fromisoformat(closed_before)
    except ValueError:
        raise click.UsageError(f"--closed-before {closed_before}: write a date as YYYY-MM-DD.") from None
    return str(newest_closed_week(datetime.combine(day, time(), UTC)))


def requested_weeks(settings: Settings, first: str | None, last: str | None) -> list[date]:
    """Return the weeks of a command; without --from and --to, the newest closed week that has orders.

    Raises
    ------
    ValueError
        If a week is not a Monday, lies before the first week of history or has not closed.
    """
    newest = newest_closed_week()
    if first is None and last is None:
        return [_newest_week_with_orders(settings, newest)]
    begin, end = parse_week(first or last or ""), parse_week(last or first or "")
    if end < begin:
        raise click.UsageError(f"--to {end} is before --from {begin}.")
    if begin < settings.calendar.first_week:
        raise click.UsageError(
            f"--from {begin} is before the first week of history, {settings.calendar.first_week}: set [calendar] "
            f"first_week in {settings.home / SETTINGS_FILE} if there are older orders."
        )
    if end > newest:
        raise click.UsageError(f"Week {end} has not closed yet: the newest closed week is {newest}.")
    return weeks_between(begin, end)


def _newest_week_with_orders(settings: Settings, newest: date) -> date:
    from forecasting_assets.lake.landing import Landing

    files = Landing.of(settings).readable_files()
    weeks = [week for file in files for week in file.weeks if week <= newest]
    if not weeks:
        raise click.UsageError(
            f"{settings.landing} holds no orders of a closed week (the newest closed week is {newest})."
        )
    return max(weeks)


def _progress_printer(as_json: bool) -> Callable[[str], None]:
    """Return a printer that uses standard error if standard output is for JSON."""
    return lambda line: print_line(line, err=as_json)
