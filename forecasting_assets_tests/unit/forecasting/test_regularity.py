import numpy as np
import pandas as pd
import pytest

from devtools.feature_table import features
from forecasting_assets.features.demand_patterns import PATTERNS
from forecasting_assets.forecasting.panel import Panel
from forecasting_assets.forecasting.regularity import Regularity
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market

WEEKS = 110
STATISTICS = ["order_weeks_52", "weeks_since_order", "std_13", "std_52", "adi", "cv2"]


@pytest.fixture(scope="module")
def table():
    """Return the orders of series of every demand pattern."""
    table = market(weeks=WEEKS, series=12)
    rng = np.random.default_rng(2)
    wild = rng.lognormal(2, 1.5, WEEKS) * [rng.random(WEEKS) < share for share in (1.0, 0.4)]
    for region, quantity in zip(("R8", "R9"), wild, strict=True):
        weeks = [pd.Timestamp(add_weeks(FIRST, int(w))) for w in np.flatnonzero(quantity)]
        more = {"part_id": "W", "part_category": "C0", "region": region, "week": weeks}
        table = pd.concat([table, pd.DataFrame({**more, "quantity": quantity[quantity > 0]})])
    return table


@pytest.fixture(scope="module")
def panel(table):
    return Panel.from_history(table, FIRST, add_weeks(FIRST, WEEKS - 1))


def every_week(panel):
    return np.ones(panel.demand.shape, dtype=bool)


def test_where_all_weeks_count_the_statistics_are_those_of_the_feature_table(table, panel):
    found = Regularity.of(panel, every_week(panel))
    row, column = np.nonzero(panel.active_weeks)
    week = pd.to_datetime([add_weeks(FIRST, int(w)) for w in column])
    keys = pd.MultiIndex.from_frame(panel.series.iloc[row][["part_id", "region"]].assign(week=week))
    expected = features(table).set_index(["part_id", "region", "week"]).loc[keys]
    for name in STATISTICS:
        of_panel = getattr(found, name)[row, column]
        np.testing.assert_allclose(of_panel, expected[name], rtol=1e-6, atol=1e-5, err_msg=name)
    assert [PATTERNS[p] for p in found.pattern[row, column]] == expected["segment"].tolist()
    assert set(expected["segment"]) == set(PATTERNS)


def test_weeks_that_do_not_count_change_nothing(panel):
    counted = np.random.default_rng(0).random(panel.demand.shape) < 0.9
    counted[np.arange(len(panel.demand)), panel.first_order] = True
    absurd = Panel(panel.series, FIRST, np.where(counted, panel.demand, 2e9))
    zero = Panel(panel.series, FIRST, np.where(counted, panel.demand, 0.0))
    expected = Regularity.of(zero, counted & zero.begun)
    found = Regularity.of(absurd, counted & zero.begun)
    for name in STATISTICS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert (found.adi <= Regularity.of(zero, every_week(zero)).adi).all()


def test_later_weeks_change_nothing(panel):
    later = np.arange(WEEKS) >= 60
    begun = panel.rows(np.flatnonzero(panel.first_order < 60))
    poisoned = Panel(begun.series, FIRST, np.where(later, 1e6, begun.demand))
    found, expected = (Regularity.of(of, every_week(begun)) for of in (poisoned, begun))
    for name in [*STATISTICS, "pattern"]:
        np.testing.assert_array_equal(
            getattr(found, name)[:, :60], getattr(expected, name)[:, :60], err_msg=name
        )
    assert not np.array_equal(found.cv2[:, 70], expected.cv2[:, 70])
