"""Changed covariates of coming weeks, to see what they would change in the forecasts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.forecasting.covariates import KnownCovariates
from forecasting_assets.forecasting.forecast_arrays import SeriesIndex
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.tables import SERIES, is_price
from forecasting_assets.weeks import add_weeks

_CHANGE = re.compile(
    r"(?P<scope>.+):(?P<name>[^:=]+)=(?:(?P<percent>[+-]?\d+(?:\.\d+)?)%|(?P<value>-?\d+(?:\.\d+)?))"
)
#: Covariates are kept in single precision: a value is beyond others if it is so by more than this share.
_ROUNDING = 1e-6


class CovariateChangeError(PicklableError, ValueError):
    """A change of a covariate that cannot be tried; `change` is the change as it was written."""

    def __init__(self, change: str, message: str) -> None:
        super().__init__(f"{change}: {message}")
        self.change = change


@dataclass(frozen=True)
class CovariateChange:
    """A change of one covariate in a scope.

    Attributes
    ----------
    text
        The change as it was written.
    scope
        Parts, region and week, as written: `P0007/EU@2026-12-07`.
    name
        Name of the covariate.
    factor
        What its known value is multiplied by; None if a value replaces it.
    value
        The value that replaces it; None if a factor changes it.
    """

    text: str
    scope: str
    name: str
    factor: float | None = None
    value: float | None = None

    @classmethod
    def parse(cls, text: str) -> "CovariateChange":
        """Parse `SCOPE:NAME=-10%` or `SCOPE:NAME=1`.

        Raises
        ------
        CovariateChangeError
            If the text has another form, cuts more than 100%, or a price would not be above zero.
        """
        match = _CHANGE.fullmatch(text.strip())
        if not match:
            form = (
                "write PART/REGION:unit_price=-10% or PART/REGION:promotion=1; PART/REGION@WEEK: is one week"
            )
            raise CovariateChangeError(text, form)
        replaces = match["value"] is not None
        number = float(match["value"]) if replaces else 1 + float(match["percent"]) / 100
        if is_price(match["name"]) and number <= 0:
            raise CovariateChangeError(text, "a price has to stay above zero")
        if not replaces and number < 0:
            raise CovariateChangeError(text, "it cuts more than 100%: write -100% or a smaller cut")
        return cls(text, match["scope"], match["name"], **{"value" if replaces else "factor": number})


def known_values(panel: Panel, horizon: int) -> tuple[pd.DataFrame, np.ndarray, tuple[str, ...]]:
    """Return what is known of the coming weeks at the end of the last week of a panel.

    Returns
    -------
    tuple
        part_id, region, part_category and due_week of each cell; the value of each covariate, (cells, names), NaN where
        it is not known; and the names of the covariates.
    """
    known = KnownCovariates.of(panel, horizon)
    last = panel.demand.shape[1] - 1
    series, ahead = (index.ravel() for index in np.indices((len(panel.series), horizon)))
    weeks = np.array([np.datetime64(add_weeks(panel.first, last + 1 + h), "ns") for h in range(horizon)])
    columns = [*SERIES, "part_category"]
    cells = panel.series.iloc[series][columns].reset_index(drop=True).assign(due_week=weeks[ahead])
    if known is None:
        return cells, np.empty((len(cells), 0)), ()
    return cells, known.values[ahead + 1, series, last + 1 + ahead].astype(float), known.names


def changed_rows(
    panel: Panel, horizon: int, changes: Sequence[tuple[CovariateChange, np.ndarray]]
) -> pd.DataFrame:
    """Return the rows of known covariates that make the changes, as rows of the history.

    Parameters
    ----------
    panel
        Series with what is known of them at the end of its last week.
    horizon
        Number of coming weeks.
    changes
        Each change, and the cells of `known_values` that are in its scope, (cells,) of bool. Several changes of the
        same cells apply in turn.

    Raises
    ------
    CovariateChangeError
        If nothing is known of a covariate in the scope of its change.
    """
    cells, values, names = known_values(panel, horizon)
    changed = values.copy()
    for change, inside in changes:
        if change.name not in names:
            others = f"known are {', '.join(names)}" if names else "no covariates of these parts are known"
            raise CovariateChangeError(change.text, f"no covariate {change.name!r} is known; {others}")
        column = changed[:, names.index(change.name)]
        usable = inside & np.isfinite(column)
        if not usable.any():
            raise CovariateChangeError(
                change.text, f"no {change.name} of the coming weeks is known in this scope: enter it first"
            )
        column[usable] = change.value if change.factor is None else column[usable] * change.factor
    cell, name = np.nonzero(np.isfinite(values) & (changed != values))
    rows = cells.iloc[cell]
    known = np.datetime64(add_weeks(panel.first, panel.demand.shape[1] - 1), "ns")
    return pd.DataFrame(
        {
            **{key: rows[key].to_numpy() for key in SERIES},
            "week": rows["due_week"].to_numpy(),
            "covariate": np.array(names, dtype=object)[name],
            "value": changed[cell, name],
            "known": known,
        }
    )


def values_beyond(panel: Panel, horizon: int, rows: pd.DataFrame) -> pd.DataFrame:
    """Return which changed values lie outside those known so far, where a forecast rests on no experience.

    Parameters
    ----------
    panel, horizon
        As for `changed_rows`.
    rows
        What it returned.

    Returns
    -------
    DataFrame
        part_id, region, covariate, low and high (least and greatest of its changed values beyond), lowest and highest
        (of those known of past weeks; NaN if none is), sorted by part, region and covariate.
    """
    columns = [*SERIES, "covariate", "low", "high", "lowest", "highest"]
    known = KnownCovariates.of(panel, horizon)
    if known is None or rows.empty:
        return pd.DataFrame(columns=columns)
    past = known.values[0, :, : known.weeks].astype(float)
    lowest, highest = (extreme.reduce(past, axis=1) for extreme in (np.fmin, np.fmax))
    series = SeriesIndex(panel.series).rows(rows)
    name = pd.Index(known.names).get_indexer(pd.Index(rows["covariate"]))
    low, high, value = lowest[series, name], highest[series, name], rows["value"].to_numpy()
    within = (value >= low - _ROUNDING * np.abs(low)) & (value <= high + _ROUNDING * np.abs(high))
    beyond = rows.assign(low=value, high=value, lowest=low, highest=high)[~within]
    extremes = {"low": "min", "high": "max", "lowest": "min", "highest": "max"}
    found: pd.DataFrame = beyond.groupby([*SERIES, "covariate"], as_index=False).agg(extremes)
    return found[columns]
