"""How regularly, and how evenly, series were ordered up to each week, without the weeks that do not count."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from forecasting_assets.features.demand_patterns import pattern_codes
from forecasting_assets.features.window import ACTIVE_WEEKS
from forecasting_assets.forecasting.panel import Panel, recent_sum


@dataclass(frozen=True)
class Regularity:
    """Statistics of some series as of the end of each week, (series, weeks) each.

    They are those of the same name in feature_table wherever all weeks count.

    Attributes
    ----------
    demand
        Demand in the weeks that count, in units; zero in others.
    counted
        Whether a week counts.
    first_order
        Column of the first week with demand, (series,).
    """

    demand: np.ndarray
    counted: np.ndarray
    first_order: np.ndarray

    @classmethod
    def of(cls, panel: Panel, counted: np.ndarray) -> "Regularity":
        """Describe the series of `panel` by the weeks that are `counted`, (series, weeks)."""
        counted = counted & panel.begun
        return cls(np.where(counted, panel.demand, 0.0), counted, panel.first_order)

    @cached_property
    def order_weeks_52(self) -> np.ndarray:
        """Number of weeks with orders in the latest ACTIVE_WEEKS."""
        return recent_sum((self.demand > 0).astype(float), ACTIVE_WEEKS)

    @cached_property
    def weeks_since_order(self) -> np.ndarray:
        """Weeks since the latest order; since before the panel if there is none."""
        column = np.arange(self.demand.shape[1])
        return np.asarray(column - np.maximum.accumulate(np.where(self.demand > 0, column, -1), axis=1))

    @cached_property
    def std_13(self) -> np.ndarray:
        """Standard deviation of weekly demand in the latest 13 weeks, in units."""
        return self._standard_deviation(13)

    @cached_property
    def std_52(self) -> np.ndarray:
        """Standard deviation of weekly demand in the latest 52 weeks, in units."""
        return self._standard_deviation(ACTIVE_WEEKS)

    @cached_property
    def adi(self) -> np.ndarray:
        """Average interval between weeks with orders, in weeks."""
        weeks = recent_sum(self.counted.astype(float), ACTIVE_WEEKS)
        return np.asarray(weeks / np.maximum(self.order_weeks_52, 1.0))

    @cached_property
    def cv2(self) -> np.ndarray:
        """Squared coefficient of variation of the demand in weeks with orders."""
        orders = np.maximum(self.order_weeks_52, 1.0)
        units, squares = (recent_sum(of, ACTIVE_WEEKS) for of in (self.demand, self.demand**2))
        mean = np.maximum(units / orders, 1e-12)
        return np.asarray(np.maximum(squares / orders / mean**2 - 1, 0.0))

    @cached_property
    def pattern(self) -> np.ndarray:
        """Codes of `demand_patterns.PATTERNS`."""
        age = np.arange(self.demand.shape[1]) + 1 - self.first_order[:, None]
        return pattern_codes(age, self.adi, self.cv2)

    def _standard_deviation(self, weeks: int) -> np.ndarray:
        values = (self.counted.astype(float), self.demand, self.demand**2)
        n, units, squares = (recent_sum(of, weeks) for of in values)
        n = np.maximum(n, 1.0)
        return np.asarray(np.sqrt(np.maximum(squares / n - (units / n) ** 2, 0.0)))
