"""Cells of input files: from text to the type of their column, and what is wrong with those that cannot be used."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.tables.contract import invalid_values
from forecasting_assets.tables.schema import Column
from forecasting_assets.weeks import are_weeks, week_of

_ISO_DATE = r"\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True)
class CellProblem:
    """One cell that cannot be used.

    Attributes
    ----------
    kind
        What is wrong, as one word: `empty`, `not_allowed`, `bad_week`, `bad_date`, `not_a_number`, `out_of_bounds` or
        `not_whole`.
    row
        Label of the row.
    column, value
        The column, and the text of the cell.
    remedy
        What is wrong and what to do; follows the value in a sentence.
    """

    kind: str
    row: Any
    column: str
    value: str
    remedy: str


def typed_cells(text: pd.Series, column: Column) -> pd.Series:
    """Convert text to the type of a column; what cannot be converted is missing.

    Parameters
    ----------
    text
        Cells, an empty text where a cell is empty, (n,).
    column
        The column.

    Returns
    -------
    Series
        (n,) of object (texts, NaN where an optional one is empty), float or datetime64[ns].
    """
    if column.type == "string":
        texts: pd.Series = text.astype(object)
        if column.nullable:
            texts = texts.where(texts.astype(bool), other=np.nan)
        return texts
    if column.type == "date":
        iso = text.where(text.str.fullmatch(_ISO_DATE), "")
        return pd.to_datetime(iso, format="%Y-%m-%d", errors="coerce").astype("datetime64[ns]")
    numbers: pd.Series = pd.to_numeric(text, errors="coerce").astype(float)
    return numbers


def cell_problems(text: pd.Series, typed: pd.Series, column: Column) -> Iterator[CellProblem]:
    """Yield the cells of a column that cannot be used.

    Parameters
    ----------
    text, typed
        The cells, and the result of `typed_cells`, (n,).
    column
        The column, whose bounds decide.
    """
    looked_at = (text != "") | (not column.nullable)
    if column.type == "string":
        wanted = column.bounds or "a name"
        yield from _problems("empty", text[looked_at & (text == "")], column, f"is empty; write {wanted}")
        if column.values:
            others = text[(text != "") & ~text.isin(column.values)]
            yield from _problems("not_allowed", others, column, f"is not known; write {column.bounds}")
    elif column.type == "date":
        yield from _date_problems(text[looked_at], typed[looked_at], column)
    elif column.is_number:
        finite = pd.Series(np.isfinite(typed), index=typed.index)
        remedy = "is not a number; write one with a decimal point and no unit"
        yield from _problems("not_a_number", text[looked_at & ~finite], column, remedy)
        remedy = f"is outside the allowed range; write a number, {column.bounds}"
        outside = finite & invalid_values(typed, column)
        yield from _problems("out_of_bounds", text[outside], column, remedy)
        if column.type == "long":
            remedy = "is not a whole number; write whole weeks"
            yield from _problems("not_whole", text[finite & (typed % 1 != 0)], column, remedy)


def _date_problems(text: pd.Series, days: pd.Series, column: Column) -> Iterator[CellProblem]:
    unread = text[days.isna()]
    beyond = unread[unread.map(_is_date).astype(bool)]
    yield from _problems("bad_date", beyond, column, "is too far away; write a day from 1678 to 2261")
    text, days = text.drop(beyond.index), days.drop(beyond.index)
    if not column.is_week:
        yield from _problems("bad_date", text[days.isna()], column, "is not a valid date; write YYYY-MM-DD")
        return
    remedy = "is not a valid week: use a Monday as YYYY-MM-DD"
    yield from _problems("bad_week", text[days.isna()], column, remedy)
    for row, value in text[days.notna() & ~are_weeks(days)].items():
        day = date.fromisoformat(value)
        remedy = f"is a {day:%A}, but weeks are named by their Monday: use {week_of(day)}"
        yield CellProblem("bad_week", row, column.name, value, remedy)


def _is_date(text: str) -> bool:
    if not re.fullmatch(_ISO_DATE, text):
        return False
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _problems(kind: str, text: pd.Series, column: Column, remedy: str) -> Iterator[CellProblem]:
    for row, value in text.items():
        yield CellProblem(kind, row, column.name, value, remedy)
