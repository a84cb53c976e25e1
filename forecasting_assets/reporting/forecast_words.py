"""Sentences about the forecast of a series or a group: how accurate, what drives it, and what planners changed."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.drivers import DRIVERS, OTHER
from forecasting_assets.reporting.formats import number, percent, signed
from forecasting_assets.reporting.outlook import HISTORY_WEEKS, SHOWN_QUANTILES, ForecastTables, Outlook
from forecasting_assets.tables import SERIES
from forecasting_assets.weeks import YEAR_WEEKS, add_weeks
from forecasting_assets.wording import count

#: Drivers that are named, and the share of the forecast below which they are not.
_DRIVER_NAMES = (*DRIVERS, OTHER)
_DRIVERS_NAMED, _SMALLEST_DRIVER = 4, 0.005


def about_series(rows: Outlook, tables: ForecastTables) -> list[list[str]]:
    """Return the sentences about each series.

    Parameters
    ----------
    rows
        The series.
    tables
        What they are made from.
    """
    keys = pd.MultiIndex.from_frame(rows.keys[SERIES])
    parts = _records(tables.parts, keys)
    drivers = _records(tables.drivers, keys) if len(tables.drivers) else None
    overridden = tables.plan[tables.plan["override"].notna()].drop_duplicates(SERIES)
    overrides = _records(overridden[[*SERIES, "reason", "author"]], keys)
    sentences = []
    for i in range(len(rows)):
        row = parts[i]
        size = (
            f"Value class {row['value_class']}"
            if isinstance(row["value_class"], str)
            else "No value class yet"
        )
        sentences.append(
            [
                f"{size}. {_season(rows, i)}",
                _accuracy(row),
                _drivers(None if drivers is None else drivers[i], float(np.nansum(rows.mean[i])), tables),
                _booked(rows, i),
                _override(rows, i, overrides[i]),
            ]
        )
    return [[s for s in of_series if s] for of_series in sentences]


def about_group(rows: Outlook, tables: ForecastTables) -> list[list[str]]:
    """Return the sentences about each group."""
    errors = tables.errors[tables.errors["model"] == "combined"]
    sums = errors.groupby(["grouping", "name"])[["cells", "forecast", "actual", "absolute_error"]].sum()
    by_group = dict(zip(sums.index, sums.to_dict("records"), strict=True))
    sentences = []
    for i, (category, region) in enumerate(rows.keys[["part_category", "region"]].itertuples(index=False)):
        key = ("region", region) if region else ("part_category", category) if category else ("total", "")
        known = None if category and region else by_group.get(key)
        accuracy = "" if known is None else _error_in_words(known)
        sentences.append([_season(rows, i), accuracy, _booked(rows, i)])
    return [[s for s in of_group if s] for of_group in sentences]


def _records(table: pd.DataFrame, keys: pd.MultiIndex) -> list[dict[str, Any]]:
    """Return the row of each of `keys`, with NaN where the table has none."""
    rows: list[dict[str, Any]] = table.set_index(SERIES).reindex(keys).to_dict("records")  # type: ignore[assignment]
    return rows


def _season(rows: Outlook, i: int) -> str:
    """Compare the forecast with the same weeks a year before."""
    if not np.isfinite(rows.mean[i]).any():
        return "There is no forecast yet, as nothing has been due before: what is booked is planned for."
    horizon = rows.mean.shape[1]
    begin = HISTORY_WEEKS - YEAR_WEEKS
    before, mean = float(rows.demand[i, begin : begin + horizon].sum()), float(np.nansum(rows.mean[i]))
    forecast = f"Forecast: {_units(mean)} in {count(horizon, 'week')}"
    if not before:
        return f"{forecast}; nothing was ordered in the same weeks a year before."
    change = signed(100 * (mean / before - 1))
    return f"{forecast}; the same weeks a year before: {_units(before)} ({change} %)."


def _accuracy(row: Mapping[str, Any]) -> str:
    if not row["cells"] > 0:
        return "Accuracy: no earlier forecast of it can be compared with orders yet."
    inside, signal = percent(row["inside_80"] / row["cells"], 0), signed(row["tracking_signal"], 1)
    error = _error_in_words(row)
    return f"{error} {inside} of the weeks fell into the 80 % interval. Tracking signal {signal}."


def _error_in_words(sums: Mapping[str, Any]) -> str:
    compared = f"Accuracy: {count(sums['cells'], 'earlier forecast')} compared with orders"
    if not sums["actual"] > 0:
        return f"{compared}; nothing was ordered, {_units(sums['forecast'])} were forecast."
    bias = sums["forecast"] / sums["actual"] - 1
    side = (
        ""
        if abs(bias) < 0.0005
        else f", forecasts {percent(abs(bias))} too {'high' if bias > 0 else 'low'} overall"
    )
    return f"{compared}: WAPE {percent(sums['absolute_error'] / sums['actual'])}{side}."


def _drivers(row: Mapping[str, Any] | None, combined: float, tables: ForecastTables) -> str:
    if row is None or pd.isna(row["xgb"]):
        return f"What drives it: {tables.no_drivers}" if tables.no_drivers else ""
    units = {name: float(row[name]) for name in _DRIVER_NAMES}
    smallest = _SMALLEST_DRIVER * max(float(row["xgb"]), 1e-9)
    by_size = sorted(units.items(), key=lambda driver: -abs(driver[1]))
    largest = {name: value for name, value in by_size[:_DRIVERS_NAMED] if abs(value) >= smallest}
    named = [f"{name} {_signed_units(value)}" for name, value in largest.items()]
    rest = float(row["xgb"] - row["level"]) - sum(largest.values())
    named += [f"all else {_signed_units(rest)}"] if abs(rest) >= 0.05 else []
    return (
        f"What drives it: at the level of the last half year it would be {_units(row['level'])}; XGBoost makes it"
        f" {_units(row['xgb'])} ({_listed(named)}). The forecast averages all models by their accuracy:"
        f" {_units(combined)}."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "no change"


def _booked(rows: Outlook, i: int) -> str:
    booked = float(rows.booked[i].sum())
    if not booked:
        return ""
    if not np.isfinite(rows.mean[i]).any():
        return f"Booked already: {_units(booked)}."
    share = booked / max(float(np.nansum(rows.mean[i])), booked)
    return f"Booked already: {_units(booked)}, {percent(share, 0)} of the forecast."


def _override(rows: Outlook, i: int, why: Mapping[str, Any]) -> str:
    changed = np.isfinite(rows.override[i])
    if not changed.any():
        return ""
    reasons = [text for text in (why["reason"], why["author"]) if isinstance(text, str) and text]
    by = f" ({', '.join(reasons)})" if reasons else ""
    return (
        f"Overridden in {count(changed.sum(), 'week')}: {_units(rows.override[i, changed].sum())} instead of"
        f" {_units(rows.mean[i, changed].sum())}{by}."
    )


def _units(value: float) -> str:
    shown = _rounded(value)
    return f"{shown} {'unit' if shown == '1' else 'units'}"


def _signed_units(value: float) -> str:
    return signed(value, 0 if abs(value) >= 20 else 1)


def forecast_rows(rows: Outlook, i: int, week: date) -> tuple[list[str], list[list[str]]]:
    """Return heading and rows of the table of a series, for a terminal.

    Parameters
    ----------
    rows, i
        The series is the i-th of these.
    week
        The origin.
    """
    heading = ["Week", "Forecast", "80 % interval", "Booked", "Override", "Planned for", "A year before"]
    low, high = (rows.quantiles[i, :, SHOWN_QUANTILES.index(q)] for q in ("q10", "q90"))
    before = rows.demand[i, HISTORY_WEEKS - YEAR_WEEKS :]
    table = []
    for h in range(rows.mean.shape[1]):
        interval = f"{_rounded(low[h])} to {_rounded(high[h])}"
        values = (rows.booked[i, h], rows.override[i, h], rows.planned[i, h], before[h])
        cells = [_rounded(value) for value in values]
        table.append([str(add_weeks(week, h + 1)), _rounded(rows.mean[i, h]), interval, *cells])
    return heading, table


def _rounded(value: float) -> str:
    """Format units: small ones with a tenth, unless they are whole."""
    is_whole = not np.isfinite(value) or abs(value - round(value)) < 0.05
    return number(float(value), 0 if abs(value) >= 20 or is_whole else 1)
