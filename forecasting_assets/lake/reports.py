"""Write reports: pages and pictures below `reports/week=…`, each file replaced as a whole."""

import os
import uuid
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import quote

from forecasting_assets.settings import Settings


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
        File name, which may begin with folders.
    content
        Text of a page, or bytes of another file.

    Returns
    -------
    str
        Path of the report.
    """
    target = folder / f"week={week}" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two runs may write the same week at the same time.
    staged = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    staged.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(staged, target)
    return str(target)
