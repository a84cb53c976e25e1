"""Samples and groups of whole parts, by a hash of their names."""

import numpy as np
import pandas as pd

from forecasting_assets.tables import SERIES

_RANK = "_rank"


class PartSample:
    """Samples the rows of about `n_series` series from rows that are added a few at a time.

    Whole parts are drawn by a hash of their names, so the sample does not depend on the order of the rows, and no
    more than the sample is in memory.
    """

    def __init__(self, n_series: int) -> None:
        self._n_series = n_series
        self._kept: list[pd.DataFrame] = []
        self._series = pd.DataFrame(columns=[*SERIES, _RANK])
        # The limit only falls as more series are added, so that a part once left out is never drawn later.
        self._last_rank = np.iinfo(np.uint64).max

    def add(self, history: pd.DataFrame) -> None:
        """Add rows with part_id, region and any other columns."""
        rows = history.assign(**{_RANK: pd.util.hash_array(history["part_id"].to_numpy(object))})
        added = self._sampled(rows)[[*SERIES, _RANK]].drop_duplicates(SERIES)
        series = pd.concat([self._series, added]) if len(self._series) else added
        self._series = series.drop_duplicates(SERIES).sort_values(_RANK)
        if len(self._series) > self._n_series:
            self._last_rank = self._series[_RANK].iloc[self._n_series - 1]
            self._series = self._sampled(self._series)
        self._kept.append(self._sampled(rows))

    @property
    def rows(self) -> pd.DataFrame:
        """The rows in the sample."""
        return self._sampled(pd.concat(self._kept)).drop(columns=_RANK)

    def about(self, known: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of known covariates or notes that are about parts in the sample, or about all parts."""
        part = known["part_id"].astype(object)
        rank = pd.util.hash_array(part.fillna("").to_numpy(object))
        return known[part.isna().to_numpy() | (rank <= self._last_rank)]

    def _sampled(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[(rows[_RANK] <= self._last_rank).to_numpy(bool)]


def sample_parts(history: pd.DataFrame, n_series: int) -> pd.DataFrame:
    """Return the rows of about `n_series` series of `history`, with covariates and notes of them; see PartSample."""
    sample, about = PartSample(n_series), np.zeros(len(history), dtype=bool)
    for name in {"covariate", "note"}.intersection(history):
        about |= history[name].notna().to_numpy()
    sample.add(history[~about])
    return pd.concat([sample.rows, sample.about(history[about])]) if about.any() else sample.rows


def part_group(rows: pd.DataFrame, group: int, groups: int) -> pd.DataFrame:
    """Return the rows (part_id and any other columns) of the parts in one of `groups` groups, numbered from 0."""
    if groups == 1:
        return rows
    chosen: pd.DataFrame = rows[pd.util.hash_array(rows["part_id"].to_numpy(object)) % groups == group]
    return chosen
