"""Errors of earlier forecasts by origin and group, and by part: what the report on accuracy shows beside its metrics.

Groups are the total, categories, regions and value classes. Errors of each origin are kept as small arrays while the
origin counts for a report, so that a report of 20,000 series needs some tens of megabytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.bias import tracking_signal
from forecasting_assets.forecasting.forecast_arrays import LEVELS, MEDIAN, VALUES
from forecasting_assets.tables import FORECAST_ERRORS, PART_ERRORS, QUANTILES, SERIES
from forecasting_assets.weeks import weeks_apart

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: What makes the groups besides the total: columns of `OriginErrors.series`.
GROUPINGS = ("part_category", "region", "value_class")
#: Share of the value at which class A ends, and class B.
CLASS_ENDS = (0.8, 0.95)
_SUMS = ["cells", "forecast", "actual", "absolute_error"]
_Q10, _Q90 = (VALUES.index(q) for q in ("q10", "q90"))


def value_classes(value: np.ndarray) -> np.ndarray:
    """Return the class of each series: A holds the first 80 % of the value, B the next 15 %, C the rest.

    Parameters
    ----------
    value
        Value of the demand of each series in a year, (series,); NaN counts as zero.
    """
    value = np.nan_to_num(value)
    order = np.argsort(-value, kind="stable")
    before = np.cumsum(value[order]) - value[order]
    share = np.divide(before, value.sum(), out=np.ones_like(before), where=value.sum() > 0)
    classes = np.empty(len(value), dtype=object)
    classes[order] = np.array(["A", "B", "C"], dtype=object)[np.searchsorted(CLASS_ENDS, share, side="right")]
    return classes


@dataclass(frozen=True)
class OriginErrors:
    """Errors of the forecasts from one origin.

    Attributes
    ----------
    week
        The origin.
    rows
        Row of each series in the panel of demand.
    series
        part_category, region, value_class and price of each series, among others.
    models
        Names of the models.
    groups
        grouping and name of each group.
    sums
        (models, groups, horizons, _SUMS).
    forecast, actual, absolute, inside
        Combined mean, demand, absolute error of the combined median, and whether the 80 % interval holds the demand,
        (series, horizons); NaN where not known.
    levels
        Number of series whose demand is below each quantile of the combined forecast, and number at or below it,
        (2, horizons, LEVELS).
    """

    week: date
    rows: np.ndarray
    series: pd.DataFrame
    models: tuple[str, ...]
    groups: pd.DataFrame
    sums: np.ndarray
    forecast: np.ndarray
    actual: np.ndarray
    absolute: np.ndarray
    inside: np.ndarray
    levels: np.ndarray

    @classmethod
    def of(
        cls,
        week: date,
        rows: np.ndarray,
        series: pd.DataFrame,
        models: dict[str, np.ndarray],
        actual: np.ndarray,
    ) -> "OriginErrors":
        """Sum the errors of one origin.

        Parameters
        ----------
        week
            The origin.
        rows
            Row of each series in the panel of demand.
        series
            part_category, region, value_class and price of each series; missing where not known.
        models
            Name -> forecasts, (series, horizons, VALUES), with NaN where there is none; `combined` is one of them.
        actual
            Demand, (series, horizons), in units; NaN where it is not known.
        """
        member, groups = _groups(series)
        shape = len(groups), actual.shape[1], len(_SUMS)
        cells = (_cells(values, actual).reshape(len(rows), -1) for values in models.values())
        sums = np.stack([(member @ of_model).reshape(shape) for of_model in cells])
        combined = models["combined"]
        known = np.isfinite(actual) & np.isfinite(combined).all(axis=-1)
        quantiles = combined[..., 1:]
        levels = np.stack(
            [
                (known[..., None] & compared).sum(axis=0)
                for compared in (actual[..., None] < quantiles, actual[..., None] <= quantiles)
            ]
        )
        return cls(
            week=week,
            rows=rows,
            series=series,
            models=tuple(models),
            groups=groups,
            sums=sums,
            forecast=np.where(known, combined[..., 0], np.nan).astype(np.float32),
            actual=np.where(known, actual, np.nan).astype(np.float32),
            absolute=np.where(known, np.abs(combined[..., MEDIAN] - actual), np.nan).astype(np.float32),
            inside=known & (combined[..., _Q10] <= actual) & (actual <= combined[..., _Q90]),
            levels=levels,
        )


def group_errors(origins: Sequence[OriginErrors], week: date) -> pd.DataFrame:
    """Return the rows of FORECAST_ERRORS, for the target weeks that have closed by the end of `week`."""
    tables = [pd.DataFrame(columns=FORECAST_ERRORS.names)]
    for origin in origins:
        horizons = weeks_apart(origin.week, week)
        sums = origin.sums[:, :, :horizons]
        model, group, h = np.nonzero(sums[..., _SUMS.index("cells")] > 0)
        names = origin.groups.iloc[group].reset_index(drop=True)
        tables.append(
            names.assign(
                origin_week=pd.Timestamp(origin.week),
                model=np.array(origin.models, dtype=object)[model],
                horizon=h + 1,
                **{name: sums[model, group, h, i] for i, name in enumerate(_SUMS)},
            )
        )
    rows = pd.concat(tables[1:] or tables, ignore_index=True)[FORECAST_ERRORS.names]
    return rows.astype({"cells": np.int64, "horizon": np.int64})


def part_errors(origins: Sequence[OriginErrors], week: date, series: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of PART_ERRORS: the errors of each series, of the target weeks closed by the end of `week`.

    Parameters
    ----------
    origins
        The origins that count.
    week
        Week of the report.
    series
        part_id and region of the rows of the panel of demand, sorted.
    """
    totals = {name: np.zeros(len(series)) for name in (*_SUMS, "inside_80", "error_value")}
    # What is known of a series at the latest origin.
    known = {name: np.full(len(series), None, dtype=object) for name in ("part_category", "value_class")}
    one_week = np.full((len(series), len(origins)), np.nan)
    for n, origin in enumerate(origins):
        row, closed = origin.rows, slice(0, weeks_apart(origin.week, week))
        absolute = np.nansum(origin.absolute[:, closed], axis=1, dtype=float)
        totals["cells"][row] += np.isfinite(origin.actual[:, closed]).sum(axis=1)
        totals["forecast"][row] += np.nansum(origin.forecast[:, closed], axis=1, dtype=float)
        totals["actual"][row] += np.nansum(origin.actual[:, closed], axis=1, dtype=float)
        totals["absolute_error"][row] += absolute
        totals["inside_80"][row] += origin.inside[:, closed].sum(axis=1)
        totals["error_value"][row] += absolute * np.nan_to_num(origin.series["price"].to_numpy(float))
        one_week[row, n] = origin.forecast[:, 0].astype(float) - origin.actual[:, 0]
        for name, values in known.items():
            values[row] = origin.series[name].to_numpy(object)
    table = series[SERIES].assign(**known, **totals, tracking_signal=tracking_signal(one_week))
    table = table[table["cells"] > 0].reset_index(drop=True)
    return table.astype({"cells": np.int64, "inside_80": np.int64})[PART_ERRORS.names]


def calibration_rows(origins: Sequence[OriginErrors], week: date) -> pd.DataFrame:
    """Return rows of backtest_report: how often demand was below each quantile, and how often at or below it.

    Where demand can equal a quantile, as zero often does, a calibrated quantile has its level between both.
    """
    counts, cells = np.zeros((2, LEVELS.size)), 0
    for origin in origins:
        closed = slice(0, weeks_apart(origin.week, week))
        counts += origin.levels[:, closed].sum(axis=1)
        cells += int(np.isfinite(origin.actual[:, closed]).sum())
    names = [f"{kind}_{q}" for kind in ("below", "at_most") for q in QUANTILES] if cells else []
    return pd.DataFrame(
        {
            "origin_week": pd.Timestamp(week),
            "model": "combined",
            "segment": "all",
            "horizon": 0,
            "metric": np.array(names, dtype=object),
            "value": counts.ravel() / cells if cells else np.empty(0),
        }
    )


def _groups(series: pd.DataFrame) -> tuple["csr_array", pd.DataFrame]:
    """Return which series belong to which group, (groups, series), and grouping and name of all groups."""
    from scipy.sparse import csr_array

    codes = [np.zeros(len(series), dtype=np.int64)]
    names = [pd.DataFrame({"grouping": ["total"], "name": [""]})]
    for grouping in GROUPINGS:
        code, distinct = pd.factorize(series[grouping], sort=True)
        codes.append(np.where(code >= 0, code + sum(map(len, names)), -1))
        names.append(pd.DataFrame({"grouping": grouping, "name": np.asarray(distinct, dtype=object)}))
    groups, code = pd.concat(names, ignore_index=True), np.stack(codes)
    level, row = np.nonzero(code >= 0)
    member = csr_array((np.ones(row.size), (code[level, row], row)), shape=(len(groups), len(series)))
    return member, groups


def _cells(values: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return what each cell adds to _SUMS: (series, horizons, _SUMS)."""
    mean, median = values[..., 0], values[..., MEDIAN]
    known = np.isfinite(actual) & np.isfinite(mean) & np.isfinite(median)
    parts = (1.0, mean, actual, np.abs(median - actual))
    return np.stack([np.where(known, part, 0.0) for part in parts], axis=-1)
