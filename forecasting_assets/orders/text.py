"""Normalise the texts of order lines: white space, names and identifiers, as Arrow arrays."""

import unicodedata

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

#: Characters that are invisible around a name: Unicode white space, and characters without width.
WHITE_SPACE = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000"
    + "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
)
_INNER_WHITE_SPACE = "[" + WHITE_SPACE.replace("\\", "\\\\") + "]+"
#: A whole number that was stored as a float; with a leading zero it is a text.
_WHOLE_FLOAT = r"^([1-9]\d*|0)\.0+$"
#: A number without its last digits, as spreadsheets write long numbers: 4.00638E+12.
_ROUNDED = r"^[+-]?\d(\.\d*)?[eE]\+\d+$"


def trim(text: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Remove the white space around texts; null where nothing is left."""
    trimmed = pc.utf8_trim(_flat(text), WHITE_SPACE)
    return pc.if_else(pc.not_equal(trimmed, ""), trimmed, None)


def normalise_names(text: pa.Array | pa.ChunkedArray, fold_case: bool = False) -> pa.Array:
    """Write names in one spelling: trimmed and in Unicode's composed form (NFC).

    Parameters
    ----------
    text
        Names as landed.
    fold_case
        Whether to write them also in upper case and with single spaces.
    """
    names = _flat(text).dictionary_encode()  # names repeat: normalise each distinct name once
    normalised = _composed(trim(names.dictionary))
    if fold_case:
        normalised = pc.replace_substring_regex(pc.utf8_upper(normalised), _INNER_WHITE_SPACE, " ")
    return normalised.take(names.indices)


def normalise_spelling(names: "pd.Series[str]") -> "pd.Series[str]":
    """Fold case and white space of names as `normalise_names` does, to compare their spellings."""
    folded: pd.Series[str] = normalise_names(pa.array(names, pa.string()), fold_case=True).to_pandas()
    return folded


def normalise_ids(text: pa.Array | pa.ChunkedArray, fold_case: bool = False) -> pa.Array:
    """Write identifiers in one spelling: as names, and whole floats as whole numbers (`123.0` as `123`)."""
    ids = _flat(text).dictionary_encode()
    normalised = pc.replace_substring_regex(normalise_names(ids.dictionary, fold_case), _WHOLE_FLOAT, r"\1")
    return normalised.take(ids.indices)


def is_rounded_number(text: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return where a text is a number without its last digits, which is not a usable identifier."""
    return pc.match_substring_regex(_flat(text), _ROUNDED).fill_null(False)


def _composed(text: pa.Array) -> pa.Array:
    if pc.all(pc.string_is_ascii(text)).as_py() is not False:
        return text
    # Arrow's own function does not compose: pyarrow 25 leaves e and its accent as two characters.
    composed = (name and unicodedata.normalize("NFC", name) for name in text.to_pylist())
    return pa.array(composed, pa.string())


def _flat(text: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(text, pa.ChunkedArray):
        return text.combine_chunks() if text.num_chunks != 1 else text.chunk(0)
    return text
