"""Promises in the planning folder: written whole or not at all, and never over another."""

from typing import TYPE_CHECKING

from forecasting_assets.storage import add_file
from forecasting_assets.tables.table_files import escape_formulas

if TYPE_CHECKING:
    import pandas as pd


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
    ExistingFileError
        If the file exists; it is kept as it is.
    StoreError
        If the folder cannot be written.
    """
    text = rows.apply(lambda values: escape_formulas(values) if values.dtype == object else values)
    content = text.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d").encode()
    return add_file(folder, f"promises_{name}.csv", content)
