"""A landing zone in a temporary folder, and order files that land in it."""

import os

import pytest

from forecasting_assets.lake.landing import Landing
from forecasting_assets.tables import ORDER_COLUMNS

HEADER = "order_id,order_date,part_id,region,quantity,unit_price"


@pytest.fixture
def landing(tmp_path):
    (tmp_path / "orders").mkdir()
    names = {name: name for name in ORDER_COLUMNS}
    return Landing.at(tmp_path, str(tmp_path / "orders"), names)


def land(landing, name, *dates, header=HEADER):
    path = os.path.join(landing.path, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(header + "\n" + "".join(f"o{i},{day},p,r,1,2\n" for i, day in enumerate(dates)))
    return path
