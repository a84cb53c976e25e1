"""Access to files in folders and in object stores: the pyarrow file system of a path, and what its errors mean.

This module knows nothing about the content of the files.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from forecasting_assets.errors import PicklableError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_BLOCK_BYTES = 8 << 20
#: Pattern of a store's message, the kind of error and its remedy; the first match counts.
_ERRORS = [
    (
        r"no.?such.?bucket|specified bucket does not exist|container.?not.?found|specified container does not exist",
        "missing",
        "check the name of the bucket, or create it",
    ),
    (
        r"expired.?token|token.*expired|request.?time.?too.?skewed",
        "credentials",
        "renew the credentials, and check the clock of this machine",
    ),
    (
        r"credential|no.?auth|invalid.?access.?key|signature.?does.?not.?match|unauthorized|\b401\b",
        "credentials",
        "set credentials in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE",
    ),
    (
        r"access.?denied|forbidden|permission|\b403\b",
        "permission",
        "allow this user or role to list and read the store, or give it credentials",
    ),
    (
        r"moved.?permanently|wrong region|authorization.?header.?malformed|\b301\b",
        "region",
        "set AWS_REGION to the region of the bucket",
    ),
    (r"slow.?down|throttl|too.?many.?requests|\b429\b|\b503\b", "throttled", "try again later"),
    (
        r"could.?n.?t connect|connection|resolve.?host|timed? ?out|timeout|network|unreachable|curl",
        "unreachable",
        "check the network and the endpoint (AWS_ENDPOINT_URL), and try again",
    ),
]

#: Marks of the errors of Amazon's, Microsoft's and Google's clients in pyarrow.
_OBJECT_STORES = r"AWS Error|Azure error|google::cloud::Status"


class StoreError(PicklableError, ValueError):
    """A store that cannot be read, whatever the state of the files in it.

    Attributes
    ----------
    store
        Folder or URL.
    kind
        missing, credentials, permission, region, throttled, unreachable or other.
    remedy
        How to fix it.
    reason
        The message of the file system.
    """

    def __init__(self, store: str, kind: str, remedy: str, reason: str) -> None:
        super().__init__(f"{store} cannot be read ({reason}): {remedy}")
        self.store, self.kind, self.remedy, self.reason = store, kind, remedy, reason

    @classmethod
    def from_os_error(cls, store: str, error: OSError) -> "StoreError":
        """Translate an error that the file system of a store raised."""
        reason = " ".join(str(error).split())
        if isinstance(error, PermissionError) or error.errno in (errno.EACCES, errno.EPERM):
            return cls(store, "permission", "allow this user to read it", reason)
        if isinstance(error, FileNotFoundError) or error.errno == errno.ENOENT:
            return cls(store, "missing", "check the path, or create the folder", "it does not exist")
        without_names = re.sub("'[^']*'", "", reason)  # a bucket may be called permissions
        for pattern, kind, remedy in _ERRORS:
            if re.search(pattern, without_names, re.IGNORECASE):
                return cls(store, kind, remedy, reason)
        return cls(store, "other", "try again; if it fails again, look into the logs of the store", reason)


def is_store_error(error: OSError) -> bool:
    """Return whether an error certainly comes from the store, and not from the content of a file.

    A temporary error of the store must not be mistaken for a damaged file.
    """
    # A damaged file may refer to a position that does not exist, which raises an invalid argument.
    return error.errno not in (None, errno.EINVAL) or re.search(_OBJECT_STORES, str(error)) is not None


@contextmanager
def store_errors(store: str) -> Iterator[None]:
    """Raise errors of a file system within the block as StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError.from_os_error(store, error) from error


def is_url(path: str) -> bool:
    """Return whether a path is a URL and not a folder of this machine."""
    return "://" in path or path.startswith("dbfs:/")


def open_filesystem(path: str) -> tuple["FileSystem", str]:
    """Return the file system of a path, and the path within it.

    The path is a folder or a URL (s3://, s3a://, gs://, abfss://, dbfs:/).
    """
    from pyarrow import fs

    if path.startswith("dbfs:/"):
        # Databricks mounts DBFS on every driver, and pyarrow has no client for it.
        return fs.LocalFileSystem(), "/dbfs/" + path.removeprefix("dbfs:/").lstrip("/")
    if path.startswith("s3a://"):  # the name that Hadoop uses for S3
        path = "s3://" + path.removeprefix("s3a://")
    if is_url(path):
        filesystem, inner = fs.FileSystem.from_uri(path)
        return filesystem, inner
    return fs.LocalFileSystem(), str(Path(path).absolute())


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
