"""The pyarrow file system of a folder or URL."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from forecasting_assets.storage.errors import StoreError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: Attempts at a request that an S3 server refuses for the moment, with growing pauses between them.
_ATTEMPTS = 4
#: Seconds that a request may wait for data; by default three, which a server that is busy exceeds.
_SECONDS_WITHOUT_DATA = 10
#: Schemes whose paths begin at the root of the file system, not with a bucket or container.
_ROOTED = {"hdfs", "viewfs"}


def is_url(path: str | Path) -> bool:
    """Return whether a path is a URL and not a folder of this machine."""
    return isinstance(path, str) and ("://" in path or path.startswith("dbfs:/"))


def is_local(filesystem: "FileSystem") -> bool:
    """Return whether a file system is that of this machine, where files can be renamed and locked."""
    from pyarrow import fs

    return isinstance(filesystem, fs.LocalFileSystem)


def joined(folder: str | Path, name: str) -> str:
    """Return the path or URL of a file in a folder or below a URL."""
    return f"{str(folder).rstrip('/')}/{name}" if is_url(folder) else str(Path(folder, name))


def open_filesystem(path: str | Path) -> tuple["FileSystem", str]:
    """Return the file system of a path, and the path within it.

    A process opens each store once.

    Parameters
    ----------
    path
        Folder or URL (s3://, s3a://, gs://, abfss://, dbfs:/, or another scheme that pyarrow knows).

    Raises
    ------
    StoreError
        If the URL has a query or holds credentials.
    """
    from pyarrow import fs

    path = str(path)
    if path.startswith("dbfs:/"):
        # Databricks mounts DBFS on every driver, and pyarrow has no client for it.
        return fs.LocalFileSystem(), "/dbfs/" + path.removeprefix("dbfs:/").lstrip("/")
    if not is_url(path):
        return fs.LocalFileSystem(), str(Path(path).absolute())
    path = without_s3a(path)
    parts = urlsplit(path, allow_fragments=False)
    _refuse_options(path, parts)
    if parts.scheme == "file":
        return fs.LocalFileSystem(), unquote(parts.path).rstrip("/") or "/"
    store, environment = f"{parts.scheme}://{parts.netloc}", _store_environment()
    if parts.scheme in _ROOTED:
        return _open_store(f"{store}/", environment)[0], parts.path.rstrip("/") or "/"
    filesystem, root = _open_store(store, environment)
    return filesystem, "/".join(part for part in (root, parts.path.strip("/")) if part)


def without_s3a(path: str) -> str:
    """Return a folder or URL with s3:// in place of s3a://, the name that Hadoop uses for S3."""
    return f"s3://{path.removeprefix('s3a://')}" if path.startswith("s3a://") else path


def s3_location(filesystem: "FileSystem") -> dict[str, str]:
    """Return `region` and `endpoint` of an S3 store, which other clients do not find as pyarrow does.

    There is no endpoint if it is Amazon's, and neither if it is another kind of store.
    """
    from pyarrow import fs

    if not isinstance(filesystem, fs.S3FileSystem):
        return {}
    endpoint = _s3_endpoint(os.environ)
    return {"region": filesystem.region} | ({"endpoint": endpoint} if endpoint else {})


def _s3_endpoint(variables: Mapping[str, str]) -> str | None:
    return variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")


def _refuse_options(url: str, parts: SplitResult) -> None:
    """Refuse a URL that holds more than a place, as settings and messages would show it to everyone."""
    place, is_query, _ = url.partition("?")
    authority = parts.netloc.rpartition("@")[0]
    # A secret key with a slash ends the authority.
    if ":" in authority or (parts.scheme == "s3" and (authority or (":" in parts.netloc and "@" in place))):
        remedy = "remove them, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE"
        place = f"{parts.scheme}://{place.rpartition('@')[2]}"
        raise StoreError(
            place, "credentials", remedy, "the URL holds credentials, which belong in the environment"
        )
    if is_query:
        remedy = "remove all from the question mark on, and set AWS_ENDPOINT_URL if it named another server"
        raise StoreError(place, "other", remedy, "the URL has a query")


def _store_environment() -> tuple[tuple[str, str], ...]:
    """Return the variables that clients of stores read when they are opened."""
    return tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith(("AWS_", "AZURE_", "GOOGLE_"))))


@lru_cache(maxsize=32)
def _open_store(store: str, environment: tuple[tuple[str, str], ...]) -> tuple["FileSystem", str]:
    """Open a store as `environment` describes it; another environment opens it again."""
    from pyarrow import fs

    filesystem, root = fs.FileSystem.from_uri(store)
    if isinstance(filesystem, fs.S3FileSystem):
        # from_uri finds region and endpoint, but cannot be told how often to try.
        filesystem = fs.S3FileSystem(
            region=filesystem.region or None,
            endpoint_override=_s3_endpoint(dict(environment)),
            request_timeout=_SECONDS_WITHOUT_DATA,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        )
    return filesystem, root.rstrip("/")
