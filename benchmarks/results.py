"""Write the results of benchmarks to `RESULTS.md` in this folder, a section for each benchmark.

A benchmark replaces its own section and keeps the others, so that each can be repeated separately:

    section(
        "etl",
        "Order lines to features",
        "The same transformations by Spark, DuckDB and Polars, from the same files.",
        ["pyspark", "duckdb", "polars"],
        [table(rows), f"Times the faster peer: {against(2.4, at_most=3)}."],
        repeats=3,
    )

Each section states the command, the machine, the versions of `packages` and the date. Paths among the arguments are
left out, as they belong to one machine.
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
#: Order of the sections in the file; sections of other names come last.
ORDER = [
    "startup",
    "backfill",
    "history",
    "etl",
    "series",
    "forecasting",
    "accuracy",
    "core_accuracy",
    "kinds",
    "order_book",
    "allocation",
    "uncertainty",
    "impact",
    "pages",
    "forecast_page",
]
_TITLE = "# Results\n\nWritten by the benchmarks: `make bench` runs all, `make bench-<name>` one of them.\n"
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
    """Write a section to the file of results, in place of the previous one.

    Parameters
    ----------
    name
        Name of the benchmark, `benchmarks/<name>.py`.
    title
        Title of the section.
    compared
        What is compared with what, and how it was measured.
    packages
        Packages whose versions matter.
    parts
        Paragraphs and tables in Markdown.
    repeats
        Number of repetitions, of which medians are reported, or a description of what is reported instead.
    results
        File to write.
    """
    today = datetime.now(UTC).date()
    facts = [
        f"Command: `{_command(name)}`",
        f"Machine: {machine()}",
        f"Versions: {versions(packages)}",
        f"Date: {today}",
        f"Repeats: {f'medians of {repeats}' if isinstance(repeats, int) and repeats > 1 else repeats}",
    ]
    text = "\n\n".join([f"## {title}", compared, "\n".join(f"- {fact}" for fact in facts), *parts])
    sections = _read(results) | {name: text.strip()}
    rank = {section_name: position for position, section_name in enumerate(ORDER)}
    names = sorted(sections, key=lambda section_name: (rank.get(section_name, len(rank)), section_name))
    body = "\n".join(f"<!-- {section_name} -->\n{sections[section_name]}\n" for section_name in names)
    results.write_text(f"{_TITLE}\n{body}", encoding="utf-8")
    print(f"{results.name}: section {name} written", flush=True)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Format rows as a Markdown table, the first column to the left, the others to the right; None is empty."""
    names = list(rows[0])
    lines = [names, ["---"] + ["---:"] * (len(names) - 1)]
    lines += [[_cell(row.get(name)) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def against(ratio: float, at_most: float | None = None, at_least: float | None = None) -> str:
    """Format a ratio with its goal, and whether the goal is reached."""
    if at_most is not None:
        return f"{ratio:.3g} (goal at most {at_most:.3g}: {'reached' if ratio <= at_most else 'not reached'})"
    assert at_least is not None
    return f"{ratio:.3g} (goal at least {at_least:.3g}: {'reached' if ratio >= at_least else 'not reached'})"


def machine() -> str:
    """Describe this machine: processor, cores, memory and operating system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:  # not Linux
        system = f"{platform.system()} {platform.release()}"
    return f"{_processor()} ({platform.machine()}), {os.cpu_count()} cores, {memory:.0f} GiB, {system}"


def versions(packages: Sequence[str]) -> str:
    """List the versions of Python and of packages."""
    python = f"Python {platform.python_version()}"
    return ", ".join([python, *(f"{package} {version(package)}" for package in packages)])


def _processor() -> str:
    try:
        model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:  # not Linux
        model = None
    return model[1] if model else platform.processor() or "unknown processor"


def _command(name: str) -> str:
    arguments = re.sub(r"(--[\w-]+[ =])?\S*/\S*", "", " ".join(sys.argv[1:]))
    return " ".join(["python -m", f"benchmarks.{name}", *arguments.split()])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _read(results: Path) -> dict[str, str]:
    """Return the sections of the file by name."""
    if not results.exists():
        return {}
    _, *parts = _MARK.split(results.read_text(encoding="utf-8"))
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}
