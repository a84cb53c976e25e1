"""Promises in the planning folder: written whole or not at all, and never over another."""

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from forecasting_assets.errors import PicklableError
from forecasting_assets.storage import open_filesystem, store_errors

if TYPE_CHECKING:
    import pandas as pd


class PromiseExistsError(PicklableError, ValueError):
    """There is already a file of promises with this name.

    Attributes
    ----------
    file
        The file.
    """

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} exists already and is kept as it is: hold the promise again for a new name")
        self.file = file


def write_promises(rows: "pd.DataFrame", folder: str, name: str) -> str:
    """Write rows of PROMISES to a new file of the planning folder.

    Parameters
    ----------
    rows
        The rows.
    folder
        Folder or URL of planning files.
    name
        Name of the promise; the file is `promises_<name>.csv`.

    Returns
    -------
    str
        Path or URL of the file.

    Raises
    ------
    PromiseExistsError
        If the file exists.
    StoreError
        If the folder cannot be written.
    """
    from pyarrow import fs

    content = rows.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d").encode()
    filesystem, root = open_filesystem(folder)
    file = f"promises_{name}.csv"
    with store_errors(folder):
        filesystem.create_dir(root)
        if isinstance(filesystem, fs.LocalFileSystem):
            _write_new(Path(root) / file, content)
        else:
            # An object appears whole when its stream is closed.
            if filesystem.get_file_info(f"{root}/{file}").type is not fs.FileType.NotFound:
                raise PromiseExistsError(f"{folder}/{file}")
            with filesystem.open_output_stream(f"{root}/{file}") as stream:
                stream.write(content)
    return f"{folder.rstrip('/')}/{file}"


def _write_new(file: Path, content: bytes) -> None:
    """Write a file that must not exist: a link to a finished file, unlike a move, replaces nothing."""
    staged = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        with staged.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(staged, file)
        except FileExistsError:
            raise PromiseExistsError(str(file)) from None
    finally:
        staged.unlink(missing_ok=True)
