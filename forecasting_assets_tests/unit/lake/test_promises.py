"""Promises in the planning folder: whole files that replace nothing."""

import pandas as pd
import pytest

from forecasting_assets.lake.promises import PromiseExistsError, write_promises

ROWS = pd.DataFrame({"promise_id": ["p-1"], "part_id": ["a"], "quantity": [3.0]})


def test_a_promise_is_a_file_of_its_own(tmp_path):
    file = write_promises(ROWS, str(tmp_path / "planning"), "p")
    assert file == f"{tmp_path}/planning/promises_p.csv"
    assert [f.name for f in (tmp_path / "planning").iterdir()] == ["promises_p.csv"]
    pd.testing.assert_frame_equal(pd.read_csv(file), ROWS)


def test_a_promise_never_replaces_another(tmp_path):
    file = write_promises(ROWS, str(tmp_path), "p")
    with pytest.raises(PromiseExistsError) as error:
        write_promises(ROWS.assign(quantity=4.0), str(tmp_path), "p")
    assert error.value.file == file
    pd.testing.assert_frame_equal(pd.read_csv(file), ROWS)
    assert [f.name for f in tmp_path.iterdir()] == ["promises_p.csv"]


def test_a_promise_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", full)
    with pytest.raises(ValueError, match="No space left"):
        write_promises(ROWS, str(tmp_path), "p")
    assert list(tmp_path.iterdir()) == []
