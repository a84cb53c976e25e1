"""The written files, read back by `plain_reader`, hold exactly what the generator says they hold."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasting_assets.demo import (
    GeneratedOrders,
    Marketplace,
    WrittenOrders,
    dirt,
    generate,
    write_marketplace,
    write_orders,
)
from forecasting_assets.demo.demand import expected_demand
from forecasting_assets.demo.dirt import MAX_DELAY, SPOILED
from forecasting_assets.demo.orders import MAX_LEAD_DAYS
from forecasting_assets.tables import REJECTION_REASONS
from forecasting_assets_tests.unit.demo import plain_reader

SMALL = Marketplace(weeks=26, parts=25, lines_per_week=300)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WrittenOrders]:
    home = tmp_path_factory.mktemp("home")
    return home / "landing" / "orders", write_marketplace(home, SMALL)


@pytest.fixture(scope="module")
def rows(landed: tuple[Path, WrittenOrders]) -> list[plain_reader.Row]:
    return plain_reader.read_rows(landed[0])


@pytest.fixture(scope="module")
def generated() -> GeneratedOrders:
    return generate(SMALL)


def known_counts(weekly: pd.DataFrame) -> dict[tuple[date, str], int]:
    counts = pd.DataFrame({"n": weekly.drop(columns="landed").stack()}).reset_index()
    counts = counts[counts["n"] > 0]
    return {(week.date(), reason): n for week, reason, n in counts.itertuples(index=False)}


def truth_tuples(truth: pd.DataFrame) -> list[tuple]:
    rows = truth.assign(
        due_date=truth["due_date"].dt.date.astype(object).where(truth["due_date"].notna(), None)
    )
    return sorted(rows.itertuples(index=False, name=None))


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def test_counts_per_week_and_reason(landed: tuple[Path, WrittenOrders], rows: list[plain_reader.Row]) -> None:
    assert plain_reader.count(rows) == known_counts(landed[1].weekly)


def test_every_reason_occurs(landed: tuple[Path, WrittenOrders]) -> None:
    totals = landed[1].weekly.sum()
    assert (totals[[*SPOILED, "duplicate"]] > 0).all()
    assert totals["landed"] == totals["clean"] + totals[REJECTION_REASONS].sum()


def test_clean_rows_are_the_truth(generated: GeneratedOrders, rows: list[plain_reader.Row]) -> None:
    assert plain_reader.clean_rows(rows) == truth_tuples(generated.truth)


def test_generate_and_write_agree(landed: tuple[Path, WrittenOrders], generated: GeneratedOrders) -> None:
    weekly = landed[1].weekly
    pd.testing.assert_frame_equal(generated.injected, weekly[REJECTION_REASONS])
    assert len(generated.orders) == weekly["landed"].sum()
    assert len(generated.truth) == weekly["clean"].sum()
    series = generated.truth[["part_id", "part_category", "region"]].drop_duplicates()
    expected = series.sort_values(["part_id", "region"], ignore_index=True)
    pd.testing.assert_frame_equal(landed[1].series, expected)


def test_every_format_and_date_style(
    landed: tuple[Path, WrittenOrders], rows: list[plain_reader.Row]
) -> None:
    files = [p for p in landed[0].rglob("*") if p.is_file()]
    assert {p.name.partition(".")[2] for p in files} == {"csv", "csv.gz", "parquet", "jsonl"}
    assert len(files) == landed[1].files
    texts = [str(row.fields["order_date"]) for row in rows if row.reason is None]
    assert any(len(t) == 10 for t in texts)
    assert any("T" in t and t.endswith("Z") for t in texts)
    assert any(len(t) == 19 and " " in t for t in texts)


def test_every_kind_of_dirt_is_read_back_as_written(rows: list[plain_reader.Row]) -> None:
    for reason, (column, texts) in SPOILED.items():
        values = {row.fields[column] for row in rows if row.reason == reason}
        assert len(values) > 1
        numbers = {v for v in values if isinstance(v, int | float)}  # of formats with types
        assert {str(v) for v in values - numbers} <= {str(t) for t in texts}
        assert numbers <= {float(t) for t in texts if t is not None and _is_number(t)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_notes_survive_quotes_commas_and_scripts(rows: list[plain_reader.Row]) -> None:
    notes = {row.fields["customer_note"] for row in rows}
    assert {'mark as "sample"', "rush, please", "至急, 納期厳守"} <= notes


def test_later_files_are_newer(landed: tuple[Path, WrittenOrders]) -> None:
    files = sorted((p for p in landed[0].rglob("*") if p.is_file()), key=lambda p: p.name.split(".")[0])
    times = [p.stat().st_mtime_ns for p in files]
    assert all(a < b for a, b in pairwise(times))


def test_some_files_hold_late_rows_and_none_holds_later_weeks(generated: GeneratedOrders) -> None:
    orders = generated.orders
    landing = pd.to_datetime([SMALL.week(i) for i in orders["landing_week"]])
    delay = (landing - orders["week"]).dt.days // 7
    assert delay.min() == 0
    assert 3 <= delay.max() <= MAX_DELAY
    assert (delay[orders["reason"] == "bad_date"] == 0).all()


def test_duplicates_are_resent_unchanged_or_corrected(generated: GeneratedOrders) -> None:
    orders = generated.orders
    key = ["order_id", "line_id"]
    pairs = orders[orders["reason"] == "duplicate"].merge(orders[orders["reason"] == ""], on=key)
    unchanged = pairs["quantity_x"] == pairs["quantity_y"]
    assert unchanged.any()
    assert not unchanged.all()
    assert (pairs["landing_week_x"] <= pairs["landing_week_y"]).all()
    assert Counter(zip(orders["order_id"], orders["line_id"], strict=True)).most_common(1)[0][1] == 3


def test_a_corrected_row_is_clean_and_the_spoiled_one_keeps_its_reason(generated: GeneratedOrders) -> None:
    orders = generated.orders
    spoiled = orders[~orders["reason"].isin(["", "duplicate"])]
    assert not spoiled.duplicated(["order_id", "line_id"]).any()
    assert spoiled.merge(generated.truth, on="order_id").shape[0] > 0


def test_customers_want_most_orders_in_the_coming_weeks(generated: GeneratedOrders) -> None:
    ordered, due = (
        generated.truth[c].dt.to_period("W-SUN").dt.start_time for c in ("order_date", "due_date")
    )
    weeks = (due - ordered).dt.days // 7
    assert 0.02 < weeks.isna().mean() < 0.06
    assert (weeks < 0).mean() < 0.01
    assert 0.1 < (weeks == 0).mean() < 0.3
    assert weeks.between(1, 6).mean() > 0.7
    assert weeks.max() <= MAX_LEAD_DAYS // 7


def test_due_dates_change_nothing_else() -> None:
    market = Marketplace(weeks=9, parts=10, lines_per_week=100)
    dated, plain = (generate(replace(market, due_dates=known)).orders for known in (True, False))
    assert "due_date" not in plain
    bad = dated["reason"] == "bad_due_date"
    assert (plain.loc[bad, "reason"] == "").all()
    dated.loc[bad, "reason"] = ""
    pd.testing.assert_frame_equal(dated.drop(columns="due_date"), plain)


def test_the_same_seed_gives_the_same_bytes_and_times(
    landed: tuple[Path, WrittenOrders], tmp_path: Path
) -> None:
    write_marketplace(tmp_path, SMALL)
    assert contents(tmp_path / "landing" / "orders") == contents(landed[0])
    tables = list((tmp_path / "landing" / "network").iterdir())
    assert tables
    for table in tables:
        assert table.read_bytes() == (landed[0].parent / "network" / table.name).read_bytes()


def test_another_seed_gives_other_orders(landed: tuple[Path, WrittenOrders], tmp_path: Path) -> None:
    write_marketplace(tmp_path, Marketplace(weeks=26, parts=25, lines_per_week=300, seed=8))
    mine, other = contents(tmp_path / "landing" / "orders"), contents(landed[0])
    common = mine.keys() & other.keys()
    assert common
    assert all(mine[name] != other[name] for name in common)


def test_consecutive_ranges_give_the_same_files_as_one(
    landed: tuple[Path, WrittenOrders], tmp_path: Path
) -> None:
    demand = expected_demand(SMALL)
    done = [write_orders(tmp_path, demand, weeks) for weeks in (range(9, 26), range(4), range(4, 9))]
    assert contents(tmp_path) == contents(landed[0])
    weekly = pd.concat([d.weekly for d in done]).groupby(level=0).sum()
    pd.testing.assert_frame_equal(weekly, landed[1].weekly)
    assert sum(d.files for d in done) == landed[1].files


def test_a_longer_history_only_adds_files(landed: tuple[Path, WrittenOrders], tmp_path: Path) -> None:
    write_marketplace(tmp_path, Marketplace(weeks=28, parts=25, lines_per_week=300))
    longer = contents(tmp_path / "landing" / "orders")
    shorter = contents(landed[0])
    assert shorter.items() <= longer.items()
    assert len(longer) > len(shorter)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    weeks=st.integers(1, 14),
    parts=st.integers(1, 12),
    lines=st.integers(1, 60),
    seed=st.integers(0, 2**31),
    start=st.integers(0, 1500),
)
def test_any_marketplace_holds_what_is_known_about_it(
    tmp_path_factory: pytest.TempPathFactory, weeks: int, parts: int, lines: int, seed: int, start: int
) -> None:
    """Far dirtier than the demo, so that small marketplaces too have every combination of dirt."""
    market = Marketplace(date(2000, 1, 3) + timedelta(weeks=start), weeks, parts, lines, seed)
    home = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as patch:
        for rate in ("SPOIL_RATE", "LATE_RATE", "RESEND_RATE"):
            patch.setattr(dirt, rate, 0.1)
        written = write_marketplace(home, market)
        generated = generate(market)
    rows = plain_reader.read_rows(home / "landing" / "orders")
    assert plain_reader.count(rows) == known_counts(written.weekly)
    assert plain_reader.clean_rows(rows) == truth_tuples(generated.truth)
    assert (written.weekly["landed"] == written.weekly.drop(columns="landed").sum(axis=1)).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"first_week": date(2024, 1, 3)}, "2024-01-01"),
        ({"weeks": 0}, "weeks is 0"),
        ({"parts": -1}, "parts is -1"),
        ({"lines_per_week": 0}, "lines_per_week is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_errors_name_the_wrong_setting(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Marketplace(**wrong)
