"""Write reports: files below `reports/week=…`, each replaced as a whole."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from forecasting_assets.lake.whole_files import replace_file
from forecasting_assets.settings import Settings

#: Longest part of a file name that is readable.
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Reports:
    """The folder of all reports, and the address where it is served.

    Attributes
    ----------
    folder
        The folder.
    url
        Its address without a final slash; empty if nothing serves it.
    """

    folder: Path
    url: str

    @classmethod
    def of(cls, settings: Settings) -> "Reports":
        """Return the reports of a home."""
        return cls(settings.reports_path, settings.reports.url.rstrip("/"))

    def address(self, path: str | Path) -> str:
        """Return the address of a report by its path."""
        return f"{self.url}/{quote(Path(path).relative_to(self.folder).as_posix())}"


def write_report(folder: Path, week: date, name: str, content: str | bytes) -> str:
    """Write a report of a week.

    Parameters
    ----------
    folder
        Folder of all reports.
    week
        Week of the report.
    name
        File name, which may begin with a folder.
    content
        Text of a page, or bytes of another file.

    Returns
    -------
    str
        Path of the report.
    """
    return write_file(
        Path(report_path(folder, week, name)), content.encode() if isinstance(content, str) else content
    )


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


def unique_name(name: str) -> str:
    """Return a file name, without ending, of its own for any name or description."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name)[:_LONGEST_NAME].strip("-").lower()
    return f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}"
