import pandas as pd

from forecasting_assets.forecasting import naive
from forecasting_assets.forecasting.forecast_arrays import VALUES
from forecasting_assets.weeks import add_weeks
from forecasting_assets_tests.support.market import FIRST, market


def test_the_forecast_is_the_demand_of_a_year_ago():
    history, origin = market(), add_weeks(FIRST, 80)
    predicted = naive.forecast(history, origin, 4, 104)
    one = predicted[(predicted["part_id"] == "P00") & (predicted["region"] == "R0")]
    known = history[(history["part_id"] == "P00") & (history["region"] == "R0")].set_index("week")["quantity"]
    assert one["mean"].tolist() == [known[pd.Timestamp(add_weeks(origin, h - 52))] for h in range(1, 5)]
    assert (predicted[VALUES].nunique(axis=1) == 1).all()


def test_nothing_after_the_origin_changes_it():
    history, origin = market(), add_weeks(FIRST, 70)
    known = history[history["week"] <= str(origin)]
    pd.testing.assert_frame_equal(
        naive.forecast(history, origin, 4, 104), naive.forecast(known, origin, 4, 104)
    )
