import gzip
import json
import re
from datetime import UTC, date, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import fs

from forecasting_assets.orders.reading import (
    OrderFileError,
    is_order_file,
    parse_order_dates,
    read_order_file,
    weeks_of_dates,
)

LOCAL = fs.LocalFileSystem()


def read(path) -> pd.DataFrame:
    frames = [batch.to_pandas().assign(row=numbers) for numbers, batch in read_order_file(LOCAL, str(path))]
    return pd.concat(frames).sort_values("row", ignore_index=True)


def test_a_csv_keeps_every_row_with_its_number(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(
        'id,note,n\n1,"a, b",x\n2,short\n3,"two\nlines",y\n\n4,too,many,cells\n5,ü,z\n', encoding="utf-8"
    )
    rows = read(file)
    assert rows["row"].tolist() == [1, 2, 3, 4, 5]
    assert rows["id"].tolist() == ["1", "2", "3", "4", "5"]
    assert rows["note"].tolist() == ["a, b", "short", "two\nlines", "too", "ü"]
    assert rows["n"].tolist() == ["x", None, "y", "many,cells", "z"]


@given(bad=st.sets(st.integers(1, 60)), total=st.just(60))
def test_row_numbers_hold_wherever_odd_rows_lie(tmp_path_factory, bad, total):
    file = tmp_path_factory.mktemp("odd") / "a.csv"
    file.write_text("id,n\n" + "".join(f"{i}\n" if i in bad else f"{i},x\n" for i in range(1, total + 1)))
    rows = read(file)
    assert rows["row"].tolist() == list(range(1, total + 1))
    assert rows["id"].astype(int).tolist() == rows["row"].tolist()
    assert set(rows.loc[rows["n"].isna(), "row"]) == bad


def test_values_stay_the_text_they_were_landed_as(tmp_path):
    csv, gz, jsonl = tmp_path / "a.csv", tmp_path / "a.csv.gz", tmp_path / "a.jsonl"
    csv.write_text("id,price\n007,1.10\n,NA\n")
    with gzip.open(gz, "wt") as file:
        file.write("id,price\n007,1.10\n,NA\n")
    jsonl.write_text('{"id": "007", "price": 1.10}\n{"price": "NA", "id": ""}\n')
    for path in (csv, gz, jsonl):
        assert read(path)[["id", "price"]].to_numpy().tolist() == [["007", "1.10"], ["", "NA"]]


def test_typed_parquet_becomes_text(tmp_path):
    file = tmp_path / "a.parquet"
    when = pd.to_datetime(["2024-03-04 10:15:00", None])
    pd.DataFrame({"d": when, "n": [3, 4], "x": [1.5, None]}).to_parquet(file)
    rows = read(file)
    assert rows["n"].tolist() == ["3", "4"]
    assert rows["x"].tolist() == ["1.5", None]
    assert parse_order_dates(rows["d"])[0] == pd.Timestamp("2024-03-04 10:15", tz="UTC")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_in_utc_become_the_text_that_arrow_makes_of_them(tmp_path, unit):
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
def test_numbers_in_json_are_the_text_they_are(tmp_path, values, texts):
    lines = [f'{{"n": {value}}}\n' for value in re.findall(r'"[^"]*"|\S+', values)]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    assert read(tmp_path / "a.jsonl")["n"].tolist() == texts


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "is empty"),
        ("cut.csv.gz", gzip.compress(b"id,n\n" + b"1,x\n" * 5000)[:-40], "cut.csv.gz"),
        ("no.parquet", b"not parquet", "no.parquet cannot be read"),
        ("latin.csv", "id,n\n1,caf\xe9\n".encode("latin-1"), "latin.csv"),
        ("bad.jsonl", b'{"id": 1}\n{"id": \n', "line 2 is no JSON"),
        ("list.jsonl", b"[1, 2]\n", "line 1 is no JSON object"),
        ("twice.csv", b"id,id\n1,2\n", "two columns have the same name"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, said):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(OrderFileError, match=said):
        read(file)


def test_nested_columns_are_refused(tmp_path):
    file = tmp_path / "n.parquet"
    pd.DataFrame({"id": [[1, 2]]}).to_parquet(file)
    with pytest.raises(OrderFileError, match="column id is nested"):
        read(file)


def test_a_file_without_rows_still_has_its_columns(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,n")
    assert read(file).columns.tolist() == ["id", "n", "row"]


@pytest.mark.parametrize("name", ["a.csv", "x/a.csv.gz", "a.parquet", "a.jsonl", "ORDERS.CSV"])
def test_order_files_are_known_by_name(name):
    assert is_order_file(name)


@pytest.mark.parametrize(
    "name", ["a.txt", ".a.csv", "_tmp.parquet", "_temporary/0/a.csv", "a.csv.part", "a.gz"]
)
def test_other_files_are_left_alone(name):
    assert not is_order_file(name)


def test_dates_are_iso_8601_and_nothing_else():
    good = [
        "2024-03-04",
        " 2024-03-04 ",
        "2024-03-04T10:15",
        "2024-03-04 10:15:30.5",
        "2024-03-04T10:15:00Z",
        "2024-03-04T23:30:00-02:00",
    ]
    bad = [
        "2024",
        "2024-03",
        "20240304",
        "04/03/2024",
        "2024-02-30",
        "yesterday",
        "",
        None,
        "2024-3-4",
        "2024-03-04 25:00",
    ]
    parsed = parse_order_dates(pd.Series(good + bad))
    assert parsed[: len(good)].notna().all()
    assert parsed[len(good) :].isna().all()
    assert parsed[5] == pd.Timestamp("2024-03-05 01:30", tz="UTC")


def test_a_time_without_a_zone_is_utc_whatever_was_before_it():
    parsed = parse_order_dates(pd.Series(["2024-03-04 00:00+05:30", "2024-03-04 00:00", "2024-03-04"]))
    assert parsed[1:].tolist() == [pd.Timestamp("2024-03-04", tz="UTC")] * 2


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01")).map(datetime.isoformat),
            st.builds(
                "{} {}{}".format,
                st.dates(date(1990, 1, 1), date(2100, 1, 1)),
                st.sampled_from(["00:00", "23:59:59.5", "24:00", "12:60", "7:30", "23:59:60"]),
                st.sampled_from(["", "Z", "-02:00", "+0530", " "]),
            ),
            st.sampled_from(
                [" 2024-03-04 ", "2024-02-30", "0000-01-01", "2200-01-06", "2024-W10", "", "٢٠٢٤-03-04", None]
            ),
        )
    )
)
def test_weeks_are_those_of_the_dates_that_can_be_read(texts):
    from forecasting_assets.weeks import week_of

    parsed = parse_order_dates(pd.Series(texts, dtype=object))
    expected = [None if pd.isna(moment) else week_of(moment) for moment in parsed]
    assert weeks_of_dates(pa.array(texts, pa.string())).to_pylist() == expected


def test_only_the_columns_asked_for_are_read_and_all_are_named(tmp_path):
    table = pd.DataFrame({"id": ["1", "2"], "n": ["x", "y"]})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    table.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    for file in tmp_path.iterdir():
        batches = [batch for _, batch in read_order_file(LOCAL, str(file), only=["n", "other"])]
        assert {"id", "n"} in [set(batch.schema.names) for batch in batches if not batch.num_rows]
        filled = [batch.to_pydict() for batch in batches if batch.num_rows]
        assert filled == [{"n": ["x", "y"]}]


def test_json_values_that_are_no_text_keep_their_json(tmp_path):
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
def test_a_line_that_only_a_tolerant_reader_takes_changes_no_other(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("json")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "a.jsonl").write_text(lines)
    (folder / "b.jsonl").write_text(lines + '{"a": NaN}\n')
    alone, beside = read(folder / "a.jsonl"), read(folder / "b.jsonl")
    assert beside["a"].iloc[-1] == "NaN"
    for name in alone:
        assert alone[name].tolist() == beside[name].iloc[:-1].tolist()


def test_two_objects_on_a_line_are_an_error_that_names_it(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}{"a": 3}\n')
    with pytest.raises(OrderFileError, match="line 2 is no JSON"):
        read(tmp_path / "a.jsonl")
