"""What the schedule runs."""

from datetime import UTC, datetime

import dagster as dg

from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.settings import load_settings


def test_the_schedule_plans_the_week_that_has_just_closed(tmp_path):
    schedule = build_defs(load_settings(tmp_path)).resolve_schedule_def("weekly_schedule")
    when = datetime(2025, 3, 10, 3, 0, tzinfo=UTC)
    request = schedule(dg.build_schedule_context(scheduled_execution_time=when))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2025-03-03"
