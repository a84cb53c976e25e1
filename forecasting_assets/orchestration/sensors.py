"""The sensor that starts runs when order files or planning files arrive."""

from datetime import UTC, date, datetime

import dagster as dg

from forecasting_assets.lake.freshness import Freshness
from forecasting_assets.lake.home import Home
from forecasting_assets.lake.landed_files import describe_errors
from forecasting_assets.orchestration.assets.landing import observations
from forecasting_assets.orchestration.checks.factory import up_to_date
from forecasting_assets.orchestration.jobs import WEEKLY_PLAN
from forecasting_assets.orchestration.run_tags import tags_of_weeks, weeks_of_run
from forecasting_assets.weeks import add_weeks, newest_closed_week
from forecasting_assets.workflows.arrivals import Cursor, Request, decide

_IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def new_orders_sensor(home: Home) -> dg.SensorDefinition:
    """Return the sensor of the landing zone."""

    @dg.sensor(
        job_name=WEEKLY_PLAN,
        minimum_interval_seconds=30,
        description="Requests the weeks that new or changed order files touch, once they have closed, and the newest "
        "plan if planning files that it is made from have changed.",
    )
    def new_orders_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        files = home.landing.refresh()
        freshness = Freshness(home, files)
        cursor, now = Cursor.from_json(context.cursor), datetime.now(UTC)
        decision = decide(freshness, cursor, now, _weeks_in_progress(context.instance))
        for line in decision.messages:
            context.log.info(line)
        after = decision.cursor.to_json()
        if decision.requests:
            return dg.SensorResult(
                run_requests=list(map(_run_request, decision.requests)),
                # New files put weeks out of date: the UI is to show it before anything runs.
                asset_events=[
                    *observations(files, decision.arrived),
                    *(up_to_date(freshness, asset) for asset in home.pipeline),
                ],
                cursor=after,
            )
        unreadable = describe_errors(files)
        lines = [*decision.messages, *([unreadable] if unreadable else [])]
        return dg.SensorResult(skip_reason="\n".join(lines) or _waiting_for(now), cursor=after)

    return new_orders_sensor


def _waiting_for(now: datetime) -> str:
    """Say what the sensor waits for when every landed file is in the lake."""
    current = add_weeks(newest_closed_week(now), 1)
    return (
        "No new files: every week is made from the order files that touch it. Waiting for new or changed files; orders "
        f"of the week of {current} are planned with once it closes on {add_weeks(current, 1)}, 00:00 UTC."
    )


def _weeks_in_progress(instance: dg.DagsterInstance) -> set[date]:
    runs = instance.get_runs(dg.RunsFilter(statuses=_IN_PROGRESS))
    return {week for run in runs for week in weeks_of_run(run.tags)}


def _run_request(request: Request) -> dg.RunRequest:
    assets = [dg.AssetKey(name) for name in request.assets]
    return dg.RunRequest(tags=tags_of_weeks(request.first, request.last), asset_selection=assets)
