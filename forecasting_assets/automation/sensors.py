"""Sensors: what makes runs start by themselves when something arrives."""

import json

import dagster as dg

from forecasting_assets.assets.weekly import Weekly
from forecasting_assets.automation.jobs import WEEKLY_PLAN
from forecasting_assets.resources.landing import Landing
from forecasting_assets.weeks import contiguous, newest_closed_week, parse_week

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def sensors(weekly: Weekly) -> list[dg.SensorDefinition]:
    first_week = weekly.settings.calendar.first_week

    @dg.sensor(
        job_name=WEEKLY_PLAN,
        minimum_interval_seconds=30,
        description="Requests the weeks that new or changed order files touch, once they have closed.",
    )
    def new_orders_sensor(context: dg.SensorEvaluationContext, landing: Landing) -> dg.SensorResult:
        # The cursor holds, of each file, what has been asked for: its fingerprint and weeks.
        seen: dict[str, list] = json.loads(context.cursor) if context.cursor else {}
        newest = newest_closed_week()
        asked: dict[str, list] = {}
        wanted: set[str] = set()
        for file in landing.refresh():
            if file.error:
                context.log.warning(file.error)
                continue
            fingerprint, done = seen.get(file.name, ["", []])
            closed = {str(week) for week in file.weeks if first_week <= week <= newest}
            # Weeks that a changed file no longer touches have changed too.
            wanted |= closed - set(done) if fingerprint == file.fingerprint else closed | set(done)
            asked[file.name] = [file.fingerprint, sorted(closed)]
        requests = [
            dg.RunRequest(tags={RANGE_START: str(first), RANGE_END: str(last)})
            for first, last in contiguous(map(parse_week, wanted))
        ]
        if not requests:
            return dg.SensorResult(skip_reason="No new order files.", cursor=json.dumps(asked))
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(asked))

    return [new_orders_sensor]
