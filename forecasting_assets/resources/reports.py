"""Reports: HTML files below `reports/week=…`, replaced whole."""

import os
import uuid
from datetime import date
from pathlib import Path


def write_report(folder: Path, week: date, name: str, html: str) -> str:
    """Write a report of a week; its path."""
    target = folder / f"week={week}" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{name}.{uuid.uuid4().hex}")  # two runs may write the week at once
    staged.write_text(html, encoding="utf-8")
    os.replace(staged, target)
    return str(target)
