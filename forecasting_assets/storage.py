"""Folders and URLs alike: which pyarrow file system serves a path, and what its errors mean.

What is stored there is not known here.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_BLOCK = 8 << 20
#: What stores say -> the kind of error and its remedy; the first that matches counts.
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
        "give credentials by the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE",
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

#: How the errors of Amazon's, Microsoft's and Google's clients in pyarrow can be known.
_OBJECT_STORES = r"AWS Error|Azure error|google::cloud::Status"


class StoreError(ValueError):
    """A store that does not answer as it should, which says nothing about the files in it.

    Attributes
    ----------
    store
        Folder or URL.
    kind
        missing, credentials, permission, region, throttled, unreachable or other.
    remedy
        What to do about it.
    """

    def __init__(self, store: str, kind: str, remedy: str, reason: str) -> None:
        super().__init__(f"{store} cannot be read ({reason}): {remedy}")
        self.store, self.kind, self.remedy = store, kind, remedy

    @classmethod
    def of(cls, store: str, error: OSError) -> "StoreError":
        """The error of a store, from what its file system raised."""
        reason = " ".join(str(error).split())
        if isinstance(error, PermissionError) or error.errno in (errno.EACCES, errno.EPERM):
            return cls(store, "permission", "allow this user to read it", reason)
        if isinstance(error, FileNotFoundError) or error.errno == errno.ENOENT:
            return cls(store, "missing", "check the path, or create the folder", "it does not exist")
        without_names = re.sub("'[^']*'", "", reason)  # a bucket may be called permissions
        for pattern, kind, remedy in _ERRORS:
            if re.search(pattern, without_names, re.IGNORECASE):
                return cls(store, kind, remedy, reason)
        return cls(store, "other", "try again; if it goes on, look into the store's own logs", reason)


def is_of_store(error: OSError) -> bool:
    """Whether an error is certain to be of the store, and not of what is in a file.

    An error that passes would otherwise be taken for damage, as the file can be read again.
    """
    # A damaged file may lead to a place that does not exist, which is an invalid argument.
    return error.errno not in (None, errno.EINVAL) or re.search(_OBJECT_STORES, str(error)) is not None


@contextmanager
def store_errors(store: str) -> Iterator[None]:
    """Raise what a file system raises within the block as StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError.of(store, error) from error


def is_url(path: str) -> bool:
    """Whether a path is a URL and not a folder of this machine."""
    return "://" in path or path.startswith("dbfs:/")


def open_filesystem(path: str) -> tuple["FileSystem", str]:
    """The file system of a folder or URL (s3://, s3a://, gs://, abfss://, dbfs:/) and the path within it."""
    from pyarrow import fs

    if path.startswith("dbfs:/"):
        # Databricks mounts DBFS on every driver, and pyarrow has no client of its own for it.
        return fs.LocalFileSystem(), "/dbfs/" + path.removeprefix("dbfs:/").lstrip("/")
    if path.startswith("s3a://"):  # Hadoop's name for the same
        path = "s3://" + path.removeprefix("s3a://")
    if is_url(path):
        return fs.FileSystem.from_uri(path)
    return fs.LocalFileSystem(), str(Path(path).absolute())


def stored_blocks(filesystem: "FileSystem", path: str) -> Iterator[bytes]:
    """The bytes of a file as they are stored, compressed or not, in blocks."""
    with filesystem.open_input_stream(path, compression=None) as stream:
        while block := stream.read(_BLOCK):
            yield block


def content_id(filesystem: "FileSystem", path: str) -> str:
    """What identifies the content of a file: 32 hexadecimal digits."""
    digest = blake2b(digest_size=16)
    for block in stored_blocks(filesystem, path):
        digest.update(block)
    return digest.hexdigest()
