"""Text of order lines: white space, names and identifiers, as Arrow arrays."""

import unicodedata

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

#: What people cannot see around a name: Unicode's white space, and characters of no width.
WHITE_SPACE = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000"
    + "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
)
_INNER_WHITE_SPACE = "[" + WHITE_SPACE.replace("\\", "\\\\") + "]+"
#: A whole number that was once stored as a float; a leading zero makes it a text.
_WHOLE_FLOAT = r"^([1-9]\d*|0)\.0+$"
#: A number whose last digits are lost, as spreadsheets write long ones: 4.00638E+12.
_ROUNDED = r"^[+-]?\d(\.\d*)?[eE]\+\d+$"


def trim(text: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The texts without the white space around them; null where nothing is left."""
    trimmed = pc.utf8_trim(_flat(text), WHITE_SPACE)
    return pc.if_else(pc.not_equal(trimmed, ""), trimmed, None)


def normalise_names(text: pa.Array | pa.ChunkedArray, fold_case: bool = False) -> pa.Array:
    """Names in one spelling: trimmed, in Unicode's composed form (NFC).

    Parameters
    ----------
    text
        Names as landed.
    fold_case
        Also in upper case and with single spaces, so that spellings that differ by these alone become one.
    """
    names = _flat(text).dictionary_encode()  # names repeat, so that each is worked on once
    spelled = _composed(trim(names.dictionary))
    if fold_case:
        spelled = pc.replace_substring_regex(pc.utf8_upper(spelled), _INNER_WHITE_SPACE, " ")
    return spelled.take(names.indices)


def normalise_spelling(names: pd.Series) -> pd.Series:
    """Names as `normalise_names` folds them, by which different spellings of one name are found."""
    return normalise_names(pa.array(names, pa.string()), fold_case=True).to_pandas()


def normalise_ids(text: pa.Array | pa.ChunkedArray, fold_case: bool = False) -> pa.Array:
    """Identifiers in one spelling: as names, and whole floats as whole numbers (`123.0` is `123`)."""
    ids = _flat(text).dictionary_encode()
    spelled = pc.replace_substring_regex(normalise_names(ids.dictionary, fold_case), _WHOLE_FLOAT, r"\1")
    return spelled.take(ids.indices)


def is_rounded_number(text: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Whether a text is a number with its last digits lost, which identifies nothing."""
    return pc.match_substring_regex(_flat(text), _ROUNDED).fill_null(False)


def _composed(text: pa.Array) -> pa.Array:
    if pc.all(pc.string_is_ascii(text)).as_py() is not False:
        return text
    # Arrow's own function does not compose: pyarrow 25 leaves e and its accent apart.
    composed = (name and unicodedata.normalize("NFC", name) for name in text.to_pylist())
    return pa.array(composed, pa.string())


def _flat(text: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(text, pa.ChunkedArray):
        return text.combine_chunks() if text.num_chunks != 1 else text.chunk(0)
    return text
