"""Sensors: what makes runs start by themselves when something arrives."""

from datetime import UTC, date, datetime

import dagster as dg

from forecasting_assets.lake.freshness import Lineage
from forecasting_assets.lake.landing import Landing, describe_errors
from forecasting_assets.orchestration.assets.landing import observations
from forecasting_assets.orchestration.checks.factory import up_to_date
from forecasting_assets.orchestration.factory import Weekly
from forecasting_assets.orchestration.jobs import WEEKLY_PLAN
from forecasting_assets.orchestration.run_tags import tags_of_weeks, weeks_of_run
from forecasting_assets.workflows.arrivals import Cursor, Request, ask

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def sensors(weekly: Weekly) -> list[dg.SensorDefinition]:
    @dg.sensor(
        job_name=WEEKLY_PLAN,
        minimum_interval_seconds=30,
        description="Requests the weeks that new or changed order files touch, once they have closed.",
    )
    def new_orders_sensor(
        context: dg.SensorEvaluationContext, landing: dg.ResourceParam[Landing]
    ) -> dg.SensorResult:
        files = landing.refresh()
        lineage = Lineage(weekly, files)
        answer = ask(lineage, Cursor.read(context.cursor), datetime.now(UTC), _under_way(context.instance))
        for line in answer.said:
            context.log.info(line)
        after = answer.cursor.write()
        if answer.requests:
            return dg.SensorResult(
                run_requests=list(map(_run_request, answer.requests)),
                # What has arrived puts weeks out of date: the UI is to show it before anything runs.
                asset_events=[
                    *observations(files, answer.arrived),
                    *(up_to_date(lineage, asset) for asset in weekly.declared),
                ],
                cursor=after,
            )
        unreadable = describe_errors(files)
        reason = "\n".join([*answer.said, *([unreadable] if unreadable else [])]) or "No new order files."
        return dg.SensorResult(skip_reason=reason, cursor=after)

    return [new_orders_sensor]


def _under_way(instance: dg.DagsterInstance) -> set[date]:
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
    return {week for run in runs for week in weeks_of_run(run.tags)}


def _run_request(request: Request) -> dg.RunRequest:
    assets = [dg.AssetKey(name) for name in request.assets]
    return dg.RunRequest(tags=tags_of_weeks(request.first, request.last), asset_selection=assets)
