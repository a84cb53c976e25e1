"""Checks of the tables that callers hand to the planner, before anything is computed from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.errors import PicklableError

#: Columns of the demand that need a value in every row.
REQUIRED_COLUMNS = ["part_id", "part_category", "region", "due_week"]
HOURS = ["capacity_hours", "overtime_capacity_hours"]
#: Kinds of values, as pandas infers them, that are amounts.
NUMBER_KINDS = ("floating", "integer", "mixed-integer-float", "empty")


class InputError(PicklableError, ValueError):
    """A table cannot be planned with; the message names the table, the column, the value and the remedy.

    Attributes
    ----------
    kind
        What is wrong, as one word: `missing_column`, `missing_value`, `bad_week`, `out_of_bounds`, `repeated_key`.
    table
        Name of the table.
    column
        Column to blame; empty if a whole row is.
    row
        Index of the first such row; None if all rows are.
    """

    def __init__(self, message: str, kind: str = "", table: str = "", column: str = "", row: Any = None):
        super().__init__(message)
        self.kind, self.table, self.column, self.row = kind, table, column, row


class DemandError(InputError):
    """The demand cannot be planned."""


def check_demand(demand: pd.DataFrame) -> None:
    """Check part_id, part_category, region, due_week, quantity and, if there is one, unit_price.

    Raises
    ------
    DemandError
        For the first problem.
    """
    checks = _TableChecks("demand", demand, DemandError, ["part_id", "region", "due_week"])
    checks.require(REQUIRED_COLUMNS, ["quantity"])
    checks.weeks("due_week")
    checks.amounts("quantity")
    if "unit_price" in demand:
        checks.amounts("unit_price", may_be_missing=True)
    checks.unique("add up the quantities and give each part one category")


def check_hours(capacity: pd.DataFrame) -> None:
    """Check the hours of production weeks, in the columns of `network.weekly_capacity`.

    Raises
    ------
    InputError
        For the first problem.
    """
    checks = _TableChecks("capacity", capacity, InputError, ["manufacturer_id", "production_week"])
    checks.require(["manufacturer_id", "production_week"], HOURS)
    checks.weeks("production_week")
    for column in HOURS:
        checks.amounts(column)
    checks.unique("keep one of the rows")


def check_previous(previous: pd.DataFrame) -> None:
    """Check the rows of a previous plan: ALLOCATION_PLAN.

    Raises
    ------
    InputError
        For the first problem.
    """
    checks = _TableChecks("previous", previous, InputError, [])
    checks.require(["manufacturer_id", "part_category", "region", "production_week"], ["quantity"])
    checks.weeks("production_week")
    checks.amounts("quantity")


def check_supply(supply: pd.DataFrame) -> None:
    """Check units in stock or on their way: part_id, region, week, quantity.

    Raises
    ------
    InputError
        For the first problem.
    """
    checks = _TableChecks("supply", supply, InputError, ["part_id", "region", "week"])
    checks.require(["part_id", "region", "week"], ["quantity"])
    checks.weeks("week")
    checks.amounts("quantity")


class _TableChecks:
    """Checks of the columns of one table, which raise `error`; rows are named by `key`."""

    def __init__(self, name: str, table: pd.DataFrame, error: type[InputError], key: Sequence[str]) -> None:
        self.name, self.table, self.error, self.key = name, table, error, list(key)

    def require(self, names: Sequence[str], amounts: Sequence[str]) -> None:
        """Require columns, and a value in every row of those that are no amounts."""
        missing = [c for c in (*names, *amounts) if c not in self.table]
        if missing:
            message = (
                f"the {self.name} has no column {', '.join(missing)}; it has "
                f"{', '.join(map(str, self.table.columns)) or 'none'}"
            )
            raise self.error(message, "missing_column", self.name, missing[0])
        for column in names:
            empty = self.table[column].isna().to_numpy()
            if empty.any():
                message = f"the {self.name} has rows without {column}; fill it or leave the rows out"
                raise self.error(message, "missing_value", self.name, column, self._first(empty))

    def weeks(self, column: str) -> None:
        """Require Mondays of type datetime64."""
        values = self.table[column]
        if not pd.api.types.is_datetime64_dtype(values):
            message = f"{self.name}: {column} is of type {values.dtype}; convert it with pandas.to_datetime"
            raise self.error(message, "bad_week", self.name, column)
        wrong = ((values.dt.dayofweek != 0) | (values != values.dt.normalize())).to_numpy()
        if wrong.any():
            day = str(values[wrong].iloc[0]).removesuffix(" 00:00:00")
            message = f"{self.name}: {column} {day} is not a Monday; weeks are named by their Monday"
            raise self.error(message, "bad_week", self.name, column, self._first(wrong))

    def amounts(self, column: str, may_be_missing: bool = False) -> None:
        """Require finite numbers, not negative."""
        if pd.api.types.infer_dtype(self.table[column], skipna=True) not in NUMBER_KINDS:
            message = f"{self.name}: {column} is of type {self.table[column].dtype}; convert it to numbers"
            raise self.error(message, "not_a_number", self.name, column)
        values = self.table[column].to_numpy(float, na_value=np.nan)
        good = (np.isfinite(values) & (values >= 0)) | (np.isnan(values) & may_be_missing)
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            message = (
                f"{self.name}: {column} {values[row]:g}{self._named(row)}: it must be finite and not negative"
            )
            raise self.error(message, "out_of_bounds", self.name, column, self._first(~good))

    def unique(self, remedy: str) -> None:
        """Require that no key occurs twice."""
        twice = self.table.duplicated(self.key).to_numpy()
        if twice.any():
            row = int(np.flatnonzero(twice)[0])
            message = f"{self.name}:{self._named(row)} occurs more than once; {remedy}"
            raise self.error(message, "repeated_key", self.name, row=self._first(twice))

    def _first(self, wrong: np.ndarray) -> Any:
        return self.table.index[int(np.flatnonzero(wrong)[0])]

    def _named(self, row: int) -> str:
        if not self.key:
            return f" in row {self.table.index[row]}"
        values = (self.table[c].iloc[row] for c in self.key)
        return " of " + ", ".join(f"{v:%Y-%m-%d}" if isinstance(v, pd.Timestamp) else str(v) for v in values)
