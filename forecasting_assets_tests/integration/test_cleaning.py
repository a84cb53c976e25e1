"""The rules for single rows, as Spark applies them: what is no number, no date or no part is told as such."""

import csv
from datetime import UTC, date, datetime

import pyarrow.parquet as pq
import pytest

from forecasting_assets.orders import cleaning
from forecasting_assets.orders.raw import raw_name
from forecasting_assets.resources.lake import Lake
from forecasting_assets.runs import materialize
from forecasting_assets.settings import Settings, load_settings
from forecasting_assets.tables import CLEAN_ORDERS, OPTIONAL_ORDER_COLUMNS, ORDER_COLUMNS, REJECTED_ORDERS
from forecasting_assets.weeks import add_weeks

pytestmark = pytest.mark.spark

WEEK = date(2024, 3, 4)
ORDER = {
    "order_id": "1",
    "order_date": "2024-03-05",
    "part_id": "P1",
    "region": "north",
    "quantity": "2",
    "unit_price": "3.5",
    "part_category": "casting",
    "line_id": "1",
}
BROKEN = {
    "bad_date": [
        {"order_date": text}
        for text in (
            None,
            "",
            "soon",
            "05/03/2024",
            "2024-02-30",
            "2024-03-11",
            "2024-03-10T23:30-02:00",
            "2024",
        )
    ],
    "bad_quantity": [
        {"quantity": text}
        for text in (None, "", "1d", "1f", "NaN", "Infinity", "-inf", "0x1p3", "1e400", "1,5", "12 pcs", "e5")
    ],
    "non_positive_quantity": [{"quantity": text} for text in ("0", "-1", "-.5e1", "1e-400")],
    "bad_price": [{"unit_price": "free"}, {"unit_price": None}],
    "non_positive_price": [{"unit_price": "-0"}],
    "missing_part": [{"part_id": " "}],
    "missing_region": [{"region": None}],
}
SOUND = {
    "quantity": {" 2 ": 2.0, "+.5": 0.5, "1.": 1.0, "1e3": 1000.0, "007": 7.0},
    "order_date": {
        " 2024-03-04 ": datetime(2024, 3, 4, tzinfo=UTC),
        "2024-03-10 23:59:59.5Z": datetime(2024, 3, 10, 23, 59, 59, 500000, tzinfo=UTC),
        "2024-03-11T01:00+05:30": datetime(2024, 3, 10, 19, 30, tzinfo=UTC),
        "2024-03-11T01:00:00+0530": datetime(2024, 3, 10, 19, 30, tzinfo=UTC),
        "2024-03-10T23:30Z": datetime(2024, 3, 10, 23, 30, tzinfo=UTC),
    },
    "part_category": {"": "default", " milling": "milling"},
    "order_id": {" ": None},
}


#: Landed columns with names that columns of the platform have, and of which Spark makes more than a name.
ODD = ["reason", "older", "week", "source_row", "a.b", "c`d", "clean_quantity"]

#: week -> the file with its orders, and the columns of that.
FILES = {
    WEEK: ("a.csv", [*ORDER_COLUMNS, *ODD]),
    add_weeks(WEEK, 1): ("b.csv", [name for name in ORDER_COLUMNS if name not in OPTIONAL_ORDER_COLUMNS]),
}


@pytest.fixture(scope="module")
def landed(tmp_path_factory) -> Settings:
    """A home with clean_orders of FILES, and with it the platform's session of Spark."""
    home = tmp_path_factory.mktemp("home")
    landing = home / "landing" / "orders"
    landing.mkdir(parents=True)
    (home / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {WEEK}\n")
    for week, (file, columns) in FILES.items():
        line = ORDER | {"order_date": str(week)} | {name: f"{name} of {file}" for name in ODD}
        with (landing / file).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns, extrasaction="ignore")
            writer.writeheader()
            # The second is a duplicate with a line_id and without one.
            writer.writerows([line, line, line | {"quantity": "none", "line_id": "2"}])
    settings = load_settings(home)
    assert materialize(settings, list(FILES), "+key:clean_orders")
    return settings


def judged(orders: list[dict]) -> tuple[dict[int, str], dict[int, dict]]:
    """source_row -> reason of the rejected, source_row -> row of the clean ones, of orders numbered from 0."""
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.getOrCreate()
    texts = ", ".join(f"{name} STRING" for name in ORDER_COLUMNS)
    rows = [(*(order[name] for name in ORDER_COLUMNS), "a.csv", n, WEEK) for n, order in enumerate(orders)]
    raw = spark.createDataFrame(rows, f"{texts}, source_file STRING, source_row BIGINT, week DATE")
    # As if one row repeated a newer one: the last of all, and the first, which breaks a rule as well.
    older = spark.createDataFrame(
        [(WEEK, "a.csv", n) for n in (0, len(rows) - 1)], "week DATE, source_file STRING, source_row BIGINT"
    )
    names = {name: name for name in ORDER_COLUMNS}
    with cleaning.rejected(raw, older, names) as rejected:
        reasons = cleaning.rejected_orders(rejected, ["source_row"], [WEEK]).toArrow().to_pylist()
        clean = cleaning.clean_orders(raw, rejected, names, [WEEK]).toArrow().to_pylist()
    return {row["source_row"]: row["reason"] for row in reasons}, {row["source_row"]: row for row in clean}


@pytest.mark.usefixtures("landed")
def test_every_row_is_clean_or_rejected_with_the_first_rule_it_breaks():
    broken = [(reason, change) for reason, changes in BROKEN.items() for change in changes]
    sound = [(name, text, value) for name, values in SOUND.items() for text, value in values.items()]
    orders = [ORDER | change for _, change in broken]
    orders += [ORDER | {"quantity": "none", "order_date": "never"}]
    orders += [ORDER | {name: text} for name, text, _ in sound] + [ORDER]
    reasons, clean = judged(orders)
    expected = [*(reason for reason, _ in broken), "bad_date"]
    assert reasons == dict(enumerate(expected)) | {len(orders) - 1: "duplicate"}
    assert clean.keys() == set(range(len(orders))) - reasons.keys()
    values = [clean[row][name] for row, (name, _, _) in enumerate(sound, start=len(expected))]
    assert values == [value for _, _, value in sound]


def test_rejected_rows_keep_all_they_landed_whatever_other_weeks_did(landed):
    for week, (file, columns) in FILES.items():
        rejected = pq.read_table(f"{landed.lake_path}/rejected_orders/week={week}/data.parquet")
        found = rejected.sort_by("source_row").to_pylist()
        assert [(row["source_row"], row["reason"]) for row in found] == [
            (1, "duplicate"),
            (3, "bad_quantity"),
        ]
        assert found[0].keys() == {*map(raw_name, columns), *REJECTED_ORDERS.names}
        for name in set(ODD) & set(columns):
            assert [row[raw_name(name)] for row in found] == [f"{name} of {file}"] * 2
        assert Lake(path=landed.lake_path).rows(CLEAN_ORDERS, week) == 1
