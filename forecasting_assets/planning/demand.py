"""The demand that is planned for: the statistical forecast, what planners put in its place, and what is ordered."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.planning.overrides import (
    Overridden,
    Series,
    apply_overrides,
    named_series,
    override_problems,
)
from forecasting_assets.tables import DEMAND_PLAN, OVERRIDE_USE, QUANTILES, SERIES
from forecasting_assets.weeks import add_weeks, days_of, weeks_between, weeks_since

_KEYS = ["part_id", "part_category", "region"]


@dataclass(frozen=True)
class DemandSources:
    """What the demand plan of a week is made from.

    Attributes
    ----------
    forecast
        part_id, region, target_week, mean and quantiles, in units.
    parts
        part_id, region, part_category and price of the parts with a forecast.
    book
        part_id, part_category, region, due_week, quantity, unit_price: units that are ordered already.
    overrides
        Rows of FORECAST_OVERRIDES known by the end of the week, with `file` and `row`.
    promises
        Rows of PROMISES known by the end of the week.
    """

    forecast: pd.DataFrame
    parts: pd.DataFrame
    book: pd.DataFrame
    overrides: pd.DataFrame
    promises: pd.DataFrame


@dataclass(frozen=True)
class PlannedDemand:
    """Rows of DEMAND_PLAN, and of OVERRIDE_USE: what each override changed, or why it changed nothing."""

    plan: pd.DataFrame
    override_use: pd.DataFrame


def plan_demand(sources: DemandSources, origin: date, horizon: int) -> PlannedDemand:
    """Join forecast, overrides, order book and promises to the demand to plan for.

    The quantity of a row is what planners say, or else the forecast, but at least what is booked; units held for
    promises are added. Quantiles move with it (`_moved`), and are never below what is booked and held.

    Parameters
    ----------
    sources
        What the plan is made from.
    origin
        The week that has just closed.
    horizon
        Number of weeks that are planned.

    Returns
    -------
    PlannedDemand
        A row for every due week of every part and region with a forecast, and of those that are only booked, promised
        or named by an override.
    """
    held = sources.promises[sources.promises["expires"] > pd.Timestamp(days_of(origin)[-1])]
    series = _all_series(sources, held)
    index = pd.MultiIndex.from_frame(series[SERIES])
    shape = len(series), horizon
    forecast = np.zeros((*shape, 1 + len(QUANTILES)))
    row, week = _cells(index, sources.forecast, "target_week", origin, horizon)
    inside = row >= 0
    forecast[row[inside], week[inside]] = sources.forecast.loc[inside, ["mean", *QUANTILES]].to_numpy(float)
    statistical = forecast[..., 0]
    booked = _units(index, sources.book, origin, shape)
    promised = _units(index, held, origin, shape)
    known = Series(series[_KEYS], series["has_forecast"].to_numpy())
    overridden = apply_overrides(statistical, known, sources.overrides, origin)
    said = np.where(np.isnan(overridden.values), statistical, overridden.values)
    quantity = np.maximum(said, booked) + promised
    # The last row is that of position -1, which stands for no override.
    in_units = np.append(sources.overrides["quantity"].notna(), False)[overridden.winner]
    quantiles = _moved(forecast[..., 1:], statistical, said, in_units)
    quantiles = np.maximum(quantiles, booked[..., None]) + promised[..., None]
    weeks = pd.DatetimeIndex(weeks_between(add_weeks(origin, 1), add_weeks(origin, horizon)))
    repeated = series.iloc[np.repeat(np.arange(len(series)), horizon)]
    words = _words(sources.overrides, overridden.winner.ravel())
    plan = pd.DataFrame(
        {
            **{name: repeated[name].to_numpy() for name in _KEYS},
            "due_week": np.tile(weeks.to_numpy(), len(series)),
            "statistical": statistical.ravel(),
            "booked": booked.ravel(),
            "override": overridden.values.ravel(),
            "held": promised.ravel(),
            "quantity": quantity.ravel(),
            **{name: quantiles[..., i].ravel() for i, name in enumerate(QUANTILES)},
            "unit_price": repeated["price"].to_numpy(float),
            "reason": words[:, 0],
            "author": words[:, 1],
        }
    )
    return PlannedDemand(
        plan[DEMAND_PLAN.names], _override_use(sources, series, statistical, overridden, origin)
    )


def _all_series(sources: DemandSources, held: pd.DataFrame) -> pd.DataFrame:
    """Return the parts and regions to plan, sorted: those with a forecast, and those that something else names."""
    forecast = sources.forecast[SERIES].drop_duplicates()
    forecast = forecast.merge(sources.parts, on=SERIES, validate="one_to_one").assign(has_forecast=True)
    known = pd.concat([forecast, _booked_series(sources.book), held[_KEYS]], ignore_index=True)
    named = named_series(sources.overrides, known)
    series = pd.concat([known, named], ignore_index=True).drop_duplicates(SERIES)
    series = series.assign(has_forecast=series["has_forecast"].eq(True))
    return series.sort_values(SERIES, ignore_index=True)


def _words(overrides: pd.DataFrame, winner: np.ndarray) -> np.ndarray:
    """Return reason and author of the overrides that decide, (n, 2); None where none does."""
    words = overrides[["reason", "author"]].to_numpy(object)
    words[pd.isna(words)] = None
    # The last row is that of position -1, which stands for no override.
    return np.asarray(np.concatenate([words, np.full((1, 2), None)])[winner])


def _booked_series(book: pd.DataFrame) -> pd.DataFrame:
    """Return the parts and regions of the order book with the mean price of their units."""
    units = book[[*_KEYS, "quantity"]].assign(revenue=book["quantity"] * book["unit_price"])
    sums = units.groupby(_KEYS, as_index=False).sum()
    return sums[_KEYS].assign(price=(sums["revenue"] / sums["quantity"]).astype(float))


def _cells(
    index: pd.MultiIndex, rows: pd.DataFrame, column: str, origin: date, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return series and week, counted from 0, of each of `rows`; series -1 for a week beyond the horizon."""
    week = weeks_since(add_weeks(origin, 1), rows[column])
    row = index.get_indexer(pd.MultiIndex.from_frame(rows[SERIES]))
    return np.where((week >= 0) & (week < horizon), row, -1), week


def _units(index: pd.MultiIndex, rows: pd.DataFrame, origin: date, shape: tuple[int, int]) -> np.ndarray:
    """Add up the quantity of `rows` by series and due week, (series, horizon)."""
    units = np.zeros(shape)
    row, week = _cells(index, rows, "due_week", origin, shape[1])
    inside = row >= 0
    np.add.at(units, (row[inside], week[inside]), rows["quantity"].to_numpy(float)[inside])
    return units


def _moved(
    quantiles: np.ndarray, statistical: np.ndarray, said: np.ndarray, in_units: np.ndarray
) -> np.ndarray:
    """Move quantiles (series, horizon, QUANTILES) with the mean, from `statistical` to what planners have `said`.

    They are scaled, except where planners have added units: these are taken to be certain. Scaled to a single large
    order, the forecast of a part that is hardly ever ordered would be that of a lottery.
    """
    ratio = np.divide(said, statistical, out=np.ones_like(said), where=statistical > 0)
    added = np.where(in_units, np.maximum(said - statistical, 0.0), 0.0)
    moved: np.ndarray = np.where(
        (added > 0)[..., None], quantiles + added[..., None], quantiles * ratio[..., None]
    )
    return moved


def _override_use(
    sources: DemandSources,
    series: pd.DataFrame,
    statistical: np.ndarray,
    overridden: Overridden,
    origin: date,
) -> pd.DataFrame:
    overrides = sources.overrides
    won = overridden.winner >= 0
    by = overridden.winner[won]
    n = len(overrides)
    return overrides.assign(
        rows=np.bincount(by, minlength=n),
        statistical=np.bincount(by, statistical[won], minlength=n),
        override=np.bincount(by, overridden.values[won], minlength=n),
        problem=pd.Series(
            override_problems(overrides, series[_KEYS], overridden.covered, origin),
            overrides.index,
            dtype=object,
        ),
    )[OVERRIDE_USE.names]
