"""Forecast overrides: which rows of a forecast each one covers, what it makes of them, and which of them counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.tables.frames import category_of
from forecasting_assets.weeks import add_weeks, weeks_since

#: Columns that describe what an override covers; an empty one covers everything. The more their weights add up to, the
#: narrower the scope: a part is narrower than a category and a region together.
SCOPE = {"part_id": 4, "part_category": 2, "region": 1}


@dataclass(frozen=True)
class Series:
    """The parts and regions that overrides are applied to.

    Attributes
    ----------
    keys
        part_id, part_category and region, (n,).
    has_forecast
        Whether each has a statistical forecast, (n,). Those without get a share of a quantity only where nothing in
        the scope has one.
    """

    keys: pd.DataFrame
    has_forecast: np.ndarray


@dataclass(frozen=True)
class Overridden:
    """A forecast after overrides.

    Attributes
    ----------
    values
        Units that overrides put in place of the forecast, (n, horizon); NaN where none does.
    winner
        Position of the override that decides, (n, horizon); -1 where none does.
    covered
        Number of parts and regions in the scope of each override, (overrides,).
    """

    values: np.ndarray
    winner: np.ndarray
    covered: np.ndarray


def apply_overrides(
    statistical: np.ndarray, series: Series, overrides: pd.DataFrame, origin: date
) -> Overridden:
    """Apply overrides to a forecast.

    A quantity is the total of its scope in each week: it is spread over the whole scope in proportion to the forecast,
    evenly where the forecast is zero. A factor multiplies the forecast. Where several overrides cover a row, the newest
    counts alone, also if it takes only some rows of an older one, whose other rows keep their share of its quantity.
    Of overrides entered on the same day the one with the narrower scope counts, and then the later row.

    Parameters
    ----------
    statistical
        Mean of the forecast in units, (n, horizon); column h is the week h + 1 weeks after the origin.
    series
        The parts and regions, (n,).
    overrides
        Rows of FORECAST_OVERRIDES.
    origin
        Origin of the forecast.
    """
    n, horizon = statistical.shape
    values, winner = np.full((n, horizon), np.nan), np.full((n, horizon), -1)
    covered = np.zeros(len(overrides), dtype=np.int64)
    first = add_weeks(origin, 1)
    begin = np.clip(weeks_since(first, overrides["week_from"]), 0, horizon)
    end = np.clip(weeks_since(first, overrides["week_to"]) + 1, 0, horizon)
    quantity, factor = overrides["quantity"].to_numpy(float), overrides["factor"].to_numpy(float)
    for position, rows in _scopes(series.keys, overrides):
        covered[position] = len(rows)
        weeks = slice(begin[position], end[position])
        if not len(rows) or weeks.start >= weeks.stop:
            continue
        forecast = statistical[rows, weeks]
        if np.isnan(quantity[position]):
            values[rows, weeks] = factor[position] * forecast
        else:
            values[rows, weeks] = quantity[position] * _shares(forecast, series.has_forecast[rows])
        winner[rows, weeks] = position
    return Overridden(values, winner, covered)


def _scopes(keys: pd.DataFrame, overrides: pd.DataFrame) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the position of each override and the rows of `keys` it covers, those that count last."""
    narrow = overrides[list(SCOPE)].notna().to_numpy() @ np.array(list(SCOPE.values()))
    order = np.lexsort((np.arange(len(overrides)), narrow, overrides["entered"].to_numpy()))
    columns = {name: _Column.of(keys[name], overrides[name]) for name in SCOPE}
    limits = overrides[list(SCOPE)].notna().to_numpy()
    for position in order.tolist():
        limited = [
            column
            for column, is_limited in zip(columns.values(), limits[position], strict=True)
            if is_limited
        ]
        # The narrowest column first: its rows are few, and the others only look at these.
        rows = limited[0].rows_of(position) if limited else np.arange(len(keys))
        for column in limited[1:]:
            rows = rows[column.code[rows] == column.wanted[position]]
        yield position, rows


@dataclass(frozen=True)
class _Column:
    """One column of the scope: what each row of a forecast has, (n,), and what each override wants, as codes.

    `by_code` are the rows sorted by code, and `sorted_code` their codes.
    """

    code: np.ndarray
    wanted: np.ndarray
    by_code: np.ndarray
    sorted_code: np.ndarray

    @classmethod
    def of(cls, values: pd.Series, wanted: pd.Series) -> "_Column":
        code, names = pd.factorize(values)
        by_code = np.argsort(code, kind="stable")
        # -2 is the code of no row: a name that is missing in the forecast has the code -1.
        at = names.get_indexer(pd.Index(wanted))
        return cls(code, np.where(at < 0, -2, at), by_code, code[by_code])

    def rows_of(self, position: int) -> np.ndarray:
        """Return the rows that have what an override wants, sorted."""
        begin, end = np.searchsorted(self.sorted_code, self.wanted[position] + np.arange(2))
        return self.by_code[begin:end]


def _shares(forecast: np.ndarray, has_forecast: np.ndarray) -> np.ndarray:
    """Return the share of each row in the total of each week, (rows, weeks)."""
    counted = has_forecast if has_forecast.any() else np.ones(len(has_forecast), dtype=bool)
    even = np.repeat((counted / counted.sum())[:, None], forecast.shape[1], axis=1)
    total = forecast.sum(axis=0)
    return np.asarray(np.divide(forecast, total, out=even, where=total > 0))


def named_series(overrides: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the parts and regions that overrides name although nothing else does.

    The category is the one that the override states, or else that of the part in other regions. Regions and categories
    must be known, so that a misspelt name plans nothing.

    Parameters
    ----------
    overrides
        Rows of FORECAST_OVERRIDES.
    known
        part_id, part_category and region that are known otherwise.
    """
    named = overrides.loc[
        overrides["part_id"].notna() & overrides["region"].isin(known["region"]),
        ["part_id", "part_category", "region"],
    ]
    of_part = category_of(named, known)
    named = named.assign(part_category=named["part_category"].fillna(of_part))
    agrees = of_part.isna() | (named["part_category"] == of_part)
    return named[named["part_category"].isin(known["part_category"]) & agrees].drop_duplicates()


def override_problems(
    overrides: pd.DataFrame, keys: pd.DataFrame, covered: np.ndarray, origin: date
) -> list[str | None]:
    """Say of each override why it changes nothing, None if it is valid.

    Parameters
    ----------
    overrides
        Rows of FORECAST_OVERRIDES with `file` and `row`.
    keys
        part_id, part_category and region that are planned.
    covered
        Number of parts and regions in the scope of each override.
    origin
        The week that has just closed.
    """
    passed = overrides["week_to"] <= pd.Timestamp(origin)
    unknown = {name: overrides[name].notna() & ~overrides[name].isin(keys[name]) for name in SCOPE}
    problems: list[str | None] = []
    for position, row in enumerate(overrides.to_dict("records")):
        place = f"{row['file']}, row {row['row']}"
        reason = None
        if passed.iloc[position]:
            reason = f"week_to {row['week_to']:%Y-%m-%d} has passed: enter later weeks, or remove the row"
        elif unknown["region"].iloc[position]:
            reason = f"region {row['region']!r} is unknown: write it as in the orders"
        elif unknown["part_category"].iloc[position]:
            reason = f"part_category {row['part_category']!r} is unknown: write it as in the orders"
        elif unknown["part_id"].iloc[position]:
            reason = (
                f"part_id {row['part_id']!r} has no forecast: write it as in the orders, or fill part_category and "
                "region to plan a new part"
            )
        elif not covered[position]:
            scope = ", ".join(f"{name} {row[name]!r}" for name in SCOPE if pd.notna(row[name]))
            reason = f"no part has {scope}: check the scope"
        problems.append(reason and f"{place}: {reason}")
    return problems
