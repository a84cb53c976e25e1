"""Folders and URLs alike: which pyarrow file system serves a path. What is stored there is not known here."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


def is_url(path: str) -> bool:
    return "://" in path or path.startswith("dbfs:/")


def open_filesystem(path: str) -> tuple["FileSystem", str]:
    """The file system of a folder or URL (s3://, gs://, abfss://, dbfs:/) and the path within it."""
    from pyarrow import fs

    if path.startswith("dbfs:/"):
        # Databricks mounts DBFS on every driver, and pyarrow has no client of its own for it.
        return fs.LocalFileSystem(), "/dbfs/" + path.removeprefix("dbfs:/").lstrip("/")
    if is_url(path):
        return fs.FileSystem.from_uri(path)
    return fs.LocalFileSystem(), str(Path(path).absolute())
