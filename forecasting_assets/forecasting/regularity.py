"""How regularly, and how evenly, series were ordered up to each week, without the weeks that do not count."""

from dataclasses import dataclass

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
    order_weeks_52
        Number of weeks with orders in the latest ACTIVE_WEEKS.
    weeks_since_order
        Weeks since the latest order; since the begin of the panel if there is none.
    std_13, std_52
        Standard deviation of weekly demand in the latest 13 and 52 weeks, in units.
    adi
        Average interval between weeks with orders, in weeks.
    cv2
        Squared coefficient of variation of the demand in weeks with orders.
    pattern
        Codes of `demand_patterns.PATTERNS`.
    """

    order_weeks_52: np.ndarray
    weeks_since_order: np.ndarray
    std_13: np.ndarray
    std_52: np.ndarray
    adi: np.ndarray
    cv2: np.ndarray
    pattern: np.ndarray

    @classmethod
    def of(cls, panel: Panel, counted: np.ndarray) -> "Regularity":
        """Compute the statistics of the series of `panel` from the weeks that are `counted`, (series, weeks)."""
        counted = counted & panel.begun
        demand = np.where(counted, panel.demand, 0.0)
        column = np.arange(demand.shape[1])
        values = [of.astype(float) for of in (counted, demand > 0, demand, demand**2)]
        weeks, orders, units, squares = (recent_sum(of, ACTIVE_WEEKS) for of in values)
        of_quarter = [recent_sum(of, 13) for of in (values[0], values[2], values[3])]
        divisor = np.maximum(orders, 1.0)
        mean = np.maximum(units / divisor, 1e-12)
        adi, cv2 = weeks / divisor, np.maximum(squares / divisor / mean**2 - 1, 0.0)
        age = column + 1 - panel.first_order[:, None]
        return cls(
            order_weeks_52=orders,
            weeks_since_order=column - np.maximum.accumulate(np.where(demand > 0, column, -1), axis=1),
            std_13=_standard_deviation(*of_quarter),
            std_52=_standard_deviation(weeks, units, squares),
            adi=adi,
            cv2=cv2,
            pattern=pattern_codes(age, adi, cv2),
        )


def _standard_deviation(weeks: np.ndarray, units: np.ndarray, squares: np.ndarray) -> np.ndarray:
    n = np.maximum(weeks, 1.0)
    deviation: np.ndarray = np.sqrt(np.maximum(squares / n - (units / n) ** 2, 0.0))
    return deviation
