"""Sheets for manufacturers: complete, safe, and each in files of its own."""

import io
from datetime import date

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from forecasting_assets.reporting.sheets import sheet_files, sheets
from forecasting_assets_tests.unit.reporting import factories

WEEK = date(2025, 3, 3)
HARM = "=HYPERLINK(1)"


def test_the_files_of_all_manufacturers_hold_the_plan():
    plan = factories.plan()
    written = [pd.read_csv(io.BytesIO(s.csv)) for s in sheets(WEEK, plan, factories.capabilities())]
    assert all(rows["manufacturer_id"].nunique() == 1 for rows in written)
    both = pd.concat(written).assign(production_week=lambda t: pd.to_datetime(t["production_week"]))
    key = ["manufacturer_id", "part_id", "region", "production_week"]
    units, planned = both.set_index(key)["planned_quantity"].sort_index(), plan.groupby(key)["quantity"].sum()
    assert units.index.tolist() == planned.index.tolist()
    assert units.tolist() == planned.tolist()


def test_names_that_mean_harm_stay_text_in_page_and_file():
    plan = factories.plan(2).assign(part_id=HARM, region="<script>", manufacturer_id="../M/1")
    capabilities = factories.capabilities(1).assign(manufacturer_id="../M/1")
    (sheet,) = sheets(WEEK, plan, capabilities)
    assert sheet.html.count("<script>") == 1  # that of the page itself
    assert "&lt;script&gt;" in sheet.html
    assert "/" not in sheet.file
    assert not sheet.file.startswith(".")
    rows = pd.read_csv(io.BytesIO(sheet.csv))
    assert set(rows["part_id"]) == {f"'{HARM}"}


def test_a_sheet_shows_no_costs():
    (sheet,) = sheets(WEEK, factories.plan(1), factories.capabilities())
    assert "cost" not in sheet.html.lower().split("<main>")[1].split("<script>")[0]


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=6, unique=True))
def test_files_are_kept_apart_by_any_file_system(names):
    files = sheet_files(pd.Series([*names, *(name.upper() for name in names)]))
    folded = [file.casefold() for file in files.values()]
    assert len(set(folded)) == len(files)
    assert all(file and file.isascii() and "/" not in file and len(file) < 80 for file in folded)
