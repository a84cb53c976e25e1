import numpy as np

from forecasting_assets.features.demand_patterns import PATTERNS, pattern_codes, pattern_names


def test_patterns_at_their_limits():
    """Syntetos, Boylan and Croston (2005): both limits belong to the less regular pattern."""
    age = np.array([13, 13, 13, 13, 13, 12])
    adi = np.array([1.31, 1.31, 1.32, 1.32, 1.0, 1.0])
    cv2 = np.array([0.48, 0.49, 0.48, 0.49, 0.0, 0.0])
    expected = ["smooth", "erratic", "intermittent", "lumpy", "smooth", "new"]
    assert pattern_names(age, adi, cv2).tolist() == expected
    assert [PATTERNS[code] for code in pattern_codes(age, adi, cv2)] == expected
