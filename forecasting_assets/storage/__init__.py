"""Files in folders and in object stores: open them, read and write them whole, lock them, and name what went wrong.

This package knows nothing about the content of the files.
"""

from forecasting_assets.storage.errors import StoreError, is_store_error, store_errors
from forecasting_assets.storage.files import (
    ExistingFileError,
    add_file,
    content_id,
    folder_exists,
    list_files,
    open_unmixed,
    put_object,
    read_file,
    remove_file,
    replace_file,
    stored_blocks,
)
from forecasting_assets.storage.filesystems import (
    is_local,
    is_url,
    joined,
    open_filesystem,
    s3_location,
    without_s3a,
)
from forecasting_assets.storage.locks import LockLostError, exclusive_lock

__all__ = [
    "ExistingFileError",
    "LockLostError",
    "StoreError",
    "add_file",
    "content_id",
    "exclusive_lock",
    "folder_exists",
    "is_local",
    "is_store_error",
    "is_url",
    "joined",
    "list_files",
    "open_filesystem",
    "open_unmixed",
    "put_object",
    "read_file",
    "remove_file",
    "replace_file",
    "s3_location",
    "store_errors",
    "stored_blocks",
    "without_s3a",
]
