"""Files of any store: listed, read in one version, replaced as a whole or added under a new name.

A file of this machine is finished beside its place and then renamed. An object of a store appears when all of it has
been sent, so it is put to its final key at once.
"""

import errno
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from forecasting_assets.errors import PicklableError
from forecasting_assets.storage.errors import StoreError, store_errors
from forecasting_assets.storage.filesystems import is_local, joined, open_filesystem

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileInfo, FileSystem

_BLOCK_BYTES = 8 << 20
#: Times that an object is read if it is replaced each time in the middle.
_READS = 10
_Parsed = TypeVar("_Parsed")


class ExistingFileError(PicklableError, ValueError):
    """A file that exists and is kept as it is; `file` is its path."""

    def __init__(self, file: Path | str) -> None:
        super().__init__(f"{file} exists already and is kept as it is: remove it, or choose another name")
        self.file = str(file)


# ---------------------------------------------------------------------- reading


def list_files(folder: str | Path) -> "dict[str, FileInfo]":
    """Return the files below a folder or URL by their names relative to it, sorted; none if it does not exist.

    Raises
    ------
    StoreError
        If the store does not list them.
    """
    from pyarrow import fs

    with store_errors(str(folder)):
        filesystem, root = open_filesystem(folder)
        listed = filesystem.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    files = {
        info.path.removeprefix(root).lstrip("/"): info for info in listed if info.type is fs.FileType.File
    }
    return dict(sorted(files.items()))


def folder_exists(folder: str | Path) -> bool:
    """Return whether a folder exists, or anything below a URL.

    Raises
    ------
    StoreError
        If the store does not say.
    """
    from pyarrow import fs

    with store_errors(str(folder)):
        filesystem, root = open_filesystem(folder)
        return bool(filesystem.get_file_info(root).type is fs.FileType.Directory)


def read_file(folder: str | Path, name: str) -> bytes:
    """Return the content of a small file in a folder or below a URL.

    Raises
    ------
    FileNotFoundError
        If it does not exist.
    StoreError
        If the store does not hand it out.
    """
    try:
        filesystem, root = open_filesystem(folder)
        return open_unmixed(filesystem, f"{root}/{name}", lambda file: bytes(file.read()))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError.from_os_error(str(folder), error) from None


def stored_blocks(filesystem: "FileSystem", path: str) -> Iterator[bytes]:
    """Read the bytes of a file in blocks as they are stored, without decompressing them."""
    with filesystem.open_input_stream(path, compression=None) as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block


def content_id(filesystem: "FileSystem", path: str) -> str:
    """Return an identifier of the content of a file: a hash of 32 hexadecimal digits."""
    digest = blake2b(digest_size=16)
    for block in stored_blocks(filesystem, path):
        digest.update(block)
    return digest.hexdigest()


def open_unmixed(
    filesystem: "FileSystem",
    path: str,
    parse: "Callable[[pa.NativeFile], _Parsed]",
    whole: bool = True,
) -> _Parsed:
    """Parse a file of which all that is read belongs to one version, even if it is replaced meanwhile.

    An open file of this machine stays what it was. An object may be replaced between two requests, and pyarrow hides
    that one has become shorter: if its version has changed meanwhile, it is read again.

    Parameters
    ----------
    filesystem, path
        The file.
    parse
        Called with the open file.
    whole
        Whether an object is fetched as a whole first, and its version always looked up again. Otherwise `parse` fetches
        what it needs, and must itself raise an error for bytes that do not belong together.

    Raises
    ------
    OSError
        If the file cannot be read, or is replaced each time that it is read.
    """
    import pyarrow as pa

    if is_local(filesystem):
        return parse(filesystem.open_input_file(path))
    for _ in range(_READS):
        failure: Exception | None = None
        with filesystem.open_input_file(path) as file:
            before = _version(file)
            try:
                parsed = parse(pa.BufferReader(file.read_buffer()) if whole else file)
            except (ValueError, OSError) as error:  # pyarrow's errors about content are either
                failure = error
        if whole or failure:
            with filesystem.open_input_file(path) as file:
                if _version(file) != before:
                    continue
        if failure:
            raise failure
        return parsed
    raise OSError(errno.EAGAIN, f"{path} was replaced each of the {_READS} times that it was read")


def _version(file: "pa.NativeFile") -> tuple[object, ...]:
    """Return what tells the version of an open object from others: its size and, where the store has one, its tag."""
    return file.size(), (file.metadata() or {}).get(b"ETag")


# ---------------------------------------------------------------------- writing


def put_object(filesystem: "FileSystem", path: str, content: "bytes | pa.Buffer") -> None:
    """Write an object, which appears as a whole once all of it has been sent."""
    with filesystem.open_output_stream(path) as stream:
        stream.write(content)


def replace_file(folder: str | Path, name: str, content: bytes) -> str:
    """Write a file in a folder or below a URL, replacing the one that is there, if any.

    Returns
    -------
    str
        Its path or URL.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    with store_errors(str(folder), "written"):
        filesystem, root = open_filesystem(folder)
        if is_local(filesystem):
            with _staged(Path(root, name), content) as staged:
                os.replace(staged, Path(root, name))
        else:
            put_object(filesystem, f"{root}/{name}", content)
    return joined(folder, name)


def add_file(folder: str | Path, name: str, content: bytes) -> str:
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
        If it cannot be written.
    """
    from pyarrow import fs

    with store_errors(str(folder), "written"):
        filesystem, root = open_filesystem(folder)
        if is_local(filesystem):
            with _staged(Path(root, name), content) as staged:
                try:
                    # Unlike a move, a link to the finished file replaces nothing.
                    os.link(staged, Path(root, name))
                except FileExistsError:
                    raise ExistingFileError(joined(folder, name)) from None
        else:
            if filesystem.get_file_info(f"{root}/{name}").type is not fs.FileType.NotFound:
                raise ExistingFileError(joined(folder, name))
            put_object(filesystem, f"{root}/{name}", content)
    return joined(folder, name)


def remove_file(folder: str | Path, name: str) -> None:
    """Remove a file from a folder or from below a URL, if it is there."""
    with store_errors(str(folder), "written"):
        filesystem, root = open_filesystem(folder)
        try:
            filesystem.delete_file(f"{root}/{name}")
        except FileNotFoundError:
            return


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
