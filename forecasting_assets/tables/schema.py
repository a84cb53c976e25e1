"""What a table is: columns with a type, a description and bounds on their values, and a key."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

ColumnType = Literal["string", "double", "long", "date", "timestamp", "doubles"]
_SPARK_TYPES: dict[ColumnType, str] = {
    "string": "STRING",
    "double": "DOUBLE",
    "long": "BIGINT",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "doubles": "ARRAY<DOUBLE>",
}


@dataclass(frozen=True)
class Column:
    """A column and the values it may hold.

    Attributes
    ----------
    name
        Name of the column; names are contract.
    type
        Type of its values.
    description
        Meaning and unit of its values, for people.
    nullable
        Whether values may be missing.
    minimum, maximum
        Bounds of a number; None is unbounded. Infinite numbers are never allowed.
    exclusive_minimum
        Whether the minimum itself is not allowed.
    values
        All texts that are allowed; empty if any text is.
    default
        Number used where an input file does not have the column; None if the file must have it.
    is_week
        Whether a date of an input file must be a Monday, which names a week.
    """

    name: str
    type: ColumnType
    description: str
    nullable: bool = False
    minimum: float | None = field(default=None, kw_only=True)
    maximum: float | None = field(default=None, kw_only=True)
    exclusive_minimum: bool = field(default=False, kw_only=True)
    values: tuple[str, ...] = field(default=(), kw_only=True)
    default: float | None = field(default=None, kw_only=True)
    is_week: bool = field(default=False, kw_only=True)

    @property
    def spark_type(self) -> str:
        """Type of the column in a Spark schema string."""
        return _SPARK_TYPES[self.type]

    @property
    def is_number(self) -> bool:
        """Whether the column holds one number in each row."""
        return self.type in ("double", "long")

    @property
    def bounds(self) -> str:
        """The allowed values in words, as `0 or more` or `one of short, late`; empty if any value is allowed."""
        if self.values:
            return f"one of {', '.join(self.values)}"
        if self.minimum is None:
            return "" if self.maximum is None else f"at most {self.maximum:g}"
        if self.maximum is None:
            return f"above {self.minimum:g}" if self.exclusive_minimum else f"{self.minimum:g} or more"
        if self.exclusive_minimum:
            return f"above {self.minimum:g} and at most {self.maximum:g}"
        return f"{self.minimum:g} to {self.maximum:g}"


@dataclass(frozen=True)
class Table:
    """A table of the lake or of the input files.

    Attributes
    ----------
    name
        Name of the table.
    columns
        Its columns, in order.
    key
        Columns whose values together identify a row; empty if rows are not identified.
    open
        Whether the table may hold more columns, of text, than it declares.
    optional
        Whether the file of the table may be absent, where it is read from a file.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    open: bool = False
    optional: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [c.name for c in self.columns]

    @property
    def ddl(self) -> str:
        """The columns as a Spark schema string."""
        return ", ".join(f"`{c.name}` {c.spark_type}" for c in self.columns)


def texts_ddl(names: Iterable[str]) -> list[str]:
    """Return text columns of any name as parts of a Spark schema string."""
    return [f"`{name.replace('`', '``')}` STRING" for name in names]
