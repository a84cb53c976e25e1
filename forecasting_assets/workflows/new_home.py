"""A home for one's own order files: how they are written, which weeks they hold, and the settings that say so."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from forecasting_assets.allocation import load_network
from forecasting_assets.lake.landed_files import LandedFile, describe_errors
from forecasting_assets.lake.landing import Landing
from forecasting_assets.orders.detect import DetectedFormat, detect_format
from forecasting_assets.orders.rows import OrderFileError
from forecasting_assets.settings import SETTINGS_FILE, OrderSettings
from forecasting_assets.storage import is_url, store_errors
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks, newest_closed_week
from forecasting_assets.wording import count


@dataclass(frozen=True)
class OrderHistory:
    """What a folder of order files holds.

    Attributes
    ----------
    detected
        How the files are written, and from what that was found.
    files
        The order files.
    unread
        Names of files that are not read.
    left_out
        Weeks that a year without orders sets apart from the others; their dates may be typing errors.
    weeks
        The other weeks with orders, sorted; there is at least one.
    """

    detected: DetectedFormat
    files: Sequence[LandedFile]
    unread: Sequence[str]
    left_out: Sequence[date]
    weeks: Sequence[date]


def set_up_home(
    home: Path, orders: str, network: str | None, columns: Mapping[str, str], order_format: Mapping[str, str]
) -> OrderHistory:
    """Write the settings for order files into a new home. If anything is wrong nothing is written.

    Parameters
    ----------
    home
        Where to write forecasting.toml; the folder need not exist.
    orders
        Folder or URL of the order files.
    network
        Folder of the network files, if there is one yet.
    columns
        Platform name -> landed name of columns that are named otherwise.
    order_format
        Fields of OrderFormat that are known already.

    Raises
    ------
    StoreError, OrderFileError, UndecidedFormatError, NetworkError
        If files cannot be reached, cannot be read, or do not say how they are written.
    """
    if network:
        load_network(network)
    names = OrderSettings(columns=dict(columns)).landed_names
    with TemporaryDirectory() as scratch:
        known = home / Path(Landing.at(home, orders, names).index).name
        if known.exists():  # it knows which files were the newest
            shutil.copy(known, scratch)
        with store_errors(orders):
            detected = detect_format(Landing.at(home, orders, names).sources(), names, order_format)
        landing = Landing.at(Path(scratch), orders, names, detected.order_format)
        history = _history(landing, detected)
        shutil.copytree(scratch, home, dirs_exist_ok=True)
    text = settings_text(history.weeks[0], orders, network, columns, detected)
    written = home / f"{SETTINGS_FILE}.tmp"
    written.write_text(text, encoding="utf-8")
    os.replace(written, home / SETTINGS_FILE)
    return history


def _history(landing: Landing, detected: DetectedFormat) -> OrderHistory:
    files = landing.refresh()
    if broken := [file for file in files if file.error]:
        raise OrderFileError(
            landing.path,
            f"of {count(len(files), 'file')}, {len(broken):,} cannot be read",
            describe_errors(broken),
        )
    weeks = sorted({week for file in landing.readable_files() for week in file.weeks})
    if not weeks:
        raise OrderFileError(landing.path, "the files hold no order lines", "Land files with order lines")
    return OrderHistory(detected, files, landing.unread_files(), *_split_history(weeks))


def _split_history(weeks: list[date]) -> tuple[list[date], list[date]]:
    """`weeks` (sorted) before and after the last year without orders; a wrong date would begin history early."""
    gaps = [i for i in range(1, len(weeks)) if weeks[i] > add_weeks(weeks[i - 1], YEAR_WEEKS)]
    start = max((i for i in gaps if weeks[i] <= newest_closed_week()), default=0)
    return weeks[:start], weeks[start:]


def settings_text(
    first_week: date, orders: str, network: str | None, columns: Mapping[str, str], detected: DetectedFormat
) -> str:
    """Return the text of forecasting.toml."""
    # A JSON string is a TOML string.
    lines = ["[calendar]", f"first_week = {first_week}", "", "[orders]", f"landing = {json.dumps(orders)}"]
    for section, values in (
        ("orders.columns", columns),
        ("orders.format", detected.order_format.model_dump(exclude_defaults=True)),
        ("network", {"path": network} if network else {}),
    ):
        if values:
            lines += [
                "",
                f"[{section}]",
                *(f"{name} = {json.dumps(value)}" for name, value in values.items()),
            ]
    return "\n".join(lines) + "\n"


def absolute(path: str) -> str:
    """Return a folder of the command line as an absolute path; a URL as it is."""
    return path if is_url(path) else str(Path(path).absolute())
