"""Sensors: what makes runs start by themselves when something arrives."""

import json
from dataclasses import asdict, dataclass, field
from datetime import date

import dagster as dg

from forecasting_assets.assets.lineage import Lineage
from forecasting_assets.assets.weekly import Weekly
from forecasting_assets.automation.jobs import WEEKLY_PLAN
from forecasting_assets.resources.lake import Lake
from forecasting_assets.resources.landing import Landing, touching
from forecasting_assets.tables import RAW_ORDERS, WEEKLY_DEMAND
from forecasting_assets.weeks import contiguous, newest_closed_week, parse_week, weeks_between

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
#: A run that fails is tried again as often, from its start.
RETRIES = {"dagster/max_retries": "2", "dagster/retry_strategy": "ALL_STEPS"}


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers from tick to tick.

    asked: of each file the fingerprint and the weeks that were asked for
    settling: size and time of change of files that are asked for if the next tick finds them unchanged
    empty: weeks that were asked for although no file touches them
    """

    asked: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    settling: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        return cls(**json.loads(text)) if text else cls()


def sensors(weekly: Weekly) -> list[dg.SensorDefinition]:
    first_week = weekly.settings.calendar.first_week

    @dg.sensor(
        job_name=WEEKLY_PLAN,
        minimum_interval_seconds=30,
        description="Requests the weeks that new or changed order files touch, once they have closed.",
    )
    def new_orders_sensor(
        context: dg.SensorEvaluationContext, landing: Landing, lake: Lake
    ) -> dg.SensorResult:
        cursor = Cursor.read(context.cursor)
        newest = newest_closed_week()
        asked: dict[str, tuple[str, list[str]]] = {}
        settling: dict[str, str] = {}
        wanted: set[str] = set()
        files = landing.refresh()
        gone = cursor.asked.keys() - {file.name for file in files}
        wanted |= {week for name in gone for week in cursor.asked[name][1]}
        for file in files:
            fingerprint, done = cursor.asked.get(file.name, ("", []))
            state = f"{file.size}-{file.modified.timestamp()}"
            changed = fingerprint != file.fingerprint
            settled = cursor.settling.get(file.name) == state
            if changed and not settled:  # it may still be being copied
                settling[file.name] = state
            if file.error or (changed and not settled):
                # What it held before stays as it is until the file is whole.
                if file.name in cursor.asked:
                    asked[file.name] = cursor.asked[file.name]
                continue
            closed = {str(week) for week in file.weeks if first_week <= week <= newest}
            # Weeks that a changed file no longer touches have changed too.
            wanted |= closed | set(done) if changed else closed - set(done)
            asked[file.name] = (file.fingerprint, sorted(closed))
        empty = list(cursor.empty)
        if wanted:
            # Weeks without any orders are touched by no file, yet the weeks after them need them.
            touched = {week for file in files for week in file.weeks}
            there = {*touched, *lake.existing_weeks(WEEKLY_DEMAND), *map(parse_week, empty)}
            every_week = weeks_between(first_week, parse_week(max(wanted)))
            between = [str(week) for week in every_week if week not in there]
            empty += between
            wanted.update(between)
        # Someone may have materialized them already, or reset the cursor.
        lineage = Lineage(weekly)
        wanted = {week for week in wanted if not _up_to_date(lineage, parse_week(week))}
        ranges = contiguous(map(parse_week, wanted))
        for first, last in ranges:
            names = [file.name for file in touching(files, weeks_between(first, last))]
            context.log.info(
                f"Weeks {first} to {last}, touched by {len(names)} files: {', '.join(names[:10])}"
            )
        requests = [
            dg.RunRequest(tags={RANGE_START: str(first), RANGE_END: str(last), **RETRIES})
            for first, last in ranges
        ]
        after = json.dumps(asdict(Cursor(asked, settling, empty)))
        if not requests:
            unreadable = "\n".join(file.error for file in files if file.error)
            waiting = f"Waiting until {len(settling)} files are whole." if settling else "No new order files."
            return dg.SensorResult(skip_reason=unreadable or waiting, cursor=after)
        return dg.SensorResult(run_requests=requests, cursor=after)

    return [new_orders_sensor]


def _up_to_date(lineage: Lineage, week: date) -> bool:
    return all(lineage.state(table.name, week).state == "fresh" for table in (RAW_ORDERS, WEEKLY_DEMAND))
