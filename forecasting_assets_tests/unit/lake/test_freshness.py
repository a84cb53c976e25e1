"""What holds a week back."""

from datetime import date

import pandas as pd

from forecasting_assets.lake.blockers import Attempt, blockers
from forecasting_assets.lake.freshness import freshness_of
from forecasting_assets.lake.records import UNCHECKED, Record
from forecasting_assets.settings import load_settings
from forecasting_assets.tables import BUSINESS_IMPACT

W1, W2 = date(2024, 3, 4), date(2024, 3, 11)


def test_weeks_of_a_run_go_on_from_those_before_that_it_makes_anew(tmp_path):
    """Whoever was killed before its checks would otherwise have to be started again for each week of its range."""
    (tmp_path / "forecasting.toml").write_text(f"[calendar]\nfirst_week = {W1}\n")
    freshness = freshness_of(load_settings(tmp_path))
    empty = pd.DataFrame({c.name: pd.Series(dtype=object) for c in BUSINESS_IMPACT.columns})
    freshness.home.lake.write_pandas(empty, BUSINESS_IMPACT, W1)
    content, seen = freshness.home.lake.records.identity(BUSINESS_IMPACT, W1)
    record = Record("v", {"settings": {}}, content, seen, {"contract": UNCHECKED})
    freshness.home.lake.records.write(BUSINESS_IMPACT, W1, record)
    (obstacle,) = blockers(freshness, "business_impact", W2, Attempt("run", (), []))
    assert f"contract of business_impact {W1} failed ({UNCHECKED})" in obstacle
    assert blockers(freshness, "business_impact", W2, Attempt("run", (), [W1])) == []
