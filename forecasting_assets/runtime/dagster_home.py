"""DAGSTER_HOME: the folder `dagster` of the platform's home, with its dagster.yaml.

The file belongs to the user as soon as they change it. Until then a newer version of the platform replaces it: its
first line holds a checksum of the rest, by which an unchanged file is recognised.
"""

import os
import re
from hashlib import sha256
from importlib import resources
from pathlib import Path

_HEADER = (
    "# Written by forecasting-assets, checksum {}. Newer versions replace this file unless you change it.\n"
)
_HEADER_PATTERN = re.compile(re.escape(_HEADER).replace(r"\{\}", "([0-9a-f]{64})"))
#: Checksums of the files written before the first line held one.
_OLD_TEMPLATES = {
    "9acaae5223ca1e14f1e9cb36f6edc4373f4e49857e328baa816cfeba3dcfea89",
    "6c97b0062c18d1b00a3637b3267630ac89371598cb1d944ef7bf9f59f06754c5",
    "4807dfa54f0b4bffc0a9c09dc9ec959ac21f320ff6b87eb22aeb4f79384773a5",
    "fed45b9a619ef22aa97c8974b1314e9e0b1208034b39e2477442d6c811d6bf75",
    "9848254ff248dc2e93f5d97e71812223e0fef2b95bf45efcd9456076961beb0d",
    "fdbc1c5fea590acfa4aa64bad1acebff108df59355273e4549e617d809471cd1",
    "b6802a9ad0c33fe27b52f18580a547a2e6baf3d93fa708161fc9705fb70ec31d",
}
#: Modules by the package they were in before they moved to `runtime`.
_MOVED_MODULES = re.compile(r"\bforecasting_assets\.resources\.(event_log|run_launcher)\b")


def prepare_home(home: Path) -> Path:
    """Create DAGSTER_HOME in `home` and bring its dagster.yaml up to date.

    A missing file is written and an unchanged file is replaced by the current version. In a file that the user has
    changed, only the names of modules that have moved are replaced.

    Returns
    -------
    Path
        The folder to use as DAGSTER_HOME.
    """
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dagster.yaml"
    existing = config.read_text(encoding="utf-8") if config.exists() else None
    if existing is None or _is_unchanged(existing):
        wanted = _current()
    else:
        wanted = _MOVED_MODULES.sub(r"forecasting_assets.runtime.\1", existing)
    if wanted != existing:
        # Other processes may be reading the file.
        staged = config.with_name(f".dagster.yaml.{os.getpid()}")
        staged.write_text(wanted, encoding="utf-8")
        staged.replace(config)
    return folder


def _current() -> str:
    template = (resources.files("forecasting_assets.runtime") / "dagster.yaml").read_text(encoding="utf-8")
    return _HEADER.format(_checksum(template)) + template


def _is_unchanged(text: str) -> bool:
    """Return whether a dagster.yaml is as the platform wrote it."""
    if header := _HEADER_PATTERN.match(text):
        return header[1] == _checksum(text[header.end() :])
    return _checksum(text) in _OLD_TEMPLATES


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()
