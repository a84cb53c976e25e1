"""File of benchmark results."""

import sys

import pytest

from benchmarks.results import against, section, table


def write(file, name, title, **more):
    section(
        name,
        title,
        "This compared with that.",
        ["pandas"],
        [table([{"n": 1, "s": 0.5}])],
        3,
        results=file,
        **more,
    )


def test_a_benchmark_replaces_its_own_section_and_keeps_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench", "--evals", "/some/folder", "--home=/a/b", "--data", "walmart"])
    file = tmp_path / "RESULTS.md"
    for name, title in {"impact": "Impact", "etl": "Lines", "startup": "Click"}.items():
        write(file, name, title)
    before = file.read_text()
    write(file, "etl", "Lines, again")
    after = file.read_text()
    assert after == before.replace("## Lines", "## Lines, again")
    assert [line for line in after.splitlines() if line.startswith("## ")] == [
        "## Click",
        "## Lines, again",
        "## Impact",
    ]
    assert "`python -m benchmarks.etl --data walmart`" in after
    assert "folder" not in after
    assert "| n | s |\n| --- | ---: |\n| 1 | 0.5 |" in after


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (against(2.5, at_most=3), "2.5 (goal at most 3: reached)"),
        (against(3.5, at_most=3), "3.5 (goal at most 3: not reached)"),
        (against(216, at_least=10), "216 (goal at least 10: reached)"),
        (against(9, at_least=10), "9 (goal at least 10: not reached)"),
    ],
)
def test_a_ratio_is_formatted_with_its_goal(text, expected):
    assert text == expected
