"""Faults and what they must not do: runs of the command line that can be killed, and lakes that are compared."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from forecasting_assets import tables
from forecasting_assets.features.build import feature_columns
from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, REJECTED_ORDERS, Table
from forecasting_assets_tests.support.homes import Home, rows

#: Before the first step: imports, Dagster's records.
START_UP = "(start-up)"
_COMMAND = [sys.executable, "-c", "import sys; from forecasting_assets.cli import main; sys.exit(main())"]
_STEP = re.compile(r"^  (\w+) …$", re.MULTILINE)


@dataclass
class Tally:
    """What was tried and what came of it, printed when the suite ends."""

    kills: list[tuple[str, str]] = field(default_factory=list)  # (step, what was killed)
    outages: list[str] = field(default_factory=list)
    corruptions: list[str] = field(default_factory=list)
    half_weeks: list[str] = field(default_factory=list)
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
            f"kills: {len(self.kills)}, corruptions tried: {len(self.corruptions)}, outages tried: "
            f"{len(self.outages)}; half weeks seen: {len(self.half_weeks)}; "
            f"rows compared: {self.rows_compared:,}, rows lost: {self.rows_lost}"
        )


TALLY = Tally()


class Run:
    """One `forecasting-assets …` in a session of its own, that says in a file which step it is at."""

    def __init__(self, home: Home, arguments: Sequence[str], **environment: str) -> None:
        self.log = home.path / f"{uuid.uuid4().hex}.log"
        self.begin = time.monotonic()
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [*_COMMAND, *arguments],
                env={**os.environ, "FORECASTING_HOME": str(home.path), **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def step(self) -> str:
        return [START_UP, *_STEP.findall(self.said)][-1]

    def reaches(self, step: str) -> float:
        """Wait until it is at `step` or has ended; the seconds since it began."""
        while self.step != step and self.process.poll() is None:
            time.sleep(0.02)
        return time.monotonic() - self.begin

    def ends_within(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None

    def timed(self) -> list[tuple[str, float]]:
        """Wait for its end: the steps, each with the second it ended."""
        ends, step = [], self.step
        while self.process.poll() is None:
            time.sleep(0.02)
            if self.step != step:
                ends.append((step, time.monotonic() - self.begin))
                step = self.step
        return [*ends, (step, time.monotonic() - self.begin)]

    def end(self) -> tuple[int, str]:
        """Wait for its end: exit code and all that it said."""
        return self.process.wait(), self.said

    def kill(self, everything: bool) -> None:
        """kill -9 of the process alone, or of its JVM and workers as well."""
        (os.killpg if everything else os.kill)(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def leftovers(self) -> str:
        """Process ids of what it started and has not ended."""
        return subprocess.run(
            ["ps", "-o", "pid=", "-s", str(self.process.pid)], capture_output=True, text=True
        ).stdout


def run(home: Home, *arguments: str, **environment: str) -> tuple[int, str]:
    return Run(home, arguments, **environment).end()


def span(weeks: Sequence[date]) -> list[str]:
    return ["--from", str(weeks[0]), "--to", str(weeks[-1])]


def every_table(home: Home) -> list[Table]:
    """The tables that the lake of a home holds."""
    known = {table.name: table for table in vars(tables).values() if isinstance(table, Table)}
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
