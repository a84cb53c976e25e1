"""Write reports: files below `reports/week=…`, each replaced as a whole."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from forecasting_assets.settings import Settings
from forecasting_assets.storage import joined, list_files, remove_file, replace_file

#: Longest part of a file name that is readable.
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Reports:
    """The folder of all reports, and the address where it is served.

    Attributes
    ----------
    folder
        The folder, or a URL of a store.
    url
        Its address without a final slash; empty if nothing serves it.
    """

    folder: str
    url: str

    @classmethod
    def of(cls, settings: Settings) -> "Reports":
        """Return the reports of a home."""
        return cls(settings.reports_path, settings.reports.url.rstrip("/"))

    def address(self, path: str) -> str:
        """Return the address of a report by its path or URL."""
        return f"{self.url}/{quote(path.removeprefix(self.folder).lstrip('/'))}"


def write_report(folder: str | Path, week: date, name: str, content: str | bytes) -> str:
    """Write a report of a week.

    Parameters
    ----------
    folder
        Folder or URL of all reports.
    week
        Week of the report.
    name
        File name, which may begin with a folder.
    content
        Text of a page, or bytes of another file.

    Returns
    -------
    str
        Path or URL of the report.
    """
    return replace_file(
        folder, f"week={week}/{name}", content.encode() if isinstance(content, str) else content
    )


def report_path(folder: str | Path, week: date, name: str) -> str:
    """Return the path or URL of a file beside the reports of a week."""
    return joined(folder, f"week={week}/{name}")


def remove_other_files(folder: str | Path, week: date, subfolder: str, kept: Collection[str]) -> None:
    """Remove the files in a folder beside the reports of a week, except those whose paths are `kept`."""
    within = report_path(folder, week, subfolder)
    for name in list_files(within):
        if joined(within, name) not in kept:
            remove_file(within, name)


def unique_name(name: str) -> str:
    """Return a file name, without ending, of its own for any name or description."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name)[:_LONGEST_NAME].strip("-").lower()
    return f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}"
