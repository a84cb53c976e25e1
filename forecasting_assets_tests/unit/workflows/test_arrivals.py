"""What the sensor requests when files land."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import fs

from forecasting_assets.lake.blockers import Attempt, blockers
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.lake.freshness_report import describe_files, describe_stale
from forecasting_assets.orders.landing import FileContent, scan_order_file
from forecasting_assets.settings import load_settings
from forecasting_assets.storage import StoreError
from forecasting_assets.tables import (
    CLEAN_ORDERS,
    KNOWN_COVARIATES,
    ORDER_BOOK,
    RAW_ORDERS,
    WEEKLY_DEMAND,
)
from forecasting_assets.weeks import add_weeks, week_of, weeks_between
from forecasting_assets.workflows.arrivals import Cursor, decide
from forecasting_assets_tests.support.opened_files import OpenedFiles
from forecasting_assets_tests.support.sensor import (
    FEATURES,
    MODELS,
    ORDERS,
    PLAN,
    PLANNING,
    W1,
    W2,
    WEEKS,
    arrived,
    land,
    made,
    ranges,
    tick,
    weeks_asked,
)
from forecasting_assets_tests.support.sensor import zone as zone


def test_files_of_a_week_that_land_one_tick_after_another_are_asked_for_together(zone):
    land(zone, "a.csv", str(W1))
    first = tick(zone)
    land(zone, "b.csv", str(W1))
    second = tick(zone, first.cursor)
    assert weeks_asked(second) == []
    assert second.skip_reason.skip_message == "Waiting for 1 file to stop growing."
    assert weeks_asked(tick(zone, second.cursor)) == [W1]


def test_files_of_one_week_are_one_run_however_many(zone):
    for i in range(10):
        land(zone, f"{i}.csv", "2024-03-05")
    assert ranges(arrived(zone)) == [("2024-03-04", "2024-03-04", PLAN)]


def test_a_long_file_is_one_range_and_the_newest_week_is_planned(zone):
    land(zone, "long.csv", *(f"{add_weeks(date(2024, 3, 4), i)}" for i in range(60)))
    assert ranges(arrived(zone)) == [
        ("2024-03-04", "2025-04-14", ORDERS),
        ("2025-04-21", "2025-04-21", PLAN),
    ]


def test_what_has_been_asked_for_is_not_asked_again(zone):
    land(zone, "a.csv", "2024-03-05")
    first = arrived(zone)
    assert ranges(arrived(zone, first.cursor)) == []
    land(zone, "b.csv", "2024-03-12")
    assert ranges(arrived(zone, first.cursor)) == [("2024-03-11", "2024-03-11", PLAN)]


def test_a_changed_file_asks_for_the_weeks_it_touches_and_touched(zone):
    land(zone, "a.csv", "2024-03-05")
    made(zone, [W1])
    land(zone, "a.csv", "2024-03-12")
    assert ranges(arrived(zone)) == [("2024-03-04", "2024-03-04", ORDERS), ("2024-03-11", "2024-03-11", PLAN)]


def test_a_file_that_is_still_growing_waits(zone):
    land(zone, "a.csv", "2024-03-05")
    first = tick(zone)
    land(zone, "a.csv", "2024-03-05", "2024-03-12")
    second = tick(zone, first.cursor)
    assert ranges(second) == []
    assert second.skip_reason.skip_message == "Waiting for 1 file to stop growing."
    assert weeks_asked(tick(zone, second.cursor)) == [W1, W2]


def test_late_orders_refresh_their_weeks_and_all_that_the_newest_plan_reads(zone):
    land(zone, "a.csv", *map(str, WEEKS))
    made(zone, WEEKS)
    made(zone, WEEKS[2:], *PLANNING)
    assert ranges(arrived(zone)) == []
    land(zone, "late.csv", "2024-03-05", "2024-03-19")
    asked = arrived(zone)
    assert ranges(asked) == [
        ("2024-03-04", "2024-03-04", ORDERS),
        ("2024-03-11", "2024-03-11", "feature_table, known_covariates"),
        ("2024-03-18", "2024-03-18", f"{ORDERS}, sarimax_model, xgb_model"),
        ("2024-03-25", "2024-04-01", MODELS),
        (
            "2024-04-08",
            "2024-04-08",
            f"{MODELS}, backtest_report, demand_forecast, demand_plan, allocation_plan",
        ),
    ]
    for first, last, assets in ranges(asked):
        for table in (
            RAW_ORDERS,
            CLEAN_ORDERS,
            ORDER_BOOK,
            WEEKLY_DEMAND,
            FEATURES,
            KNOWN_COVARIATES,
            *PLANNING,
        ):
            if table.name in assets.split(", "):
                made(zone, weeks_between(date.fromisoformat(first), date.fromisoformat(last)), table)
    freshness = freshness_of(load_settings(zone.parents[1]))
    assert freshness.state("allocation_plan", WEEKS[-1]).state == "fresh"
    # What is left out of date says so, also where only what it reads is.
    stale = {asset: list(weeks) for asset, weeks in freshness.stale().items() if weeks}
    assert stale == {
        "backtest_report": WEEKS[2:-1],
        "demand_forecast": WEEKS[2:-1],
        "demand_plan": WEEKS[2:-1],
        "allocation_plan": WEEKS[2:-1],
        "business_impact": WEEKS[2:],
    }
    assert ranges(arrived(zone, asked.cursor)) == []
    checks = {event.asset_key.to_user_string(): event for event in asked.asset_events}
    assert not checks["raw_orders"].passed
    assert "out of date: 2024-03-04, 2024-03-18" in checks["raw_orders"].description


def test_late_orders_refresh_all_that_changes_with_them_if_so_set(zone):
    settings = zone.parents[1] / "forecasting.toml"
    settings.write_text(settings.read_text() + '[automation]\nlate_data = "everything"\n')
    land(zone, "a.csv", *map(str, WEEKS))
    made(zone, WEEKS)
    made(zone, WEEKS[3:], *PLANNING)
    land(zone, "late.csv", "2024-03-12")
    assert ranges(arrived(zone)) == [
        ("2024-03-11", "2024-03-11", ORDERS),
        ("2024-03-18", "2024-03-18", "feature_table, known_covariates"),
        (
            "2024-03-25",
            "2024-04-08",
            f"{MODELS}, backtest_report, demand_forecast, demand_plan, allocation_plan, business_impact",
        ),
    ]


def test_new_weeks_are_planned_each_and_late_ones_with_them_are_not(zone):
    land(zone, "a.csv", *map(str, WEEKS[:4]))
    made(zone, WEEKS[:4])
    made(zone, WEEKS[2:4], *PLANNING)
    land(zone, "b.csv", str(WEEKS[1]), *map(str, WEEKS[4:]))
    assert ranges(arrived(zone)) == [
        ("2024-03-11", "2024-03-11", ORDERS),
        ("2024-03-18", "2024-03-25", MODELS),
        ("2024-04-01", "2024-04-08", PLAN),
    ]


def test_a_week_that_is_not_made_is_asked_for_again_ever_later_and_not_for_ever(zone):
    land(zone, "a.csv", "2024-03-05")
    freshness, now = freshness_of(load_settings(zone.parents[1])), datetime(2024, 4, 1, tzinfo=UTC)
    cursor, asked_at = decide(freshness, Cursor(), now, []).cursor, []
    for minute in range(120):
        answer = decide(freshness, cursor, now + timedelta(minutes=minute), [])
        cursor = answer.cursor
        asked_at += [minute] * len(answer.requests)
    assert asked_at == [0, 2, 10, 42]
    assert "Requested 4 times and not made: 2024-03-04" in answer.messages[0]
    land(zone, "a.csv", "2024-03-05", "2024-03-06")
    assert weeks_asked(arrived(zone, cursor.to_json())) == [W1]


def test_weeks_that_runs_are_at_work_on_are_left_to_them(zone):
    land(zone, "a.csv", "2024-03-05", "2024-03-12", "2024-03-19")
    freshness, now = freshness_of(load_settings(zone.parents[1])), datetime(2024, 4, 1, tzinfo=UTC)
    cursor = decide(freshness, Cursor(), now, []).cursor
    asked = decide(freshness, cursor, now, [W1])
    assert [(r.first, r.last) for r in asked.requests] == [(W2, W2), (WEEKS[2], WEEKS[2])]
    later = now + timedelta(hours=1)
    again = decide(freshness, asked.cursor, later, WEEKS)
    assert again.requests == []
    over = decide(freshness, again.cursor, later, WEEKS[1:])
    assert next(r.first for r in decide(freshness, over.cursor, later, WEEKS[1:]).requests) == W1


def test_weeks_made_from_the_same_files_are_not_asked_for_after_a_reset(zone):
    land(zone, "a.csv", "2024-03-05", "2024-03-12")
    made(zone, [W1])
    assert weeks_asked(arrived(zone)) == [W2]


def test_a_week_that_is_still_open_waits_until_it_closes(zone):
    today = datetime.now(UTC)
    land(zone, "a.csv", "2024-03-05", f"{today:%Y-%m-%d}", "2023-01-02")
    made(zone, [W1])
    cursor = Cursor.from_json(arrived(zone).cursor)
    freshness = freshness_of(load_settings(zone.parents[1]))
    later = decide(freshness, cursor, today + timedelta(weeks=1), [])
    asked = decide(freshness, later.cursor, today + timedelta(weeks=1), []).requests
    assert (later.requests, asked[-1].last) == ([], week_of(today))


def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(zone):
    land(zone, "a.csv", "2024-03-05")
    (zone / "b.csv").write_bytes(b"")
    first = arrived(zone)
    assert weeks_asked(first) == [W1]
    again = arrived(zone, first.cursor)
    assert weeks_asked(again) == []
    assert "b.csv: it is empty" in again.skip_reason.skip_message
    land(zone, "b.csv", "2024-03-12")
    assert weeks_asked(arrived(zone, again.cursor)) == [W2]


def test_a_known_file_that_can_no_longer_be_read_asks_for_nothing_until_it_is_mended(zone):
    land(zone, "a.csv", "2024-03-05")
    first = arrived(zone)
    (zone / "a.csv").write_bytes(b"")
    broken = arrived(zone, first.cursor)
    assert weeks_asked(broken) == []
    land(zone, "a.csv", "2024-03-05", "2024-03-06")
    assert weeks_asked(arrived(zone, broken.cursor)) == [W1]


def test_a_week_is_not_made_without_the_rows_it_has_of_a_file_that_can_no_longer_be_read(zone):
    land(zone, "a.csv", "2024-03-05", "2024-03-12")
    land(zone, "b.csv", "2024-03-05")
    made(zone, [W1])
    land(zone, "late.csv", "2024-03-05", "2024-03-12")
    (zone / "b.csv").write_bytes(b"")
    freshness = freshness_of(load_settings(zone.parents[1]))
    assert [file.name for file in freshness.lost_files("raw_orders", W1)] == ["b.csv"]
    (obstacle,) = blockers(freshness, "raw_orders", W1, Attempt("run", (), []))
    assert "b.csv" in obstacle
    assert blockers(freshness, "raw_orders", W2, Attempt("run", (), [])) == []
    assert weeks_asked(arrived(zone)) == [W2]


def test_a_week_that_has_no_rows_of_it_goes_on_without_a_file_that_can_no_longer_be_read(zone):
    land(zone, "b.csv", "2024-03-05")
    tick(zone)
    land(zone, "a.csv", "2024-03-05")
    (zone / "b.csv").write_bytes(b"")
    assert weeks_asked(arrived(zone)) == [W1]
    made(zone, [W1])
    assert freshness_of(load_settings(zone.parents[1])).state("raw_orders", W1).state == "fresh"
    land(zone, "b.csv", "2024-03-05", "2024-03-06")
    assert weeks_asked(arrived(zone)) == [W1]


def test_status_goes_by_what_was_known_where_the_store_does_not_answer(zone):
    land(zone, "a.csv", "2024-03-05")
    land(zone, "b.xls", "2024-03-05")
    made(zone, [W1])
    settings = load_settings(zone.parents[1])
    zone.rename(zone.with_name("unmounted"))
    freshness = freshness_of(settings)
    for text in ("\n".join(describe_files(freshness)), describe_stale(freshness)):
        assert f"{zone} cannot be read" in text
        assert "b.xls: save it as .xlsx" in text
    assert freshness_of(settings).home.landing.files()
    with pytest.raises(StoreError):
        tick(zone)
    zone.with_name("unmounted").rename(zone)
    assert freshness_of(settings).state("raw_orders", W1).state == "fresh"


def test_the_weeks_of_a_file_that_is_gone_are_asked_for(zone):
    land(zone, "a.csv", "2024-03-05")
    land(zone, "b.csv", "2024-03-12")
    made(zone, [W1, W2])
    (zone / "b.csv").unlink()
    assert weeks_asked(tick(zone)) == [W2]


def test_the_newest_plan_is_made_again_without_the_orders_of_a_file_that_is_gone(zone):
    land(zone, "a.csv", *map(str, WEEKS[:5]))
    land(zone, "b.csv", str(WEEKS[5]))
    made(zone, WEEKS)
    made(zone, WEEKS[3:], *PLANNING)
    (zone / "b.csv").unlink()
    assert freshness_of(load_settings(zone.parents[1])).state("raw_orders", WEEKS[5]).state == "out of date"
    assert ranges(tick(zone)) == [
        (
            str(WEEKS[5]),
            str(WEEKS[5]),
            f"{ORDERS}, sarimax_model, xgb_model, backtest_report, demand_forecast, demand_plan, allocation_plan",
        )
    ]


def test_a_week_without_orders_is_asked_for_with_those_after_it(zone):
    land(zone, "a.csv", "2024-03-12", "2024-03-26")
    first = arrived(zone)
    assert weeks_asked(first) == [W1, W2, WEEKS[2], WEEKS[3]]
    land(zone, "b.csv", "2024-04-02")
    assert weeks_asked(arrived(zone, first.cursor)) == [WEEKS[4]]


def test_the_cursor_stays_small_however_many_files_there_are(zone):
    for i in range(50):
        land(zone, f"{i}.csv", "2024-03-05")
    made(zone, [W1])
    assert len(arrived(zone).cursor) < 200


@pytest.fixture
def scan_once(monkeypatch):
    """Scan files of equal content once, which saves most of the time of landing thousands of them."""
    scanned: dict[bytes, FileContent] = {}

    def scan(source, landed_names):
        content = Path(source.path).read_bytes()
        if content not in scanned:
            scanned[content] = scan_order_file(source, landed_names)
        return scanned[content]

    monkeypatch.setattr("forecasting_assets.lake.landing.scan_order_file", scan)


@pytest.mark.usefixtures("scan_once")
def test_a_tick_over_10_000_known_files_opens_the_new_ones_alone(zone, monkeypatch):
    weeks = [add_weeks(W1, i) for i in range(10)]
    for i in range(10_000):
        land(zone, f"{i:05}.csv", f"{weeks[i % len(weeks)]}")
    made(zone, weeks)
    made(zone, weeks[5:], *PLANNING)
    known = arrived(zone)
    assert weeks_asked(known) == []
    assert len(freshness_of(load_settings(zone.parents[1])).home.landing.files()) == 10_000
    new = {f"new-{i}.csv" for i in range(5)}
    for name in new:
        land(zone, name, "2024-03-05")
    opened, scanned = OpenedFiles(), []

    def counted(source, *arguments):
        scanned.append(Path(source.path).name)
        return scan_order_file(source, *arguments)

    def open_counted(path):
        return fs.PyFileSystem(opened), str(Path(path).absolute())

    monkeypatch.setattr("forecasting_assets.lake.landing.scan_order_file", counted)
    monkeypatch.setattr("forecasting_assets.lake.landing.open_filesystem", open_counted)
    first = tick(zone, known.cursor)
    assert {Path(path).name for path in opened.paths} == new
    assert sorted(scanned) == sorted(new)
    opened.paths.clear()
    asked = weeks_asked(tick(zone, first.cursor))
    assert (asked[0], asked[-1]) == (W1, weeks[-1])
    assert opened.paths == []
    assert len(scanned) == 5


def land_with_due_dates(zone: Path, name: str, *days: tuple[str, str]) -> None:
    header = "order_id,order_date,part_id,region,quantity,unit_price,due_date\n"
    lines = [f"o{i},{day},p,r,1,2,{due}\n" for i, (day, due) in enumerate(days)]
    (zone / name).write_text(header + "".join(lines))


def test_late_orders_with_due_dates_refresh_the_books_and_the_demand_of_later_weeks(zone):
    land_with_due_dates(zone, "a.csv", *((str(week), "") for week in WEEKS))
    made(zone, WEEKS)
    made(zone, WEEKS[2:], *PLANNING)
    freshness = freshness_of(load_settings(zone.parents[1]))
    assert freshness.weeks("weekly_demand") == freshness.weeks("order_book") == WEEKS
    land_with_due_dates(zone, "late.csv", ("2024-03-19", "2024-04-01"))
    asked: dict[str, list[date]] = {}
    for first, last, assets in ranges(arrived(zone)):
        for asset in assets.split(", "):
            asked.setdefault(asset, []).extend(
                weeks_between(date.fromisoformat(first), date.fromisoformat(last))
            )
    assert asked["clean_orders"] == [WEEKS[2]]
    assert asked["order_book"] == asked["weekly_demand"] == asked["feature_table"] == WEEKS[2:]


def test_a_book_made_again_with_the_same_rows_leaves_later_weeks_fresh(zone):
    land_with_due_dates(zone, "a.csv", *((str(week), "") for week in WEEKS))
    made(zone, WEEKS)
    land_with_due_dates(zone, "late.csv", (str(W1), ""))
    made(zone, [W1], RAW_ORDERS, CLEAN_ORDERS)
    settings = load_settings(zone.parents[1])
    before = freshness_of(settings).states("order_book")
    assert [before[week].state for week in WEEKS] == ["out of date"] * len(WEEKS)
    assert [before[week].inherited for week in WEEKS] == [False] + [True] * (len(WEEKS) - 1)
    made(zone, [W1], ORDER_BOOK, WEEKLY_DEMAND)
    after = freshness_of(settings)
    for asset in ("order_book", "weekly_demand"):
        assert {state.state for state in after.states(asset).values()} == {"fresh"}
