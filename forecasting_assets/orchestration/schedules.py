"""Schedules: runs that start at a time of the week."""

import dagster as dg

from forecasting_assets.orchestration.jobs import WEEKLY_PLAN
from forecasting_assets.weeks import newest_closed_week


def weekly_schedule() -> dg.ScheduleDefinition:
    """Return the schedule that plans each week once it has closed."""

    @dg.schedule(
        job_name=WEEKLY_PLAN,
        cron_schedule="0 3 * * 1",
        execution_timezone="UTC",
        description="Plans the week that has just closed, every Monday at 03:00 UTC.",
    )
    def weekly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        week = str(newest_closed_week(context.scheduled_execution_time))
        return dg.RunRequest(run_key=week, partition_key=week)

    return weekly_schedule
