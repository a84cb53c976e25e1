"""Recognise by their names which files of a landing zone hold order lines."""

import re
from fnmatch import translate

from forecasting_assets.orders.reading import FORMATS, has_known_ending

#: Patterns, in lower case, of files that other programs leave next to their output: markers, checksums, locks and
#: incomplete files. They never hold order lines, so they are ignored without a message.
IGNORED = (
    ".*", "_*", "~$*", "*~", "*.crc", "*.md5", "*.sha1", "*.sha256", "*.sha512", "*.tmp", "*.temp", "*.part",
    "*.partial", "*.filepart", "*.crdownload", "*.opdownload", "*.download", "*.aria2", "*.gstmp", "*.uploading",
    "*.inprogress", "*.lock", "*.swp", "*.swo", "thumbs.db", "desktop.ini", "icon\r", "@eadir", "$recycle.bin",
)  # fmt: skip
_IGNORED_NAME = re.compile("|".join(map(translate, IGNORED)))
#: Folders with the version log of a table. The Parquet files beside them also hold deleted and replaced rows, which
#: only the log can identify.
TABLE_LOGS = ("_delta_log", ".hoodie")
#: Remedy -> endings of the files that it applies to; the first match is used.
_REMEDIES = {
    "unpack it": (
        ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".7z", ".rar"
    ),
    "compress it with gzip instead, or land it unpacked": (
        ".bz2", ".zst", ".xz", ".lz4", ".br", ".snappy", ".z", ".zlib", ".lzma"
    ),
    "add the format to its name, such as orders.csv.gz": (".gz", ".gzip"),
    "decrypt it": (".gpg", ".pgp", ".enc", ".age"),
    "save it as .xlsx or .csv": (".xls", ".xlsm", ".xlsb", ".xltx", ".ods", ".numbers"),
    "rename it to .csv or .tsv if it holds order lines, or move it elsewhere": (
        ".txt", ".text", ".dat", ".tab", ".asc", ".psv", ".out"
    ),
    "rename it to .parquet": (".parq", ".pq", ".pqt"),
    "save it as .parquet": (
        ".avro", ".orc", ".feather", ".arrow", ".ipc", ".pkl", ".pickle", ".h5", ".hdf5", ".sas7bdat", ".dta", ".sav",
        ".rds", ".rdata",
    ),
    "save its order lines as .csv or .jsonl": (
        ".xml", ".html", ".htm", ".yaml", ".yml", ".sql", ".db", ".sqlite", ".sqlite3", ".duckdb", ".mdb", ".accdb",
        ".dbf", ".dump", ".edi", ".pdf", ".doc", ".docx", ".eml", ".msg",
    ),
    "remove it, or rename it if its order lines should be read": (
        ".bak", ".old", ".orig", ".save", ".copy", ".backup", ".done", ".processed"
    ),
}  # fmt: skip


def is_ignored(path: str) -> bool:
    """Return whether a file, or a folder above it, is ignored because of its name (`IGNORED`)."""
    return any(map(_IGNORED_NAME.match, path.lower().split("/")))


def is_order_file(path: str) -> bool:
    """Return whether a file is read for order lines."""
    return has_known_ending(path) and not is_ignored(path)


def table_log_of(path: str) -> str | None:
    """Return the folder of the table log (`TABLE_LOGS`) that contains a file; None if there is none."""
    parts = path.split("/")
    return next(
        ("/".join(parts[:place]) for place, part in enumerate(parts, 1) if part.lower() in TABLE_LOGS), None
    )


def remedy_for(path: str) -> str:
    """Return what to do about a file that is neither read nor ignored."""
    name = path.lower()
    if table_log_of(name) == name:
        return (
            "the Parquet files beside it may hold deleted and replaced order lines: land an export of the table's "
            "current rows instead"
        )
    general = f"land order lines as one of {', '.join(FORMATS)}, or move it elsewhere"
    return next((remedy for remedy, endings in _REMEDIES.items() if name.endswith(endings)), general)
