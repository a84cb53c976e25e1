import pytest

from forecasting_assets.orders.detect import FormatQuestion, detect_format
from forecasting_assets.tables import ORDER_COLUMNS
from forecasting_assets_tests.unit.orders.files import source_of

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
def test_what_the_values_decide_is_found_and_explained(tmp_path, rows, format_found):
    found = detect(tmp_path, csv_text(*rows))
    assert found.order_format.model_dump(exclude_defaults=True) == format_found
    assert found.evidence.keys() == format_found.keys()
    assert all("0.csv" in why or why.endswith("separate thousands") for why in found.evidence.values())


@pytest.mark.parametrize(
    ("files", "field"),
    [
        ([[row("3/4/2024")]], "date"),
        ([[row("13.4.2024")], [row("4/13/2024")]], "date"),
        ([[row(quantity="2,000", price="10")]], "decimal"),
        ([[row(price="1.250")]], "decimal"),
        ([[row(price="10,5")], [row(price="10.5")]], "decimal"),
        ([[row(price="$5"), row(price="€5")]], "currency"),
    ],
)
def test_what_is_open_or_contradictory_is_asked_for(tmp_path, files, field):
    contents = [csv_text(*rows) for rows in files]
    with pytest.raises(FormatQuestion) as caught:
        detect(tmp_path, *contents)
    assert caught.value.field == field
    assert f"--format {field}=" in str(caught.value)


def test_an_answer_settles_the_question(tmp_path):
    given = {"date": "day_first", "decimal": "."}
    found = detect(tmp_path, csv_text(row("3/4/2024", "2,000", "10")), given=given)
    assert found.order_format.model_dump(exclude_defaults=True) == {"date": "day_first", "thousands": ","}


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


def test_files_with_different_delimiters_are_to_be_landed_alike(tmp_path):
    with pytest.raises(FormatQuestion) as caught:
        detect(tmp_path, csv_text(row()), csv_text(row(), delimiter=";"))
    assert caught.value.field == "delimiter"


def test_text_that_is_not_utf_8_is_western_european(tmp_path):
    western = csv_text(row(part="Böden")).decode().encode("cp1252")
    assert detect(tmp_path, western, csv_text(row())).order_format.encoding == "cp1252"
    with pytest.raises(FormatQuestion) as caught:
        detect(tmp_path, western, csv_text(row(part="Böden")))
    assert caught.value.field == "encoding"
    with pytest.raises(FormatQuestion):
        detect(tmp_path, csv_text(row(part="B?den")).replace(b"?", b"\x81"))
