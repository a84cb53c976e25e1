"""What benchmarks report, in one file: `RESULTS.md` beside this one, a section for each benchmark.

A benchmark replaces its own section and leaves the others, so that each can be run again by itself:

    section(
        "etl",
        "Order lines to features",
        "The same transformations by Spark, DuckDB and Polars, from the same files.",
        ["pyspark", "duckdb", "polars"],
        [table(rows), f"Times the faster of them: {against(2.4, at_most=3)}."],
        repeats=3,
    )

It is told with the command, the machine, the versions of `packages` and the day. What it was given as a path is
left out, as a path is of one machine.
"""

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "RESULTS.md"
#: The sections as they stand in the file; those of other names come last.
ORDER = [
    "startup",
    "backfill",
    "history",
    "etl",
    "series",
    "forecasting",
    "accuracy",
    "allocation",
    "impact",
]
_TITLE = "# Results\n\nWritten by the benchmarks: `make bench` runs all, `make bench-<name>` one and its section.\n"
_MARK = re.compile(r"^<!-- (\w+) -->$", re.MULTILINE)


def section(
    name: str,
    title: str,
    compared: str,
    packages: Sequence[str],
    parts: Sequence[str],
    repeats: int | str,
    results: Path = RESULTS,
) -> None:
    """Put the section of `benchmarks/<name>.py` into the file of results, in place of the one before.

    compared: what beside what, and how it was measured; parts: paragraphs and tables in Markdown; repeats: how
    often each was measured, of which the medians are told, or in words what else is told.
    """
    day = datetime.now(UTC).date()
    facts = [
        f"Command: `{_command(name)}`",
        f"Machine: {machine()}",
        f"Versions: {versions(packages)}",
        f"Date: {day}",
        f"Repeats: {f'medians of {repeats}' if isinstance(repeats, int) and repeats > 1 else repeats}",
    ]
    text = "\n\n".join([f"## {title}", compared, "\n".join(f"- {fact}" for fact in facts), *parts])
    sections = _read(results) | {name: text.strip()}
    rank = {known: place for place, known in enumerate(ORDER)}
    names = sorted(sections, key=lambda known: (rank.get(known, len(rank)), known))
    body = "\n".join(f"<!-- {known} -->\n{sections[known]}\n" for known in names)
    results.write_text(f"{_TITLE}\n{body}", encoding="utf-8")
    print(f"{results.name}: section {name} written", flush=True)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """`rows` as a Markdown table, its first column to the left and the others to the right; None is empty."""
    names = list(rows[0])
    lines = [names, ["---"] + ["---:"] * (len(names) - 1)]
    lines += [[_cell(row.get(name)) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def against(ratio: float, at_most: float | None = None, at_least: float | None = None) -> str:
    """`ratio` with its goal, and whether it is reached."""
    if at_most is not None:
        return f"{ratio:.3g} (goal at most {at_most:.3g}: {'reached' if ratio <= at_most else 'not reached'})"
    return f"{ratio:.3g} (goal at least {at_least:.3g}: {'reached' if ratio >= at_least else 'not reached'})"


def machine() -> str:
    """Where this was measured: processor, cores, memory and system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:  # not Linux
        system = f"{platform.system()} {platform.release()}"
    return f"{_processor()} ({platform.machine()}), {os.cpu_count()} cores, {memory:.0f} GiB, {system}"


def versions(packages: Sequence[str]) -> str:
    told = [f"Python {platform.python_version()}"]
    return ", ".join(told + [f"{package} {version(package)}" for package in packages])


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "processor of unknown name"


def _command(name: str) -> str:
    given = re.sub(r"(--[\w-]+[ =])?\S*/\S*", "", " ".join(sys.argv[1:]))
    return " ".join(["python -m", f"benchmarks.{name}", *given.split()])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _read(results: Path) -> dict[str, str]:
    """The sections of the file by name."""
    if not results.exists():
        return {}
    _, *found = _MARK.split(results.read_text(encoding="utf-8"))
    return {name: text.strip() for name, text in zip(found[::2], found[1::2], strict=True)}
