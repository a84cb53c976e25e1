"""Forecast value added: what the steps of a forecast add to its accuracy, the overrides of planners among them.

References
----------
M. Gilliland, "The Business Forecasting Deal", Wiley, 2010.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecasting_assets.features.demand_patterns import SEGMENTS
from forecasting_assets.forecasting.metrics import metrics
from forecasting_assets.planning.overrides import Series, apply_overrides
from forecasting_assets.tables import KNOWN_ON, WITHOUT_COVARIATES
from forecasting_assets.weeks import days_of

#: Name of the overridden forecast in backtest_report.
OVERRIDE = "override"
#: Names in backtest_report of the steps from the forecasts of the models to the combined one: their plain average,
#: their weighted average if no covariates were known, their weighted average, and this reconciled with the forecasts of
#: markets, before its intervals are calibrated.
STEPS = ("plain_average", WITHOUT_COVARIATES.name, "weighted_average", "reconciled")
#: Metrics of the steps.
STEP_METRICS = ["n", "wape", "scaled_pinball", "coverage_80", "coverage_90"]
#: What is added up: error of the forecast minus error after overrides, of the total of each override and week, in
#: units; and rows that overrides touched.
METRICS = ["value_added", "touched_rows"]
_KNOWN = KNOWN_ON["forecast_overrides"]


@dataclass(frozen=True)
class JudgedOverrides:
    """Overrides and the groups in which they are judged.

    Attributes
    ----------
    rows
        Rows of FORECAST_OVERRIDES.
    groups
        Names of the groups, `author: reason`, sorted.
    group
        Position in `groups` of each row.
    """

    rows: pd.DataFrame
    groups: list[str]
    group: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "JudgedOverrides":
        """Group overrides by author and reason."""
        names = rows["author"].fillna("no author") + ": " + rows["reason"].fillna("no reason")
        group, groups = pd.factorize(names.astype(object), sort=True)
        return cls(rows, [str(name) for name in groups], group)

    def sums(
        self, combined: np.ndarray, actual: np.ndarray, series: pd.DataFrame, origin: date
    ) -> np.ndarray:
        """Compare the forecast from one origin with the same forecast after the overrides known then.

        Each override is judged by the total of the rows that it changes in a week. Errors of the single rows of rarely
        ordered parts would be smallest for forecasts of zero, so that every cut would seem to be right.

        Parameters
        ----------
        combined
            Mean forecast in units, (series, horizon).
        actual
            Demand in units, (series, horizon); NaN where the week has not closed.
        series
            part_id, part_category and region, (series,).
        origin
            The origin.

        Returns
        -------
        ndarray
            (groups, horizon, METRICS).
        """
        shape = len(self.groups), combined.shape[1], len(METRICS)
        known = (self.rows[_KNOWN] <= pd.Timestamp(days_of(origin)[-1])).to_numpy()
        known &= (self.rows["week_to"] > pd.Timestamp(origin)).to_numpy()
        if not known.any():
            return np.zeros(shape)
        forecast = np.nan_to_num(combined)
        everything = Series(series, np.ones(len(series), dtype=bool))
        overridden = apply_overrides(forecast, everything, self.rows[known].reset_index(drop=True), origin)
        touched = (overridden.winner >= 0) & np.isfinite(actual) & np.isfinite(combined)
        row, week = np.nonzero(touched)
        override, group = overridden.winner[row, week], self.group[known]
        totals = np.zeros((3, len(group), shape[1]))
        for total, of in zip(totals, (forecast, overridden.values, actual), strict=True):
            np.add.at(total, (override, week), of[row, week])
        before, after, ordered = totals
        sums = np.zeros(shape)
        np.add.at(sums[..., 0], group, np.abs(before - ordered) - np.abs(after - ordered))
        np.add.at(sums[..., 1], (group[override], week), 1.0)
        return sums


def step_rows(week: date, known: np.ndarray, uses_covariates: bool) -> pd.DataFrame:
    """Return the rows of backtest_report about STEPS, all horizons together.

    Parameters
    ----------
    week
        Week of the report.
    known
        (STEPS, SEGMENTS, SUMS), sums over the origins and horizons that count for the week.
    uses_covariates
        Whether any of these forecasts used covariates; otherwise the step without them is left out.
    """
    index = pd.MultiIndex.from_product([STEPS, SEGMENTS], names=["model", "segment"])
    values = {name: of.ravel() for name, of in metrics(known).items() if name in STEP_METRICS}
    rows = pd.DataFrame(values, index).reset_index().melt(["model", "segment"], var_name="metric")
    rows = rows[rows["value"].notna() & (uses_covariates | (rows["model"] != WITHOUT_COVARIATES.name))]
    return rows.assign(origin_week=pd.Timestamp(week), horizon=0).reset_index(drop=True)


def value_added_rows(week: date, judged: JudgedOverrides, known: np.ndarray) -> pd.DataFrame:
    """Return the rows of backtest_report about overrides, all horizons together.

    Parameters
    ----------
    week
        Week of the report.
    judged
        The overrides.
    known
        (groups, METRICS), sums over the origins and horizons that count for the week.
    """
    seen = np.flatnonzero(known[:, METRICS.index("touched_rows")] > 0)
    return pd.DataFrame(
        {
            "origin_week": pd.Timestamp(week),
            "model": OVERRIDE,
            "segment": np.repeat(np.array(judged.groups, dtype=object)[seen], len(METRICS)),
            "horizon": 0,
            "metric": np.tile(np.array(METRICS, dtype=object), len(seen)),
            "value": known[seen].ravel(),
        }
    )
