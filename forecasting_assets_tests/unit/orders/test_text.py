import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.orders.text import (
    WHITE_SPACE,
    is_rounded_number,
    normalise_ids,
    normalise_names,
    trim,
)


@pytest.mark.parametrize("space", ["\u00a0", "\t", "\u200b", "\ufeff", "\u2060", "\u202f", "\u3000", " \r\n"])
def test_invisible_white_space_is_trimmed(space):
    names = normalise_names(pa.array([f"EU{space}", f"{space}EU", "EU", space]))
    assert names.to_pylist() == ["EU", "EU", "EU", None]


def test_all_unicode_white_space_is_included():
    spaces = {chr(code) for code in range(0x110000) if chr(code).isspace()}
    assert spaces <= set(WHITE_SPACE)


def test_names_are_composed():
    assert normalise_names(pa.array(["e\u0301", "é"])).to_pylist() == ["é", "é"]


def test_folding_joins_case_and_inner_white_space():
    names = pa.array(["Sheet  metal", "sheet\u00a0metal", "SHEET METAL"])
    assert normalise_names(names, fold_case=True).unique().to_pylist() == ["SHEET METAL"]
    assert normalise_names(names).to_pylist() == ["Sheet  metal", "sheet\u00a0metal", "SHEET METAL"]


@pytest.mark.parametrize(
    ("landed", "one"),
    [("123.0", "123"), ("0.00", "0"), ("007", "007"), ("007.0", "007.0"), ("1e3", "1e3"), ("1.5", "1.5")],
)
def test_whole_floats_are_whole_numbers_in_ids(landed, one):
    assert normalise_ids(pa.array([landed])).to_pylist() == [one]


@pytest.mark.parametrize(
    ("text", "rounded"),
    [("4.00638E+12", True), ("4.006381333931e+12", True), ("1e3", False), ("A1E+5", False)],
)
def test_ids_that_a_spreadsheet_has_rounded_are_found(text, rounded):
    assert is_rounded_number(pa.array([text])).to_pylist() == [rounded]


@given(st.lists(st.one_of(st.none(), st.text())))
def test_trimming_and_normalising_equal_their_python_counterparts(texts):
    stripped = [text and (text.strip(WHITE_SPACE) or None) for text in texts]
    assert trim(pa.array(texts, pa.string())).to_pylist() == [text or None for text in stripped]
    composed = [text and unicodedata.normalize("NFC", text) for text in stripped]
    assert normalise_names(pa.array(texts, pa.string())).to_pylist() == [text or None for text in composed]
