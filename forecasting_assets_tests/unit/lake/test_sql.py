"""SQL over the lake: what it reads is what was written, and it reaches nothing else."""

from datetime import date

import pandas as pd
import pytest

from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.sql import SqlError, run_query
from forecasting_assets.tables import PLAN_COST, PLAN_SHORTAGES

WEEKS = [date(2026, 11, 9), date(2026, 11, 16)]
TABLES = {table.name: table for table in (PLAN_COST, PLAN_SHORTAGES)}


@pytest.fixture
def lake(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    for amount, week in enumerate(WEEKS):
        rows = pd.DataFrame({"part": ["total", "lane_cost"], "amount": [10.0 + amount, 1.0]})
        lake.write_pandas(rows, PLAN_COST, week)
    return lake


def test_a_table_is_a_view_of_all_its_weeks(lake):
    query = "select week, amount from plan_cost where part = 'total' and week >= '2026-11-09' order by week"
    answer = run_query(lake, TABLES, query)
    assert answer["week"].tolist() == [pd.Timestamp(week) for week in WEEKS]
    assert answer["amount"].tolist() == [10.0, 11.0]


def test_a_table_without_weeks_has_no_rows_but_its_columns(lake):
    answer = run_query(lake, TABLES, "select * from plan_shortages")
    assert answer.columns.tolist() == [*PLAN_SHORTAGES.names, "week"]
    assert answer.empty


@pytest.mark.parametrize(
    "query",
    [
        "drop view plan_cost",
        "insert into plan_cost values ('total', 1, '2026-11-09') returning part",
        "create table mine as select 1",
        "copy (select 1) to '{folder}/out.csv'",
        "attach '{folder}/out.db'",
        "select * from '{folder}/secret.csv'",
        "select * from read_text('{folder}/secret.csv')",
        "set enable_external_access = true",
        "select * from lake",
        "select 1; select 2",
        "",
    ],
)
def test_nothing_else_is_read_and_nothing_is_written(lake, tmp_path, query):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SqlError) as error:
        run_query(lake, TABLES, query.format(folder=tmp_path))
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before
