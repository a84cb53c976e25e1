"""Promises in the planning folder: written whole or not at all, and never over another."""

from typing import TYPE_CHECKING

from forecasting_assets.errors import PicklableError
from forecasting_assets.storage import ExistingFileError, add_file
from forecasting_assets.tables.table_files import escape_formulas

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
    text = rows.apply(lambda values: escape_formulas(values) if values.dtype == object else values)
    content = text.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d").encode()
    try:
        return add_file(folder, f"promises_{name}.csv", content)
    except ExistingFileError as error:
        raise PromiseExistsError(error.file) from None
