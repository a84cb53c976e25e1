import pytest

from forecasting_assets.orders.landing import scan_order_file
from forecasting_assets.orders.rows import OrderFileError
from forecasting_assets.tables import ORDER_COLUMNS
from forecasting_assets_tests.support.order_files import source_of

NAMES = {name: name for name in ORDER_COLUMNS} | {"part_id": "sku"}


@pytest.mark.parametrize(
    ("content", "kind", "columns"),
    [
        ("order_id,region,quantity,unit_price\n", "missing_columns", ("order_date", "sku")),
        (
            "order_id,order_date,sku,region,quantity,unit_price\n1,soon,P,EU,2,3\n",
            "no_dates",
            ("order_date",),
        ),
    ],
)
def test_a_file_that_cannot_be_order_lines_names_the_columns_with_the_fault(tmp_path, content, kind, columns):
    file = tmp_path / "a.csv"
    file.write_text(content)
    with pytest.raises(OrderFileError) as caught:
        scan_order_file(source_of(file), NAMES)
    assert (caught.value.kind, caught.value.columns) == (kind, columns)
    assert "[orders" in caught.value.remedy
