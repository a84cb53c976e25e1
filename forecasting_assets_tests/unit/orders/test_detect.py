import csv
import datetime
import io
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting_assets.orders.dates import parse_moments
from forecasting_assets.orders.detect import UndecidedFormatError, detect_format
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.orders.numbers import parse_numbers
from forecasting_assets.tables import ORDER_COLUMNS
from forecasting_assets_tests.support.order_files import read, source_of

HEADER = ["order_id", "order_date", "part_id", "region", "quantity", "unit_price"]
NAMES = {name: name for name in ORDER_COLUMNS}


def row(date: str = "2025-03-03", quantity: str = "5", price: str = "10.5", part: str = "P") -> list[str]:
    return ["o", date, part, "EU", quantity, price]


def csv_text(*rows: list[str], delimiter: str = ",") -> bytes:
    lines = [delimiter.join(HEADER), *(delimiter.join(f'"{cell}"' for cell in one) for one in rows)]
    return ("\n".join(lines) + "\n").encode()


def detect(folder, *files: bytes, given: dict[str, str] | None = None):
    sources = []
    for number, content in enumerate(files):
        path = folder / f"{number}.csv"
        path.write_bytes(content)
        sources.append(source_of(path))
    return detect_format(sources, NAMES, given or {})


@pytest.mark.parametrize(
    ("rows", "format_found"),
    [
        ([row()], {}),
        ([row("20250304"), row("2025-03-04 10:00:00+00"), row("soon")], {}),
        ([row("3/4/2024"), row("3/14/2024")], {"date": "month_first"}),
        ([row("3/4/2024"), row("14/3/2024 8:00")], {"date": "day_first"}),
        ([row("13.4.24")], {"date": "day_first"}),
        (
            [row(quantity="1,234.50"), row(quantity="2,000", price="$10.00")],
            {"thousands": ",", "currency": "$"},
        ),
        ([row(quantity="2,000", price="10.00")], {"thousands": ","}),
        ([row(quantity="1,234,567", price="10")], {"thousands": ","}),
        ([row(price="10,50")], {"decimal": ","}),
        ([row(price="0,125")], {"decimal": ","}),
        ([row(quantity="1.234,5", price="10,50 €")], {"decimal": ",", "thousands": ".", "currency": "€"}),
        ([row(quantity="1.234.567", price="10")], {"decimal": ",", "thousands": "."}),
        ([row(quantity="1.234", price="10,50")], {"decimal": ",", "thousands": "."}),
        ([row(quantity="1 234", price="10,50")], {"decimal": ",", "thousands": " "}),
        ([row(quantity="1'234", price="10.50")], {"thousands": "'"}),
        ([row(price="EUR 10.50"), row(price="n/a")], {"currency": "EUR"}),
    ],
)
def test_the_format_that_values_decide_is_detected_with_evidence(tmp_path, rows, format_found):
    found = detect(tmp_path, csv_text(*rows))
    assert found.order_format.model_dump(exclude_defaults=True) == format_found
    assert found.evidence.keys() == format_found.keys()
    assert all("0.csv" in why or why.endswith("separate thousands") for why in found.evidence.values())


@pytest.mark.parametrize(
    ("files", "field", "kind", "answers"),
    [
        ([[row("3/4/2024")]], "date", "ambiguous", ("day_first", "month_first")),
        ([[row("5/5/2024")]], "date", "ambiguous", ("day_first", "month_first")),
        ([[row("13.4.2024")], [row("4/13/2024")]], "date", "contradictory", ("day_first", "month_first")),
        ([[row(quantity="2,000", price="10")]], "decimal", "ambiguous", (".", ",")),
        ([[row(price="1.250")]], "decimal", "ambiguous", (".", ",")),
        ([[row(price="10,5")], [row(price="10.5")]], "decimal", "contradictory", (",", ".")),
        ([[row(price="$5"), row(price="€5")]], "currency", "contradictory", ("$", "€")),
    ],
)
def test_ambiguous_and_contradictory_files_need_an_answer(tmp_path, files, field, kind, answers):
    contents = [csv_text(*rows) for rows in files]
    with pytest.raises(UndecidedFormatError) as caught:
        detect(tmp_path, *contents)
    assert (caught.value.field, caught.value.kind, caught.value.answers) == (field, kind, answers)
    assert f"--format {field}={answers[0]}" in str(caught.value)


def test_an_answer_settles_the_question(tmp_path):
    given = {"date": "day_first", "decimal": "."}
    found = detect(tmp_path, csv_text(row("3/4/2024", "2,000", "10")), given=given)
    assert found.order_format.model_dump(exclude_defaults=True) == {"date": "day_first", "thousands": ","}


@pytest.mark.parametrize(
    ("given", "quantity", "answers"),
    [({"decimal": "."}, "1.234,50", (",",)), ({"thousands": ","}, "7,5", ("",))],
)
def test_an_answer_that_the_files_contradict_is_refused(tmp_path, given, quantity, answers):
    with pytest.raises(UndecidedFormatError) as caught:
        detect(tmp_path, csv_text(row("13.4.2024", quantity, "10")), given=given)
    ((field, _),) = given.items()
    assert (caught.value.field, caught.value.kind, caught.value.answers) == (field, "contradictory", answers)
    assert quantity in str(caught.value)


def test_a_file_that_decides_nothing_follows_one_that_does(tmp_path):
    found = detect(tmp_path, csv_text(row("3/4/2024")), csv_text(row("2/14/2024")))
    assert found.order_format.date == "month_first"
    assert "1.csv row 1" in found.evidence["date"]


def test_typing_errors_do_not_count_as_another_convention(tmp_path):
    many = [row(f"{day}/{month}/2024") for month in range(1, 10) for day in range(13, 29)]
    assert detect(tmp_path, csv_text(*many, row("1/31/2024"))).order_format.date == "day_first"


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_the_delimiter_is_the_one_that_separates_the_columns(tmp_path, delimiter):
    assert detect(tmp_path, csv_text(row(), delimiter=delimiter)).order_format.delimiter == delimiter


def test_files_with_different_delimiters_are_refused(tmp_path):
    with pytest.raises(UndecidedFormatError) as caught:
        detect(tmp_path, csv_text(row()), csv_text(row(), delimiter=";"))
    assert (caught.value.field, caught.value.kind, caught.value.answers) == ("delimiter", "contradictory", ())


def test_text_that_is_not_utf_8_is_read_as_western_european(tmp_path):
    western = csv_text(row(part="Böden")).decode().encode("cp1252")
    assert detect(tmp_path, western, csv_text(row())).order_format.encoding == "cp1252"
    with pytest.raises(UndecidedFormatError) as caught:
        detect(tmp_path, western, csv_text(row(part="Böden")))
    assert (caught.value.field, caught.value.kind, caught.value.answers) == ("encoding", "contradictory", ())
    with pytest.raises(UndecidedFormatError) as caught:
        detect(tmp_path, csv_text(row(part="B?den")).replace(b"?", b"\x81"))
    assert (caught.value.field, caught.value.kind) == ("encoding", "unknown")


def test_typed_numbers_are_not_evidence_but_text_is_in_any_format_of_file(tmp_path):
    typed = {**dict(zip(HEADER, row(), strict=True)), "quantity": 1.25, "unit_price": 10.125}
    (tmp_path / "typed.jsonl").write_text(json.dumps(typed) + "\n")
    pq.write_table(pa.Table.from_pylist([typed]), tmp_path / "typed.parquet")
    (tmp_path / "german.csv").write_bytes(csv_text(row(quantity="1.234,5", price="10,50")))
    text = pa.table({name: [value] for name, value in zip(HEADER, row("14.3.2024", "7"), strict=True)})
    pq.write_table(
        text.drop_columns("unit_price").append_column("unit_price", [["3,5 €"]]), tmp_path / "t.parquet"
    )
    sources = [source_of(path) for path in sorted(tmp_path.iterdir())]
    found = detect_format(sources, NAMES, {}).order_format.model_dump(exclude_defaults=True)
    assert found == {"date": "day_first", "decimal": ",", "thousands": ".", "currency": "€"}


FORMATS = st.builds(
    lambda date, separators, currency, delimiter, encoding: OrderFormat(
        date=date,
        decimal=separators[0],
        thousands=separators[1],
        currency=currency,
        delimiter=delimiter,
        encoding=encoding,
    ),
    st.sampled_from(["iso", "day_first", "month_first"]),
    st.sampled_from([".", ".,", ". ", ".'", ",", ",.", ", ", ",'"]).map(lambda both: (both[0], both[1:])),
    st.sampled_from(["", "$", "€", "EUR", "kr"]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "cp1252"]),
)
DAYS = st.dates(datetime.date(2023, 1, 1), datetime.date(2024, 12, 31))
LINES = st.lists(
    st.tuples(DAYS, st.integers(1, 5_000_000), st.integers(1, 9_999_999), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


def written(number: int, decimals: int, order_format: OrderFormat, currency: str = "") -> str:
    """Format `number` thousandths with the given number of decimals, as people write it."""
    whole, rest = divmod(round(number / 1000, decimals), 1)
    text = f"{int(whole):,}".replace(",", order_format.thousands)
    if decimals:
        text += order_format.decimal + f"{rest:.{decimals}f}"[2:]
    return text + currency


def date_text(day: datetime.date, order_format: OrderFormat) -> str:
    forms = {"iso": "%Y-%m-%d", "day_first": "%d.%m.%Y", "month_first": "%m/%d/%Y"}
    return day.strftime(forms[order_format.date])


@settings(deadline=None, max_examples=150)
@given(FORMATS, LINES, st.integers(1, 2))
def test_in_every_format_values_are_read_back_as_written(order_format, lines, n_files):
    """Ambiguous values are never guessed: once the user has set their format, all values are read correctly."""
    with tempfile.TemporaryDirectory() as folder:
        expected = [
            (day, round(quantity / 1000, decimals), round(price / 1000, decimals))
            for day, quantity, price, decimals in lines
        ]
        rows = [
            row(
                date_text(day, order_format),
                written(quantity, decimals, order_format),
                written(price, decimals, order_format, order_format.currency),
                "Böden",
            )
            for day, quantity, price, decimals in lines
        ]
        paths = []
        for number in range(n_files):
            text = io.StringIO()
            csv.writer(text, delimiter=order_format.delimiter).writerows([HEADER, *rows[number::n_files]])
            paths.append(Path(folder) / f"{number}.csv")
            paths[-1].write_bytes(text.getvalue().encode(order_format.encoding))
        found = answered([source_of(path) for path in paths], order_format)
        for number, path in enumerate(paths):
            landed = read(path, found, required=HEADER).convert_dtypes(dtype_backend="pyarrow")
            dates, quantities, prices = (pa.array(landed[name], pa.string()) for name in
                                         ("order_date", "quantity", "unit_price"))  # fmt: skip
            moments = [moment.date() for moment in parse_moments(dates, found.date).to_pylist()]
            read_back = zip(
                moments,
                parse_numbers(quantities, found, prices=False).to_pylist(),
                parse_numbers(prices, found, prices=True).to_pylist(),
                strict=True,
            )
            assert list(read_back) == expected[number::n_files]


def answered(sources, order_format: OrderFormat) -> OrderFormat:
    """Detect the format, answering from `order_format` where the files do not decide."""
    given: dict[str, str] = {}
    while True:
        try:
            return detect_format(sources, NAMES, given).order_format
        except UndecidedFormatError as error:
            if error.field in given:
                raise
            given[error.field] = getattr(order_format, error.field)
