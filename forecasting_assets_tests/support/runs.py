"""Runs of the command line in processes of their own, which can be watched and killed."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from forecasting_assets_tests.support.homes import Home

#: Before the first step: imports, Dagster's records.
START_UP = "(start-up)"
_COMMAND = [sys.executable, "-c", "import sys; from forecasting_assets.cli import main; sys.exit(main())"]
_STEP = re.compile(r"^  (\w+) …$", re.MULTILINE)


class Run:
    """One `forecasting-assets …` in a session of its own, whose output tells which step it is at."""

    def __init__(self, home: Home, arguments: Sequence[str], **environment: str) -> None:
        self.home = home
        self.log = home.path / f"{uuid.uuid4().hex}.log"
        self.begin = time.monotonic()
        self._begin_ns = time.time_ns()
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [*_COMMAND, *arguments],
                env={**os.environ, "FORECASTING_HOME": str(home.path), **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """Everything that it has printed so far."""
        return self.log.read_text()

    @property
    def step(self) -> str:
        """The step that it is at."""
        return [START_UP, *_STEP.findall(self.output)][-1]

    def wait_for_step(self, step: str) -> float:
        """Wait until it is at `step` or has ended; return the seconds since it began."""
        while self.step != step and self.process.poll() is None:
            time.sleep(0.02)
        return time.monotonic() - self.begin

    def ends_within(self, seconds: float) -> bool:
        """Wait for at most `seconds`; return whether it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None

    def timed(self) -> list[tuple[str, float]]:
        """Wait for its end; return the steps, each with the second it ended."""
        ends, step = [], self.step
        while self.process.poll() is None:
            time.sleep(0.02)
            if self.step != step:
                ends.append((step, time.monotonic() - self.begin))
                step = self.step
        return [*ends, (step, time.monotonic() - self.begin)]

    def end(self) -> tuple[int, str]:
        """Wait for its end; return exit code and output."""
        return self.process.wait(), self.output

    def kill(self, everything: bool) -> None:
        """Kill (-9) the process alone, or its JVM and workers as well."""
        (os.killpg if everything else os.kill)(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def leftovers(self) -> str:
        """Return process ids of what it started and has not ended."""
        return subprocess.run(
            ["ps", "-o", "pid=", "-s", str(self.process.pid)], capture_output=True, text=True
        ).stdout

    def written_tables(self, weeks: Sequence[date]) -> dict[str, set[date]]:
        """Return, for each table of the lake, those of `weeks` that were written since the run began."""
        lake = self.home.path / "lake"
        return {
            table.name: {
                week
                for week in weeks
                if (file := table / f"week={week}" / "data.parquet").exists()
                and file.stat().st_mtime_ns >= self._begin_ns
            }
            for table in sorted(lake.iterdir())
            if not table.name.startswith("_")
        }


def run(home: Home, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run the command line to its end; return exit code and output."""
    return Run(home, arguments, **environment).end()


def span(weeks: Sequence[date]) -> list[str]:
    """Return the arguments for a range of weeks."""
    return ["--from", str(weeks[0]), "--to", str(weeks[-1])]
