import gzip
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.orders.dates import parse_moments
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.reading import read_order_file
from forecasting_assets.orders.rows import OrderFileError
from forecasting_assets_tests.support.order_files import read, source_of


def test_a_csv_keeps_every_row_with_its_number(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(
        'id,note,n\n1,"a, b",x\n2,short\n3,"two\nlines",y\n\n4,too,many,cells\n5,ü,z\n', encoding="utf-8"
    )
    rows = read(file)
    assert rows["row"].tolist() == [1, 2, 3, 4, 5]
    assert rows["id"].tolist() == ["1", "2", "3", "4", "5"]
    assert rows["note"].tolist() == ["a, b", "short", "two\nlines", "too", "ü"]
    assert rows["n"].tolist() == ["x", None, "y", "many", "z"]
    assert rows["problem"].tolist() == [None, "missing_cells", None, "surplus_cells", None]
    assert rows["surplus"].tolist() == [None, None, None, '["cells"]', None]


@settings(deadline=None)
@given(bad=st.sets(st.integers(1, 60)), total=st.just(60))
def test_row_numbers_hold_wherever_odd_rows_lie(tmp_path_factory, bad, total):
    file = tmp_path_factory.mktemp("odd") / "a.csv"
    file.write_text("id,n\n" + "".join(f"{i}\n" if i in bad else f"{i},x\n" for i in range(1, total + 1)))
    rows = read(file)
    assert rows["row"].tolist() == list(range(1, total + 1))
    assert rows["id"].astype(int).tolist() == rows["row"].tolist()
    assert set(rows.loc[rows["n"].isna(), "row"]) == bad


def test_values_keep_their_landed_text(tmp_path):
    csv, gz, jsonl = tmp_path / "a.csv", tmp_path / "a.csv.gz", tmp_path / "a.jsonl"
    csv.write_text("id,price\n007,1.10\n,NA\n")
    with gzip.open(gz, "wt") as file:
        file.write("id,price\n007,1.10\n,NA\n")
    jsonl.write_text('{"id": "007", "price": 1.10}\n{"price": "NA", "id": ""}\n')
    for path in (csv, gz, jsonl):
        assert read(path)[["id", "price"]].to_numpy().tolist() == [["007", "1.10"], ["", "NA"]]


def test_typed_parquet_becomes_text(tmp_path):
    file = tmp_path / "a.parquet"
    when = pd.DatetimeIndex([pd.Timestamp("2024-03-04 10:15:00"), pd.NaT])
    pd.DataFrame({"d": when, "n": [3, 4], "x": [1.5, None]}).to_parquet(file)
    rows = read(file)
    assert rows["n"].tolist() == ["3", "4"]
    assert rows["x"].tolist() == ["1.5", None]
    moment = parse_moments(pa.array(rows["d"], pa.string()), "iso")[0].as_py()
    assert moment == datetime(2024, 3, 4, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_in_utc_become_the_same_text_as_in_arrow(tmp_path, unit):
    moments = pa.array([datetime(2024, 3, 4, 10, 15, tzinfo=UTC), None], pa.timestamp(unit, "UTC"))
    pq.write_table(pa.table({"d": moments}), tmp_path / "a.parquet", version="2.6")
    expected = pq.read_table(tmp_path / "a.parquet")["d"].cast(pa.string()).to_pylist()
    assert read(tmp_path / "a.parquet")["d"].tolist() == expected
    assert expected[0].endswith("Z")


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ("1 2", ["1", "2"]),
        ("1 null", ["1", None]),
        ('1 "12 pcs" null', ["1", "12 pcs", None]),
        ("1 1.50", ["1", "1.50"]),
        ("1 true", ["1", "true"]),
        (f"{10**18} {10**30}", [str(10**18), str(10**30)]),
    ],
)
def test_numbers_in_json_keep_their_text(tmp_path, values, texts):
    lines = [f'{{"n": {value}}}\n' for value in re.findall(r'"[^"]*"|\S+', values)]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    assert read(tmp_path / "a.jsonl")["n"].tolist() == texts


@pytest.mark.parametrize(
    ("name", "content", "line", "kind"),
    [
        ("empty.csv", b"", None, "empty"),
        ("cut.csv.gz", gzip.compress(b"id,n\n" + b"1,x\n" * 5000, mtime=0)[:-40], None, "unreadable"),
        ("no.csv.gz", b"not gzip", None, "unreadable"),
        ("no.parquet", b"not parquet", None, "unreadable"),
        ("no.xlsx", b"PK", None, "workbook"),
        ("latin.csv", "id,n\n1,caf\xe9\n".encode("latin-1"), 2, "encoding"),
        ("late.csv", b"id,n\n" + b"1,x\n" * 5000 + b"2,\xe9\n", 5002, "encoding"),
        ("nul.csv", b"id,n\n1,\0\n", 2, "encoding"),
        ("half.csv", "id,n\n1,é".encode()[:-1], 2, "encoding"),
        ("bad.jsonl", b'{"id": 1}\n{"id": \n', 2, "json"),
        ("list.jsonl", b"1\n", 1, "json"),
        ("latin.jsonl", b'{"id": 1}\n{"id": "\xe9"}\n', 2, "encoding"),
        ("array.json", b"[1, 2]\n", None, "json"),
        ("twice.csv", b"id,id\n1,2\n", None, "column_names"),
        ("header.csv", b'id,"n\n1,2\n', 1, "quotes"),
    ],
)
def test_an_unreadable_file_is_an_error_with_its_path_line_and_kind(tmp_path, name, content, line, kind):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(OrderFileError) as caught:
        read(file)
    assert (caught.value.path, caught.value.line, caught.value.kind) == (str(file), line, kind)
    assert caught.value.remedy
    assert caught.value.columns == (("id",) if kind == "column_names" else ())


def test_optional_nested_columns_of_parquet_become_json(tmp_path):
    table = pa.table({"id": [b"1"], "tags": [["a", "b"]], "more": [{"x": 1}], "raw": [b"\x00\xff"]})
    pq.write_table(table, tmp_path / "n.parquet")
    row = read(tmp_path / "n.parquet").iloc[0]
    assert (json.loads(row["tags"]), json.loads(row["more"]), row["raw"]) == (["a", "b"], {"x": 1}, "AP8=")
    assert row["id"] == "1"


@pytest.mark.parametrize(
    ("values", "kind", "columns"),
    [
        ([["P1"]], "nested_column", ("part_id",)),
        ([{"part": "P1"}], "nested_column", ("part_id",)),
        ([b"\xff"], "unreadable", ()),
    ],
)
def test_a_required_column_must_hold_one_text_per_row(tmp_path, values, kind, columns):
    pq.write_table(pa.table({"part_id": values}), tmp_path / "n.parquet")
    with pytest.raises(OrderFileError) as caught:
        read(tmp_path / "n.parquet", required=["part_id"])
    assert (caught.value.kind, caught.value.columns) == (kind, columns)


def test_a_damaged_page_of_any_column_is_found(tmp_path):
    table = pa.table({"id": [str(n) for n in range(5000)], "note": [f"note {n}" for n in range(5000)]})
    file = tmp_path / "a.parquet"
    pq.write_table(table, file, write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(file.read_bytes())
    content[content.index(b"note 3000") + 6] ^= 1
    file.write_bytes(content)
    with pytest.raises(OrderFileError):
        read(file)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([4006381333931.0, None]), ["4006381333931", None]),
        (pa.array([1.5, -0.25, 2.0]), ["1.5", "-0.25", "2"]),
        (pa.array([2.0**60]), [str(2.0**60)]),
        (pa.array([3.0, 0.5], pa.float32()), ["3", "0.5"]),
        (pa.array([Decimal("10.50")]), ["10.50"]),
        (pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
        (pa.array([date(2024, 3, 4)]), ["2024-03-04"]),
        (pa.array([date(2024, 3, 4)], pa.date64()), ["2024-03-04"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["long"], pa.large_string()), ["long"]),
        (pa.array([7], pa.int8()), ["7"]),
    ],
)
def test_typed_values_become_plain_text(tmp_path, values, texts):
    pq.write_table(pa.table({"v": values}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")["v"].tolist() == texts


def test_typed_numbers_are_written_in_the_declared_format(tmp_path):
    order_format = OrderFormat(decimal=",", thousands=".")
    pq.write_table(pa.table({"v": [1.125, 2.0]}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"v": 1.125}\n{"v": 2}\n')
    for name in ("a.parquet", "a.jsonl"):
        assert read(tmp_path / name, order_format)["v"].tolist() == ["1,125", "2"]


def test_workbooks_are_read_from_the_sheet_with_the_orders(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for row in (
        ["id", "when", "n"],
        ["007", datetime(2024, 3, 4, 10), 4006381333931],
        [None] * 3,
        ["8", None, 1.5],
    ):
        sheet.append(row)
    workbook.create_sheet("notes").append(["anything"])
    workbook.save(tmp_path / "a.xlsx")
    rows = read(tmp_path / "a.xlsx", required=["id", "n"])
    assert rows["id"].tolist() == ["007", "8"]
    assert rows["when"].tolist() == ["2024-03-04T10:00:00", None]
    assert rows["n"].tolist() == ["4006381333931", "1.5"]
    with pytest.raises(OrderFileError) as caught:
        read(tmp_path / "a.xlsx")
    assert caught.value.kind == "sheets"
    assert "Sheet, notes" in caught.value.reason


def test_a_file_without_rows_still_has_its_columns(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,n")
    assert read(file).columns.tolist() == ["id", "n", "row", "problem", "surplus"]


def test_unnamed_columns_of_spreadsheets_get_a_name(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,n,, \n1,x,,\n2,y\n3,z,left,\n")
    rows = read(file)
    assert rows.columns.tolist()[:4] == ["id", "n", "column_3", "column_4"]
    assert rows["column_3"].tolist() == ["", None, "left"]
    assert rows["problem"].isna().all()


@pytest.mark.parametrize("trailing", [",", ",,", ', ,""'])
def test_empty_cells_beyond_the_header_are_ignored(tmp_path, trailing):
    file = tmp_path / "a.csv"
    file.write_text(f"id,n\n1,x{trailing}\n2,y\n")
    rows = read(file)
    assert rows[["id", "n"]].to_numpy().tolist() == [["1", "x"], ["2", "y"]]
    assert rows["problem"].isna().all()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_names_the_encoding(tmp_path, encoding):
    file = tmp_path / "a.csv"
    mark = "\ufeff" if encoding.endswith("e") else ""
    file.write_bytes((mark + 'id,"größe"\r\n1,"ü, ß"\r\n').encode(encoding))
    assert read(file, OrderFormat(encoding="cp1252"))["größe"].tolist() == ["ü, ß"]


def test_a_byte_order_mark_before_json_lines_is_read(tmp_path):
    (tmp_path / "a.ndjson").write_bytes(b"\xef\xbb\xbf" + b'{"id": "1"}\n')
    assert read(tmp_path / "a.ndjson")["id"].tolist() == ["1"]


def test_an_array_of_objects_is_read_like_lines(tmp_path):
    (tmp_path / "a.json").write_text('[\n {"id": 1.50},\n {"id": "x"}\n]\n')
    assert read(tmp_path / "a.json")["id"].tolist() == ["1.50", "x"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_line_ends_of_every_kind_are_read(tmp_path, delimiter, line_end):
    file = tmp_path / ("a.tsv" if delimiter == "\t" else "a.csv")
    lines = ["id?n", f'1?"x{delimiter}y"', "2?z", ""]
    file.write_text(line_end.join(lines).replace("?", delimiter), newline="")
    order_format = OrderFormat() if delimiter == "\t" else OrderFormat(delimiter=delimiter)
    assert read(file, order_format)["n"].tolist() == [f"x{delimiter}y", "z"]


def test_only_requested_columns_are_read_but_all_are_named(tmp_path):
    table = pd.DataFrame({"id": ["1", "2"], "n": ["x", "y"]})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    table.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    for file in tmp_path.iterdir():
        source = source_of(file, columns=["n", "other"])
        batches = [batch.rows for batch in read_order_file(source)]
        assert {"id", "n"} in [set(batch.schema.names) for batch in batches if not batch.num_rows]
        filled = [batch.to_pydict() for batch in batches if batch.num_rows]
        assert filled == [{"n": ["x", "y"]}]


def test_json_values_that_are_not_text_keep_their_json(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"a": True, "b": {"c": 1}, "d": None}) + "\n")
    assert read(file)[["a", "b", "d"]].to_numpy().tolist() == [["true", '{"c": 1}', None]]


_JSON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.lists(st.integers(), max_size=2),
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), _JSON_VALUES), min_size=1, max_size=5))
@settings(deadline=None)
def test_a_line_that_needs_the_tolerant_decoder_does_not_change_others(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("json")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "a.jsonl").write_text(lines)
    (folder / "b.jsonl").write_text(lines + '{"a": NaN}\n')
    alone, beside = read(folder / "a.jsonl"), read(folder / "b.jsonl")
    assert beside["a"].iloc[-1] == "NaN"
    for name in alone.columns.difference(["row"]):
        assert alone[name].tolist() == beside[name].iloc[:-1].tolist()


def test_two_objects_on_a_line_are_an_error_that_names_it(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}{"a": 3}\n')
    with pytest.raises(OrderFileError) as caught:
        read(tmp_path / "a.jsonl")
    assert (caught.value.kind, caught.value.line) == ("json", 3)
