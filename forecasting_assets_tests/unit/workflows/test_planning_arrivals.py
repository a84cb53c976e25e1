"""What the sensor requests when planning files change."""

import os

from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.settings import load_settings
from forecasting_assets_tests.support.sensor import PLANNING, WEEKS, arrived, land, made, ranges, tick
from forecasting_assets_tests.support.sensor import zone as zone

NEWEST = WEEKS[-1]
HEADER = "part_category,week_from,week_to,factor,entered\n"
REPLANNED = "demand_plan, allocation_plan, business_impact"


def enter(zone, *rows):
    folder = zone.parent / "planning"
    folder.mkdir(exist_ok=True)
    file = folder / "forecast_overrides.csv"
    before = file.stat().st_mtime if file.exists() else 0.0
    file.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    os.utime(file, (before + 10, before + 10))


def planned(zone):
    land(zone, "a.csv", *map(str, WEEKS))
    made(zone, WEEKS)
    made(zone, WEEKS[2:], *PLANNING)
    return arrived(zone).cursor


def test_the_newest_plan_is_requested_again_when_rows_change_that_it_uses(zone):
    cursor = planned(zone)
    enter(zone, "CNC,2024-04-15,2024-04-22,1.2,2024-04-14")
    waiting = tick(zone, cursor)
    assert ranges(waiting) == []
    requested = tick(zone, waiting.cursor)
    assert ranges(requested) == [(str(NEWEST), str(NEWEST), REPLANNED)]
    # It is not requested twice, and once it is made there is nothing to do.
    assert ranges(tick(zone, requested.cursor)) == []
    made(zone, [NEWEST], *PLANNING[-3:])
    after = tick(zone, requested.cursor)
    assert ranges(after) == []
    states = freshness_of(load_settings(zone.parents[1])).states("demand_plan")
    assert {state.state for state in states.values()} == {"fresh"}


def test_rows_of_the_current_week_change_nothing_yet(zone):
    cursor = planned(zone)
    enter(zone, "CNC,2024-04-22,2024-04-22,1.2,2024-04-15")
    assert ranges(tick(zone, tick(zone, cursor).cursor)) == []


def test_a_row_makes_the_weeks_out_of_date_that_use_it_and_no_others(zone):
    planned(zone)
    enter(zone, "CNC,2024-04-15,2024-04-22,1.2,2024-04-03")
    states = freshness_of(load_settings(zone.parents[1])).states("demand_plan")
    assert [week for week, state in states.items() if state.state != "fresh"] == WEEKS[-2:]
    assert states[NEWEST].reasons == ("planning files new: forecast_overrides",)


def test_a_mistake_is_named_and_requested_once_it_is_corrected(zone):
    cursor = planned(zone)
    enter(zone, "CNC,2024-04-15,2024-04-22,a lot,2024-04-14")
    named = tick(zone, tick(zone, cursor).cursor)
    assert ranges(named) == []
    assert "'a lot' is not a number" in named.skip_reason.skip_message
    enter(zone, "CNC,2024-04-15,2024-04-22,1.2,2024-04-14")
    assert ranges(tick(zone, tick(zone, named.cursor).cursor)) == [(str(NEWEST), str(NEWEST), REPLANNED)]
