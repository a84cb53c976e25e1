"""Column bounds: stated once, checked and described from the same definition."""

import numpy as np
import pandas as pd
import pytest

from forecasting_assets import tables
from forecasting_assets.tables import Column, Table
from forecasting_assets.tables.contract import check_contract, invalid_values

TABLES = [table for table in vars(tables).values() if isinstance(table, Table)]

SHARE = Column("share", "double", "", minimum=0, maximum=1)
POSITIVE = Column("price", "double", "", minimum=0, exclusive_minimum=True)
KIND = Column("kind", "string", "", values=("short", "late"))


@pytest.mark.parametrize(
    ("column", "values", "invalid"),
    [
        (SHARE, [0.0, 1.0, -0.1, 1.1, np.nan, np.inf], [0, 0, 1, 1, 1, 1]),
        (POSITIVE, [0.0, 1e-9, np.inf], [1, 0, 1]),
        (Column("n", "long", "", minimum=1), [1, 0], [0, 1]),
        (Column("value", "double", "", True), [np.nan, -1.0, -np.inf], [0, 0, 1]),
        (KIND, ["short", "early", None], [0, 1, 1]),
        (Column("kind", "string", "", True, values=("short",)), ["short", "early", None], [0, 1, 0]),
        (Column("name", "string", ""), ["any", None], [0, 1]),
    ],
)
def test_values_outside_the_bounds_are_invalid(column, values, invalid):
    assert invalid_values(pd.Series(values), column).tolist() == [bool(i) for i in invalid]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (SHARE, "0 to 1"),
        (POSITIVE, "above 0"),
        (Column("hours", "double", "", minimum=0), "0 or more"),
        (Column("rate", "double", "", minimum=0, maximum=1, exclusive_minimum=True), "above 0 and at most 1"),
        (Column("rate", "double", "", maximum=1), "at most 1"),
        (KIND, "one of short, late"),
        (Column("name", "string", ""), ""),
    ],
)
def test_bounds_in_words(column, words):
    assert column.bounds == words


def test_the_finding_names_column_and_bounds():
    table = Table("t", (SHARE, KIND), key=("kind",))
    good = pd.DataFrame({"share": [0.5, 1.0], "kind": ["short", "late"]})
    assert check_contract(good, table).passed
    finding = check_contract(good.assign(share=[2.0, 1.0], kind="late"), table)
    assert not finding.passed
    assert finding.metadata == {"rows": 2, "bad_values": 1, "repeated_keys": 1}
    assert "share" in finding.description
    assert "0 to 1" in finding.description
    assert "kind" in check_contract(good.drop(columns="kind"), table).description


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_declarations_are_consistent(table):
    assert len(set(table.names)) == len(table.names)
    assert set(table.key) <= set(table.names)
    for column in table.columns:
        assert column.description
        assert column.is_number or (column.minimum is column.maximum is column.default is None)
        assert not column.values or column.type == "string"
        if column.default is not None:
            assert not invalid_values(pd.Series([column.default]), column).any()
