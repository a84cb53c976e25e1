"""Units already ordered for the weeks that are forecast, and forecasts that start from them.

The demand of a week is what is booked for it by now plus what is still to come. From past weeks it is known which
share of the demand is usually booked that far ahead. With `m` the forecast without the book, `b` the units booked
and `p` that share, the expected demand is `b + (1 - p) (b + (1 - p) m)`: units still to come are expected from a
mixture of `m` and the demand `b / p` that the book alone suggests, in which the book has the weight `p`.

References
----------
Benktander (1976), "An approach to credibility in calculating IBNR for casualty excess reinsurance"; Mack (2000),
"Credible claims reserves: the Benktander method". Claims reported so far and claims to come are the same problem.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import LOG_GAIN, Panel, in_units
from forecasting_assets.forecasting.rolling import RollingForecasts
from forecasting_assets.forecasting.season import GroupTotals

#: Weight of a week's booked share relative to one a week later.
MEMORY = 0.95
#: Weeks of mean demand that the booked share of the category counts for, where a series shows few weeks of its own.
PRIOR_WEEKS = 6.0


@dataclass(frozen=True)
class OrderBook:
    """What is booked at the end of every week of a panel.

    Attributes
    ----------
    booked
        Units booked for the weeks ahead, (series, weeks, horizon).
    share
        Usual share of the demand that is booked 1 to `horizon` weeks ahead, as known at the end of each week, in the
        same shape; NaN before any week with bookings that far ahead has closed.
    """

    booked: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, panel: Panel, totals: GroupTotals, scale: np.ndarray, horizon: int) -> "OrderBook | None":
        """Arrange the bookings of a panel; None if there are none in the whole market.

        Parameters
        ----------
        panel
            Demand and bookings of some series.
        totals
            Demand and bookings of all categories.
        scale
            Mean demand of each series, (series,) in units.
        horizon
            Number of weeks ahead.
        """
        if totals.booked is None:
            return None
        booked = panel.booked(horizon)
        code, names = pd.factorize(panel.series["part_category"])
        category = pd.Index(names)
        in_category = totals.bookings(category, panel, horizon)
        demand = totals.demand("part_category", category, panel)
        share = np.full(booked.shape, np.nan)
        for h in range(1, horizon + 1):
            # Weeks before customers booked so far ahead for the first time say nothing.
            begun = np.maximum.accumulate(in_category[..., h - 1] > 0, axis=1)
            known = _closed_sums(in_category[..., h - 1], demand, begun, h)
            own = _closed_sums(booked[..., h - 1], panel.demand, begun[code], h)
            usual = np.divide(*known, out=np.full_like(known[0], np.nan), where=known[1] > 0)[code]
            prior = PRIOR_WEEKS * scale[:, None]
            share[..., h - 1] = (own[0] + prior * usual) / (own[1] + prior)
        return cls(booked, np.clip(share, 0.0, 1.0))

    def expected(self, statistical: np.ndarray) -> np.ndarray:
        """Combine the forecast without the book (series, weeks, horizon), in units, with what is booked."""
        still_to_come = (1 - self.share) * (self.booked + (1 - self.share) * statistical)
        known = np.isfinite(self.share)
        combined: np.ndarray = np.where(
            known, self.booked + still_to_come, np.maximum(statistical, self.booked)
        )
        return combined


def start_from_book(rolling: RollingForecasts, book: OrderBook | None) -> RollingForecasts:
    """Let forecasts start from what was booked at the end of each week; unchanged if nothing is ever booked."""
    if book is None:
        return rolling
    scale = rolling.scale[:, None, None]
    units = book.expected(in_units(rolling.location, rolling.scale))
    location = np.log1p(LOG_GAIN * units / scale)
    # Errors are NaN where the target week has not closed.
    error = rolling.error + rolling.location - location
    return replace(rolling, location=location, error=error, booked=book.booked, booked_share=book.share)


def _closed_sums(
    booked: np.ndarray, demand: np.ndarray, begun: np.ndarray, h: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add up the bookings made `h` weeks ahead and the demand they became, over the weeks closed by each week.

    Parameters
    ----------
    booked, demand
        (rows, weeks), in units.
    begun
        Weeks of booking that count, in the same shape.
    h
        Weeks from booking to demand.

    Returns
    -------
    tuple
        Weighted sums of bookings and of demand, (rows, weeks); see MEMORY.
    """
    sums = []
    for values, late in ((booked, True), (demand, False)):
        counted = np.zeros(demand.shape)
        counted[:, h:] = np.where(begun[:, :-h], values[:, :-h] if late else values[:, h:], 0.0)
        total = np.zeros(len(demand))
        for t in range(demand.shape[1]):
            counted[:, t] = total = MEMORY * total + counted[:, t]
        sums.append(counted)
    return sums[0], sums[1]
