"""The setting `[orders.format]`: how dates, numbers and text are written in order files."""

import codecs
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DateOrder = Literal["iso", "day_first", "month_first"]
Delimiter = Literal[",", ";", "\t", "|"]


class OrderFormat(BaseModel):
    """Format of the order files of a landing zone; the defaults are those of a plain UTF-8 CSV export.

    ISO 8601 dates are always read, because they are never ambiguous. `.tsv` files always have tabs between cells, and
    a byte order mark takes precedence over the encoding.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: DateOrder = Field(
        "iso",
        description="How dates are written: iso (2025-03-10), day_first (10.03.2025) or month_first (3/10/2025)",
    )
    decimal: Literal[".", ","] = Field(".", description="Decimal separator of quantities and prices")
    thousands: Literal["", ",", ".", " ", "'"] = Field(
        "", description="Thousands separator of quantities and prices; empty if they have none"
    )
    currency: str = Field("", description="Currency symbol or code before or after prices, such as $ or EUR")
    delimiter: Delimiter = Field(",", description="Character between the cells of a CSV file")
    encoding: str = Field("utf-8", description="Text encoding of CSV files, such as utf-8, cp1252 or latin-1")

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError(
                "unknown text encoding: use utf-8, cp1252 or another encoding that Python supports"
            ) from None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must differ, or numbers would be ambiguous")
        return self
