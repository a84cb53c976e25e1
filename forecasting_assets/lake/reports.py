"""Write reports: files below `reports/week=…`, each replaced as a whole."""

from collections.abc import Collection
from datetime import date
from pathlib import Path

from forecasting_assets.lake.whole_files import replace_file


def write_report(folder: Path, week: date, name: str, html: str) -> str:
    """Write a report of a week.

    Parameters
    ----------
    folder
        Folder of all reports.
    week
        Week of the report.
    name
        File name.
    html
        Content.

    Returns
    -------
    str
        Path of the report.
    """
    return write_report_file(folder, week, name, html.encode())


def write_report_file(folder: Path, week: date, name: str, content: bytes) -> str:
    """Write a file beside the reports of a week, as `write_report`; `name` may begin with a folder."""
    return write_file(Path(report_path(folder, week, name)), content)


def report_path(folder: Path, week: date, name: str) -> str:
    """Return the path of a file beside the reports of a week."""
    return str(folder / f"week={week}" / name)


def write_file(target: Path, content: bytes) -> str:
    """Write a file, replacing it as a whole; return its path."""
    replace_file(target, content)
    return str(target)


def remove_other_files(folder: Path, week: date, subfolder: str, kept: Collection[str]) -> None:
    """Remove the files in a folder beside the reports of a week, except those whose paths are `kept`."""
    for file in (folder / f"week={week}" / subfolder).glob("*"):
        if file.is_file() and str(file) not in kept:
            file.unlink(missing_ok=True)
