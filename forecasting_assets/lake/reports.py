"""Write reports: HTML files below `reports/week=…`, each replaced as a whole."""

import os
import uuid
from datetime import date
from pathlib import Path


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
    target = folder / f"week={week}" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(
        f".{name}.{uuid.uuid4().hex}"
    )  # two runs may write the same week at the same time
    staged.write_text(html, encoding="utf-8")
    os.replace(staged, target)
    return str(target)
