"""Files that appear whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forecasting_assets.errors import PicklableError
from forecasting_assets.storage import open_filesystem, store_errors


class ExistingFileError(PicklableError, ValueError):
    """A file that exists and is kept as it is; `file` is its path."""

    def __init__(self, file: Path | str) -> None:
        super().__init__(f"{file} exists already and is kept as it is: remove it, or choose another name")
        self.file = str(file)


def replace_file(target: Path, content: bytes) -> None:
    """Write a file and replace the one that is there, if any."""
    with _staged(target, content) as staged:
        os.replace(staged, target)


def write_new_file(target: Path, content: bytes) -> None:
    """Write a file that must not exist.

    Raises
    ------
    ExistingFileError
        If it exists.
    """
    with _staged(target, content) as staged:
        try:
            # Unlike a move, a link to the finished file replaces nothing.
            os.link(staged, target)
        except FileExistsError:
            raise ExistingFileError(target) from None


def add_file(folder: str, name: str, content: bytes) -> str:
    """Write a file that must not exist into a folder or to a URL.

    Returns
    -------
    str
        Its path or URL.

    Raises
    ------
    ExistingFileError
        If it exists.
    StoreError
        If the folder cannot be written.
    """
    from pyarrow import fs

    filesystem, root = open_filesystem(folder)
    with store_errors(folder):
        filesystem.create_dir(root)
        if isinstance(filesystem, fs.LocalFileSystem):
            write_new_file(Path(root) / name, content)
        else:
            # An object appears whole when its stream is closed.
            if filesystem.get_file_info(f"{root}/{name}").type is not fs.FileType.NotFound:
                raise ExistingFileError(f"{folder}/{name}")
            with filesystem.open_output_stream(f"{root}/{name}") as stream:
                stream.write(content)
    return f"{folder.rstrip('/')}/{name}"


@contextmanager
def _staged(target: Path, content: bytes) -> Iterator[Path]:
    """Provide the finished content beside the target, under a name of its own, and remove it after the block."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{uuid.uuid4().hex}")
    try:
        with staged.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield staged
    finally:
        staged.unlink(missing_ok=True)
