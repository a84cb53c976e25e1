"""How order files write dates, numbers and text: the setting `[orders.format]`."""

import codecs
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DateOrder = Literal["iso", "day_first", "month_first"]


class OrderFormat(BaseModel):
    """How the order files of a landing zone are written; the defaults are those of a plain UTF-8 CSV export.

    ISO 8601 dates are read whatever `date` says, because they can be read in one way only. `.tsv` files are always
    delimited by tabs, and a byte order mark names the encoding of its file.
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
    currency: str = Field("", description="Currency sign or code that is written beside prices, as $ or EUR")
    delimiter: Literal[",", ";", "\t", "|"] = Field(",", description="What separates the cells of a CSV file")
    encoding: str = Field("utf-8", description="Text encoding of CSV files, as utf-8, cp1252 or latin-1")

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError(
                "no such text encoding: use utf-8, cp1252 or another that Python knows"
            ) from None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same sign: numbers could be read in two ways")
        return self
