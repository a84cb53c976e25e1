"""Which files of a landing zone hold order lines, by their names."""

import re
from fnmatch import translate
from pathlib import PurePosixPath

from forecasting_assets.orders.reading import FORMATS, has_known_ending

#: Names of what other programs leave beside their files: markers, checksums, and files that are not whole yet. They
#: never hold order lines of their own, so that nothing has to be said about them.
BYSTANDERS = (
    ".*", "_*", "~$*", "*~", "*.crc", "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload",
    "*.download", "*.inprogress", "*.lock", "*.swp", "thumbs.db", "desktop.ini",
)  # fmt: skip
_BYSTANDER = re.compile("|".join(map(translate, BYSTANDERS)))
_REMEDIES = {
    ".xls": "save it as .xlsx or .csv",
    ".xlsm": "save it as .xlsx or .csv",
    ".xlsb": "save it as .xlsx or .csv",
    ".ods": "save it as .xlsx or .csv",
    ".txt": "rename it to .csv or .tsv if it holds order lines",
    ".dat": "rename it to .csv or .tsv if it holds order lines",
    ".zip": "unpack it",
    ".tar": "unpack it",
    ".tgz": "unpack it",
    ".7z": "unpack it",
    ".rar": "unpack it",
    ".gz": "name it by its content too, as orders.csv.gz",
    ".bz2": "compress it with gzip, or land it unpacked",
    ".zst": "compress it with gzip, or land it unpacked",
    ".xz": "compress it with gzip, or land it unpacked",
    ".avro": "save it as .parquet",
    ".orc": "save it as .parquet",
    ".feather": "save it as .parquet",
    ".arrow": "save it as .parquet",
    ".xml": "save it as .jsonl or .csv",
}


def is_bystander(path: str) -> bool:
    """Whether a file, or a folder above it, has a name that is left alone (`BYSTANDERS`)."""
    return any(map(_BYSTANDER.match, path.lower().split("/")))


def is_order_file(path: str) -> bool:
    """Whether a file is read for order lines."""
    return has_known_ending(path) and not is_bystander(path)


def remedy_for(path: str) -> str:
    """What to do about a file that is neither read nor left alone."""
    ending = PurePosixPath(path.lower()).suffix
    return _REMEDIES.get(ending, f"land order lines as one of {', '.join(FORMATS)}, or move it elsewhere")
