"""Faults and what they must not do: a tally of what was tried, and lakes that are compared."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from forecasting_assets import tables
from forecasting_assets.features.build import feature_columns
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, REJECTED_ORDERS, Table
from forecasting_assets_tests.support.homes import Home, rows


@dataclass
class Tally:
    """What was tried and what came of it, printed when the suite ends."""

    kills: list[tuple[str, str]] = field(default_factory=list)  # (step, what was killed)
    outages: list[str] = field(default_factory=list)
    corruptions: list[str] = field(default_factory=list)
    half_weeks: list[str] = field(default_factory=list)
    half_way: Counter[str] = field(
        default_factory=Counter
    )  # kills by step, with some tables written, others not
    rows_compared: int = 0
    rows_lost: int = 0

    def lines(self) -> Iterator[str]:
        by_step: dict[str, Counter] = {}
        for step, what in self.kills:
            by_step.setdefault(step, Counter())[what] += 1
        for step, counts in sorted(by_step.items()):
            told = ", ".join(f"{n} of the {what}" for what, n in sorted(counts.items()))
            yield f"  killed in {step:<28}{counts.total():>3}  ({told})"
        for name in ("outages", "corruptions"):
            yield from (f"  {name.removesuffix('s')}: {what}" for what in getattr(self, name))
        yield (
            f"kills: {len(self.kills)}, of them {self.half_way.total()} with some tables written and others not; "
            f"corruptions tried: {len(self.corruptions)}, outages tried: {len(self.outages)}; "
            f"half weeks seen: {len(self.half_weeks)}; "
            f"rows compared: {self.rows_compared:,}, rows lost: {self.rows_lost}"
        )


TALLY = Tally()


def every_table(home: Home) -> list[Table]:
    """The tables that the lake of a home holds."""
    files = tables.PLANNING_FILES.values()  # their kinds may have the names of tables
    known = {t.name: t for t in vars(tables).values() if isinstance(t, Table) and t not in files}
    features = feature_columns(home.settings.calendar.horizon_weeks)
    known[features.name] = features
    return [known[folder.name] for folder in sorted(lake(home).iterdir()) if not folder.name.startswith("_")]


def lake(home: Home) -> Path:
    return Path(home.settings.lake_path)


def half_weeks(home: Home) -> list[str]:
    """What of the lake a reader could not trust: files that are not whole, and order lines that are in no table."""
    found = []
    for file in lake(home).glob("*/week=*/*"):
        if file.name == "data.parquet":
            try:
                pq.read_table(file, page_checksum_verification=True, partitioning=None)
            except Exception as error:
                found.append(f"{file}: {error}")
        elif file.name != "_record.json":
            found.append(f"{file}: left over")
    there = [set(home.lake.existing_weeks(table)) for table in (RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS)]
    for week in there[1]:
        if not all(week in weeks for weeks in there):
            found.append(f"{week}: clean orders without what they were made from, or without the rejected")
            continue
        raw, clean, rejected = (
            home.lake.rows(table, week) for table in (RAW_ORDERS, CLEAN_ORDERS, REJECTED_ORDERS)
        )
        if raw != clean + rejected:
            found.append(f"{week}: {raw} rows landed, {clean} are clean and {rejected} rejected")
    return found


def unmake(home: Home, weeks: Sequence[date]) -> None:
    """Take the weeks out of the lake, and MLflow's database with them."""
    for table in lake(home).iterdir():
        for week in weeks:
            shutil.rmtree(table / f"week={week}", ignore_errors=True)
    (home.path / "mlflow.db").unlink(missing_ok=True)


def assert_same_lake(
    expected: Home, found: Home, weeks: Sequence[date] | None = None, only: Sequence[Table] | None = None
) -> None:
    """Every table and week (or some) holds the same in both, numbers to 1e-9; counts rows that are not there."""
    for table in only or every_table(expected if weeks is None else found):
        wanted = expected.lake.existing_weeks(table) if weeks is None else list(weeks)
        there = found.lake.existing_weeks(table)
        assert there == wanted if weeks is None else set(there) >= set(wanted), table.name
        for week in wanted:
            ours, theirs = rows(expected, table, week), rows(found, table, week)
            TALLY.rows_compared += len(ours)
            TALLY.rows_lost += max(0, len(ours) - len(theirs))
            pd.testing.assert_frame_equal(
                ours, theirs, rtol=1e-9, atol=1e-12, obj=f"{table.name} {week}", check_like=True
            )
