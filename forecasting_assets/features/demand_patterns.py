"""Demand patterns: how regularly a series is ordered, and how much the size of its orders varies.

References
----------
Syntetos, Boylan and Croston (2005), "On the categorization of demand patterns".
"""

import numpy as np

#: The demand patterns; a pattern's code is its position in this list.
PATTERNS = ["smooth", "erratic", "intermittent", "lumpy", "new"]
#: The segments that forecasts are evaluated by: all series together, then each pattern.
SEGMENTS = ["all", *PATTERNS]
#: A series with fewer weeks since its first order is "new", whatever its orders look like.
NEW_WEEKS = 13
#: Average interval between weeks with orders from which a series is intermittent or lumpy.
ADI_LIMIT = 1.32
#: Squared coefficient of variation of the weeks with orders from which a series is erratic or lumpy.
CV2_LIMIT = 0.49


def pattern_codes(age: np.ndarray, adi: np.ndarray, cv2: np.ndarray) -> np.ndarray:
    """Classify series by demand pattern.

    Parameters
    ----------
    age
        Weeks since the first order, the current week included.
    adi
        Average interval between weeks with orders, in weeks.
    cv2
        Squared coefficient of variation of the demand in weeks with orders.

    Returns
    -------
    numpy.ndarray
        For each element, the position of its pattern in PATTERNS.
    """
    frequent, steady = adi < ADI_LIMIT, cv2 < CV2_LIMIT
    conditions = [age < NEW_WEEKS, frequent & steady, frequent, steady]
    choices = [PATTERNS.index(name) for name in ("new", "smooth", "erratic", "intermittent")]
    return np.select(conditions, choices, PATTERNS.index("lumpy"))


def pattern_names(age: np.ndarray, adi: np.ndarray, cv2: np.ndarray) -> np.ndarray:
    """Return the names that belong to `pattern_codes`."""
    names: np.ndarray = np.array(PATTERNS)[pattern_codes(age, adi, cv2)]
    return names
