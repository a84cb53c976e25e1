"""Run a command as a user does, and measure it with all the processes that it starts. Needs /proc (Linux)."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devtools.model_cache import forget_fits

_TICKS = os.sysconf("SC_CLK_TCK")
#: What models read, in Dagster's selection syntax.
BEFORE_MODELS = "group:orders or group:features"
#: The platform's command line.
CLI = [sys.executable, "-c", "import sys; from forecasting_assets.cli import main; sys.exit(main())"]


@dataclass(frozen=True)
class Took:
    """Time and peak memory of a command.

    Attributes
    ----------
    seconds, cpu
        Wall time and CPU time in seconds.
    python
        MiB of all Python processes together, with shared pages counted once.
    jvm
        MiB of the JVM.
    driver
        MiB of the process itself.
    worker
        MiB of the largest Python process that it started.
    """

    seconds: float
    cpu: float
    python: float
    jvm: float
    driver: float
    worker: float


def run(home: Path, command: Sequence[str]) -> Took:
    """Run a command in a new process.

    Parameters
    ----------
    home
        FORECASTING_HOME of the command.
    command
        Program and arguments.

    Raises
    ------
    RuntimeError
        If it fails; the message has the end of its output.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FORECASTING_")}
    environment |= {"FORECASTING_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    with tempfile.TemporaryFile("w+") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        watch = _Watch(process.pid)
        failed = process.wait()
        seconds = time.perf_counter() - begin
        watch.stop()
        if failed:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command)} in {home}:\n{output.read()[-3000:]}")
    peak = watch.peak
    driver = peak.pop(process.pid, 0.0)
    return Took(
        seconds, sum(watch.cpu.values()), watch.python, watch.jvm, driver, max(peak.values(), default=0.0)
    )


def materialize(
    home: Path, first: object, last: object, select: str | None = None, keep_fits: bool = False
) -> Took:
    """Run `forecasting-assets materialize` in a process and a JVM of its own.

    Parameters
    ----------
    home
        FORECASTING_HOME.
    first, last
        First and last week.
    select
        Assets; all if None.
    keep_fits
        Whether models that earlier runs have fitted are reused.
    """
    if not keep_fits:
        forget_fits(home)
    span = ["--from", str(first), "--to", str(last)]
    return run(home, [*CLI, "materialize", *span, *(["--select", select] if select else [])])


class _Watch(threading.Thread):
    """Observe a process and its descendants five times a second until it is stopped."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.stopped = root, threading.Event()
        self.cpu: dict[int, float] = {}
        #: Peak MiB of each Python process.
        self.peak: dict[int, float] = {}
        self.python = self.jvm = 0.0
        self.start()

    def run(self) -> None:
        """Observe until stopped."""
        while not self.stopped.wait(0.2):
            memory = {"java": 0.0, "python": 0.0}
            for process, name, cpu in _descendants(self.root):
                self.cpu[process] = cpu
                used = _memory(process)
                memory["java" if name == "java" else "python"] += used
                if name != "java":
                    self.peak[process] = max(self.peak.get(process, 0.0), used)
            self.python, self.jvm = max(self.python, memory["python"]), max(self.jvm, memory["java"])

    def stop(self) -> None:
        """Stop watching."""
        self.stopped.set()
        self.join()


def _memory(process: int) -> float:
    """Return the MiB of a process with its share of shared pages; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _descendants(root: int) -> Iterator[tuple[int, str, float]]:
    """Yield process id, name and CPU seconds of `root` and all its descendants."""
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
