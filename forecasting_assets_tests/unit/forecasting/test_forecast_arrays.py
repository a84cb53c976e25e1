import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting_assets.forecasting.forecast_arrays import (
    FORECAST_COLUMNS,
    VALUES,
    SeriesIndex,
    forecast_table,
    make_valid,
)
from forecasting_assets.forecasting.panel import ForecastDataError

SERIES = pd.DataFrame({"part_id": ["A", "A", "B"], "region": ["x", "y", "x"]})
ORIGINS = np.array(["2024-01-01"] * 3, dtype="datetime64[D]")


@given(arrays(float, (3, 2, 8), elements=st.floats(-1e6, 1e6)))
def test_valid_forecasts_are_at_least_zero_and_do_not_cross(values):
    valid = make_valid(values)
    assert (valid >= 0).all()
    assert (np.diff(valid[..., 1:], axis=-1) >= 0).all()
    assert np.array_equal(make_valid(valid), valid)
    assert np.array_equal(valid[..., 0], np.maximum(values[..., 0], 0))


def test_values_that_are_not_finite_are_rejected():
    with pytest.raises(ForecastDataError, match="1 forecast values"):
        make_valid(np.array([[1, 1, 1, 1, np.nan, 1, 1, 1]]))


@given(arrays(float, (3, 2, 8), elements=st.floats(0, 1e6)), st.permutations(range(6)))
def test_a_table_converts_back_to_its_array_in_any_order_of_rows(values, order):
    table = forecast_table(SERIES, ORIGINS, values).iloc[order]
    assert np.array_equal(SeriesIndex(SERIES).forecast_array(table, 2), make_valid(values))


def test_rows_of_a_table():
    table = forecast_table(SERIES, ORIGINS, np.ones((3, 2, 8)))
    assert list(table.columns) == FORECAST_COLUMNS
    assert table["horizon"].tolist() == [1, 2] * 3
    assert table["target_week"].tolist() == [pd.Timestamp("2024-01-08"), pd.Timestamp("2024-01-15")] * 3
    assert str(table["origin_week"].dtype) == str(table["target_week"].dtype) == "datetime64[ns]"


def test_unknown_series_are_left_out_and_missing_forecasts_are_nan():
    index = SeriesIndex(SERIES.iloc[[2, 0]])
    table = forecast_table(SERIES.iloc[:2], ORIGINS[:2], np.ones((2, 1, 8)))
    array = index.forecast_array(table, 2)
    assert np.isnan(array[0]).all()
    assert array[1, 0].tolist() == [1.0] * len(VALUES)
    assert np.isnan(array[1, 1]).all()
    assert np.isnan(index.forecast_array(None, 1)).all()
    assert index.rows(pd.DataFrame({"part_id": ["B", "B", "Z"], "region": ["x", "y", "x"]})).tolist() == [
        0,
        -1,
        -1,
    ]
    assert SeriesIndex(SERIES.iloc[:0]).rows(SERIES).tolist() == [-1] * 3
