"""What the errors of a file system mean: which are of the store, of what kind, and how to fix them."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from forecasting_assets.errors import PicklableError

#: Pattern of a store's message, the kind of error and its remedy; the first match counts.
_ERRORS = [
    (
        r"no.?such.?bucket|container.?not.?found|bucket +not found|specified (bucket|container) does not exist",
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
    (r"no space left|quota", "full", "free some space"),
    (r"slow.?down|throttl|too.?many.?requests|\b429\b|\b503\b", "throttled", "try again later"),
    (
        r"could.?n.?t connect|connection|resolve.?host|timed? ?out|timeout|network|unreachable|curl",
        "unreachable",
        "check the network and the endpoint (AWS_ENDPOINT_URL), and try again",
    ),
]

_NOT_THERE = "it does not exist"
#: StoreError as the last line of a traceback.
_QUOTED = re.compile(
    r"StoreError: (?P<store>.+) cannot be (?P<action>read|written) \((?P<reason>.*)\): (?P<remedy>.+)"
)
#: Marks of the errors of Amazon's, Microsoft's and Google's clients in pyarrow.
_OBJECT_STORES = r"AWS Error|Azure error|google::cloud::Status"


class StoreError(PicklableError, ValueError):
    """A store that cannot be read or written, whatever the state of the files in it.

    Attributes
    ----------
    store
        Folder or URL.
    kind
        missing, credentials, permission, region, full, throttled, unreachable or other.
    remedy
        How to fix it.
    reason
        The message of the file system.
    action
        What cannot be done: read or written.
    """

    def __init__(self, store: str, kind: str, remedy: str, reason: str, action: str = "read") -> None:
        super().__init__(f"{store} cannot be {action} ({reason}): {remedy}")
        self.store, self.kind, self.remedy, self.reason, self.action = store, kind, remedy, reason, action

    @classmethod
    def from_os_error(cls, store: str, error: OSError, action: str = "read") -> "StoreError":
        """Translate an error that the file system of a store raised."""
        reason = " ".join(str(error).split())
        if isinstance(error, PermissionError) or error.errno in (errno.EACCES, errno.EPERM):
            remedy = f"allow this user to {'write' if action == 'written' else 'read'} it"
            return cls(store, "permission", remedy, reason, action)
        if isinstance(error, FileNotFoundError) or error.errno == errno.ENOENT:
            reason = _NOT_THERE
        kind, remedy = _kind_and_remedy(reason)
        if reason == _NOT_THERE and ":/" in store:
            remedy = "check the URL, or put files there"
        if kind == "permission" and action == "written":
            remedy = remedy.replace("list and read", "list, read and write")
        return cls(store, kind, remedy, reason, action)

    @classmethod
    def from_text(cls, text: str) -> "StoreError | None":
        """Find the error in a text that quotes it, as Spark quotes errors of its workers; None if there is none."""
        if not (quoted := _QUOTED.search(text)):
            return None
        kind, _ = _kind_and_remedy(quoted["reason"])
        return cls(quoted["store"], kind, quoted["remedy"], quoted["reason"], quoted["action"])


def is_store_error(error: OSError) -> bool:
    """Return whether an error certainly comes from the store, and not from the content of a file.

    A temporary error of the store must not be mistaken for a damaged file.
    """
    # A damaged file may refer to a position that does not exist, which raises an invalid argument.
    return error.errno not in (None, errno.EINVAL) or re.search(_OBJECT_STORES, str(error)) is not None


@contextmanager
def store_errors(store: str, action: str = "read") -> Iterator[None]:
    """Raise errors of a file system within the block, in which a store is read or written, as StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError.from_os_error(store, error, action) from None


def _kind_and_remedy(reason: str) -> tuple[str, str]:
    if reason == _NOT_THERE:
        return "missing", "check the path, or create the folder"
    without_names = re.sub("'[^']*'", "", reason)  # a bucket may be called permissions
    for pattern, kind, remedy in _ERRORS:
        if re.search(pattern, without_names, re.IGNORECASE):
            return kind, remedy
    return "other", "try again; if it fails again, look into the logs of the store"
