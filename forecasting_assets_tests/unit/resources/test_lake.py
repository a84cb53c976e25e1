import os
import time
from datetime import date
from pathlib import Path

import pandas as pd

from forecasting_assets.resources.lake import Lake
from forecasting_assets.tables import PLAN_COST

COSTS = pd.DataFrame({"part": ["total"], "amount": [1.0]})


def test_what_killed_runs_left_is_swept_and_what_others_are_writing_is_not(tmp_path):
    staging = tmp_path / "_staging"
    for name in ("killed", "writing"):
        (staging / name).mkdir(parents=True)
    (staging / "record").write_text("{}")
    long_ago = time.time() - 2 * 86400
    for name in ("killed", "record"):
        os.utime(staging / name, (long_ago, long_ago))
    Lake(path=str(tmp_path)).write_pandas(COSTS, PLAN_COST, date(2024, 3, 4))
    assert [file.name for file in staging.iterdir()] == ["writing"]


def test_a_week_is_replaced_whole(tmp_path):
    lake, week = Lake(path=str(tmp_path)), date(2024, 3, 4)
    lake.write_pandas(pd.concat([COSTS, COSTS]), PLAN_COST, week)
    lake.write_pandas(COSTS, PLAN_COST, week)
    assert lake.rows(PLAN_COST, week) == 1
    assert [f.name for f in Path(tmp_path, "plan_cost", f"week={week}").iterdir()] == ["data.parquet"]
