"""Promises in the planning folder: whole files that replace nothing."""

from datetime import date

import pandas as pd
import pytest

from forecasting_assets.graph import PlanningInput
from forecasting_assets.lake.planning_files import PlanningFolder
from forecasting_assets.lake.promises import write_promises
from forecasting_assets.storage import ExistingFileError

ROWS = pd.DataFrame({"promise_id": ["p-1"], "part_id": ["a"], "quantity": [3.0]})


def test_a_promise_is_a_file_of_its_own(tmp_path):
    file = write_promises(ROWS, str(tmp_path / "planning"), "p")
    assert file == f"{tmp_path}/planning/promises_p.csv"
    assert [f.name for f in (tmp_path / "planning").iterdir()] == ["promises_p.csv"]
    pd.testing.assert_frame_equal(pd.read_csv(file), ROWS)


def test_a_promise_never_replaces_another(tmp_path):
    file = write_promises(ROWS, str(tmp_path), "p")
    with pytest.raises(ExistingFileError) as error:
        write_promises(ROWS.assign(quantity=4.0), str(tmp_path), "p")
    assert error.value.file == file
    pd.testing.assert_frame_equal(pd.read_csv(file), ROWS)
    assert [f.name for f in tmp_path.iterdir()] == ["promises_p.csv"]


def test_names_in_a_promise_never_run_as_formulas_and_are_read_back(tmp_path):
    rows = pd.DataFrame(
        {
            "promise_id": "p",
            "manufacturer_id": None,
            "part_id": ["=a", "'=a"],
            "part_category": "CNC",
            "region": "+EU",
            "production_week": pd.NaT,
            "due_week": pd.Timestamp(2026, 11, 23),
            "quantity": 3.0,
            "expires": pd.Timestamp(2026, 12, 31),
            "reason": None,
            "entered": pd.Timestamp(2026, 11, 16),
        }
    )
    write_promises(rows, str(tmp_path), "p")
    assert ",'=a,CNC,'+EU," in (tmp_path / "promises_p.csv").read_text()
    found = PlanningFolder(str(tmp_path)).used_by(date(2026, 11, 16), PlanningInput("promises"))
    assert found[["part_id", "region"]].to_numpy().tolist() == [["=a", "+EU"], ["'=a", "+EU"]]


def test_a_promise_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", full)
    with pytest.raises(ValueError, match="No space left"):
        write_promises(ROWS, str(tmp_path), "p")
    assert list(tmp_path.iterdir()) == []
