"""Sensors: what makes runs start by themselves when something arrives."""

import json

import dagster as dg

from forecasting_assets.assets.weekly import Weekly
from forecasting_assets.automation.jobs import WEEKLY_PLAN
from forecasting_assets.resources.lake import Lake
from forecasting_assets.resources.landing import Landing
from forecasting_assets.tables import WEEKLY_DEMAND
from forecasting_assets.weeks import contiguous, newest_closed_week, parse_week, weeks_between

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
#: Under this name the cursor holds the weeks that were asked for although no file touches them.
NO_FILE = ""


def sensors(weekly: Weekly) -> list[dg.SensorDefinition]:
    first_week = weekly.settings.calendar.first_week

    @dg.sensor(
        job_name=WEEKLY_PLAN,
        minimum_interval_seconds=30,
        description="Requests the weeks that new or changed order files touch, once they have closed.",
    )
    def new_orders_sensor(
        context: dg.SensorEvaluationContext, landing: Landing, lake: Lake
    ) -> dg.SensorResult | dg.SkipReason:
        # The cursor holds, of each file, what has been asked for: its fingerprint and weeks.
        seen: dict[str, list] = json.loads(context.cursor) if context.cursor else {}
        newest = newest_closed_week()
        asked: dict[str, list] = {}
        wanted: set[str] = set()
        files = landing.refresh()
        for name in seen.keys() - {NO_FILE, *(file.name for file in files)}:
            wanted |= set(seen[name][1])
        for file in files:
            if file.error:  # what it held before stays as it is until the file is mended or withdrawn
                if file.name in seen:
                    asked[file.name] = seen[file.name]
                continue
            fingerprint, done = seen.get(file.name, ["", []])
            closed = {str(week) for week in file.weeks if first_week <= week <= newest}
            # Weeks that a changed file no longer touches have changed too.
            wanted |= closed - set(done) if fingerprint == file.fingerprint else closed | set(done)
            asked[file.name] = [file.fingerprint, sorted(closed)]
        # Weeks without any orders are touched by no file, yet the weeks after them need them.
        asked[NO_FILE] = seen.get(NO_FILE, ["", []])
        if wanted:
            touched = {week for file in files for week in file.weeks}
            there = {*touched, *lake.existing_weeks(WEEKLY_DEMAND), *map(parse_week, asked[NO_FILE][1])}
            every_week = weeks_between(first_week, parse_week(max(wanted)))
            empty = [str(week) for week in every_week if week not in there]
            asked[NO_FILE] = ["", asked[NO_FILE][1] + empty]
            wanted.update(empty)
        requests = [
            dg.RunRequest(tags={RANGE_START: str(first), RANGE_END: str(last), "dagster/max_retries": "2"})
            for first, last in contiguous(map(parse_week, wanted))
        ]
        if not requests:
            unreadable = "\n".join(file.error for file in files if file.error)
            return dg.SensorResult(skip_reason=unreadable or "No new order files.", cursor=json.dumps(asked))
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(asked))

    return [new_orders_sensor]
