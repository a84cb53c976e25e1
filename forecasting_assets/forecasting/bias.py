"""Bias: whether the forecasts of a group are off to one side by more than chance.

The forecasts of one week ahead are judged: their errors do not overlap, so that the errors of an unbiased forecast are
as likely above as below zero, independently from week to week.

References
----------
Trigg (1964), "Monitoring a forecasting system" (the tracking signal).
Holm (1979), "A simple sequentially rejective multiple test procedure".
"""

import numpy as np
import pandas as pd

#: Probability of a false alarm in one report: half of it is spent on the total, half on all other groups together.
FALSE_ALARMS = 0.05
#: Standard deviation of a normal error over its mean absolute value.
_SD_OVER_MAD = float(np.sqrt(np.pi / 2))


def sign_test(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return the probability of a split at least as uneven, if above and below are equally likely.

    Parameters
    ----------
    below, above
        Number of forecasts below and above actual demand, (groups,).
    """
    from scipy.stats import binom

    p_value: np.ndarray = np.minimum(1.0, 2 * binom.cdf(np.minimum(below, above), below + above, 0.5))
    return p_value


def tracking_signal(error: np.ndarray) -> np.ndarray:
    """Return the sum of the errors over their mean absolute value.

    Parameters
    ----------
    error
        Forecast minus actual demand, (..., weeks); NaN where it is not known.

    Returns
    -------
    numpy.ndarray
        (...,): from minus to plus the number of weeks, negative for forecasts that are too low; 0 without errors.
    """
    total, size = np.nansum(error, axis=-1), np.nansum(np.abs(error), axis=-1)
    weeks = np.isfinite(error).sum(axis=-1)
    signal: np.ndarray = np.divide(total * weeks, size, out=np.zeros_like(total), where=size > 0)
    return signal


def tracking_limit(weeks: np.ndarray | float) -> np.ndarray | float:
    """Return the size of the tracking signal that unbiased normal errors exceed in one of 20 cases."""
    return 1.96 * _SD_OVER_MAD * np.sqrt(weeks)


def group_bias(errors: pd.DataFrame, groupings: tuple[str, ...]) -> pd.DataFrame:
    """Judge the bias of the combined forecast, one week ahead, of each group.

    Parameters
    ----------
    errors
        FORECAST_ERRORS of one week.
    groupings
        Which groups to judge: values of the column `grouping`.

    Returns
    -------
    pandas.DataFrame
        grouping, name, origins, below and above (number of forecasts below and above actual demand), bias (share of
        the units ordered), p_value, tracking_signal, and one_sided: whether the sign test rejects the group, with
        FALSE_ALARMS for all groups together.
    """
    chosen = errors["grouping"].isin(groupings) & (errors["model"] == "combined") & (errors["horizon"] == 1)
    rows = errors[chosen].sort_values("origin_week")
    rows = rows.assign(error=rows["forecast"] - rows["actual"])
    wide = rows.pivot(index=["grouping", "name"], columns="origin_week", values="error")
    error = wide.to_numpy(float)
    units = rows.groupby(["grouping", "name"])["actual"].sum().reindex(wide.index).to_numpy(float)
    below, above = (error < 0).sum(axis=1), (error > 0).sum(axis=1)
    table = wide.index.to_frame(index=False).assign(
        origins=np.isfinite(error).sum(axis=1),
        below=below,
        above=above,
        bias=np.divide(np.nansum(error, axis=1), units, out=np.full(len(units), np.nan), where=units > 0),
        p_value=sign_test(below, above),
        tracking_signal=tracking_signal(error),
    )
    is_total = (table["grouping"] == "total").to_numpy()
    table["one_sided"] = False
    for family in (is_total, ~is_total):
        table.loc[family, "one_sided"] = _holm(table.loc[family, "p_value"].to_numpy(), FALSE_ALARMS / 2)
    order = {name: i for i, name in enumerate(groupings)}
    return table.sort_values(
        ["grouping", "name"], key=lambda c: c.map(order) if c.name == "grouping" else c, ignore_index=True
    )


def _holm(p_value: np.ndarray, alpha: float) -> np.ndarray:
    """Return which hypotheses are rejected, with the probability `alpha` of any false rejection."""
    order = np.argsort(p_value, kind="stable")
    passed = p_value[order] <= alpha / np.arange(len(order), 0, -1)
    rejected = np.zeros(len(order), dtype=bool)
    rejected[order] = np.logical_and.accumulate(passed)
    return rejected
