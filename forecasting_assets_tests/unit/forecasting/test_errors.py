import pickle
from datetime import date

import pytest

from forecasting_assets.forecasting.on_spark import DistributedFitError
from forecasting_assets.forecasting.panel import DemandError
from forecasting_assets.forecasting.xgb import NotEnoughHistory
from forecasting_assets.storage import StoreError
from forecasting_assets.weeks import WeekError


@pytest.mark.parametrize(
    "error",
    [
        DemandError("quantity: -1.0 is not valid", "quantity"),
        DistributedFitError(date(2025, 3, 10), 2, "a task failed"),
        NotEnoughHistory(date(2025, 3, 10), 3, 500),
        StoreError("s3://orders", "missing", "create the bucket", "NoSuchBucket"),
        WeekError("W11", "'W11' is not a valid week"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_keep_message_and_attributes_across_processes(error):
    received = pickle.loads(pickle.dumps(error))
    assert type(received) is type(error)
    assert str(received) == str(error)
    assert vars(received) == vars(error)
