"""Write reports: files below the folder of reports, each replaced as a whole."""

import os
import uuid
from collections.abc import Iterable
from datetime import date
from pathlib import Path


def write_report(folder: Path, week: date, name: str, content: str | bytes) -> str:
    """Write a report of a week.

    Parameters
    ----------
    folder
        Folder of all reports.
    week
        Week of the report.
    name
        File name, or its path within the folder of the week.
    content
        Content; text is written as UTF-8.

    Returns
    -------
    str
        Path of the report.
    """
    return write_file(folder / f"week={week}" / name, content)


def write_file(target: Path, content: str | bytes) -> str:
    """Replace a file as a whole; return its path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two runs may write the same week at the same time.
    staged = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    staged.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(staged, target)
    return str(target)


def keep_only(folder: Path, names: Iterable[str]) -> None:
    """Remove the files of a folder other than `names`, so that nothing of an earlier plan is left."""
    kept = set(names)
    for file in folder.glob("*"):
        if file.name not in kept and not file.name.startswith("."):
            file.unlink(missing_ok=True)
