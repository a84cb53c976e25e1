"""A command as a user runs it, and what it took with all the processes it started. Needs /proc, so Linux."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from forecasting_assets_tests.fits import forget_fits

_TICKS = os.sysconf("SC_CLK_TCK")
#: What the command line of a user starts.
CLI = [sys.executable, "-c", "import sys; from forecasting_assets.cli import main; sys.exit(main())"]


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, seconds of CPU, and peak memory in MiB: of Python's processes together (pages that they
    share counted once), of the JVM, of the process itself, and of the largest Python process beneath it."""

    seconds: float
    cpu: float
    python: float
    jvm: float
    driver: float
    worker: float


def run(home: Path, command: Sequence[str]) -> Took:
    """Run `command` in a fresh process with `home`; RuntimeError with what it said if it fails."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("FORECASTING_")}
    surroundings |= {"FORECASTING_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    with tempfile.TemporaryFile("w+") as said:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env=surroundings, stdout=said, stderr=subprocess.STDOUT)
        watch = _Watch(process.pid)
        failed = process.wait()
        seconds = time.perf_counter() - begin
        watch.end()
        if failed:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)} in {home}:\n{said.read()[-3000:]}")
    peak = watch.peak
    driver = peak.pop(process.pid, 0.0)
    return Took(
        seconds, sum(watch.cpu.values()), watch.python, watch.jvm, driver, max(peak.values(), default=0.0)
    )


def materialize(
    home: Path, first: object, last: object, select: str | None = None, keep_fits: bool = False
) -> Took:
    """`forecasting-assets materialize` in a process and a JVM of its own.

    Models are fitted, even if an earlier run has made these weeks, unless `keep_fits`.
    """
    if not keep_fits:
        forget_fits(home)
    span = ["--from", str(first), "--to", str(last)]
    return run(home, [*CLI, "materialize", *span, *(["--select", select] if select else [])])


class _Watch(threading.Thread):
    """Looks at a process and its descendants five times a second until it is told to end."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.ended = root, threading.Event()
        self.cpu: dict[int, float] = {}
        #: Of each Python process by itself.
        self.peak: dict[int, float] = {}
        self.python = self.jvm = 0.0
        self.start()

    def run(self) -> None:
        while not self.ended.wait(0.2):
            memory = {"java": 0.0, "python": 0.0}
            for process, name, cpu in _descendants(self.root):
                self.cpu[process] = cpu
                used = _memory(process)
                memory["java" if name == "java" else "python"] += used
                if name != "java":
                    self.peak[process] = max(self.peak.get(process, 0.0), used)
            self.python, self.jvm = max(self.python, memory["python"]), max(self.jvm, memory["java"])

    def end(self) -> None:
        self.ended.set()
        self.join()


def _memory(process: int) -> float:
    """MiB of a process, its share of those that it shares; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _descendants(root: int) -> Iterator[tuple[int, str, float]]:
    """Process id, name and CPU seconds of `root` and all that descend from it."""
    stats: dict[int, list[str]] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text()
            except OSError:  # it has ended
                continue
            names[int(folder.name)] = text[text.index("(") + 1 : text.rindex(")")]
            stats[int(folder.name)] = text[text.rindex(")") + 2 :].split()
    children: dict[int, list[int]] = {}
    for process, fields in stats.items():
        children.setdefault(int(fields[1]), []).append(process)
    pending = [root]
    while pending:
        process = pending.pop()
        pending += children.get(process, [])
        if process in stats:
            fields = stats[process]
            yield process, names[process], (int(fields[11]) + int(fields[12])) / _TICKS
