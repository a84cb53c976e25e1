"""Files of reports: replaced as a whole, and nothing of an earlier plan is left."""

from datetime import date

from forecasting_assets.lake.reports import remove_other_files, write_report

WEEK = date(2025, 3, 3)


def test_a_report_is_replaced_and_leaves_nothing_beside_it(tmp_path):
    for content in ("first", "Größe"):
        path = write_report(tmp_path, WEEK, "plan.html", content)
    folder = tmp_path / "week=2025-03-03"
    assert path == str(folder / "plan.html")
    assert (folder / "plan.html").read_bytes() == "Größe".encode()
    assert [file.name for file in folder.iterdir()] == ["plan.html"]


def test_sheets_of_manufacturers_that_no_longer_make_anything_are_removed(tmp_path):
    paths = [write_report(tmp_path, WEEK, f"manufacturers/{name}.html", b"") for name in ("M1", "M2")]
    remove_other_files(tmp_path, WEEK, "manufacturers", paths[:1])
    assert [file.name for file in (tmp_path / "week=2025-03-03/manufacturers").iterdir()] == ["M1.html"]
    remove_other_files(tmp_path, WEEK, "no-such-folder", [])
