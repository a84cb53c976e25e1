"""A model of the user's own, as the documentation writes it, in the whole chain."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.features.build import feature_columns
from forecasting_assets.forecasting.combine import combine
from forecasting_assets.tables import (
    BACKTEST_REPORT,
    DEMAND_FORECAST,
    MARKET_FORECAST,
    ORDER_BOOK,
    SARIMAX_MODEL,
    XGB_MODEL,
    model_table,
)
from forecasting_assets_tests.support.documentation import DOCS, snippets
from forecasting_assets_tests.support.homes import PLANNED, rows

pytestmark = pytest.mark.spark

PAGE = DOCS / "how-to" / "your-own-model.md"
OWN = model_table("half_year")
FEATURES = feature_columns(6)
ORIGIN, WEEK = PLANNED[-2], PLANNED[-1]


def test_a_model_of_the_users_own_is_forecast_judged_logged_and_combined(home_copy, tmp_path):
    import mlflow

    (code,), (settings,) = (snippets(PAGE, language) for language in ("python", "toml"))
    (tmp_path / "my_models.py").write_text(code)
    (names,) = re.findall(r"^models = .*$", settings, re.MULTILINE)
    toml = home_copy.path / "forecasting.toml"
    toml.write_text(toml.read_text().replace("[forecasting]", f"[forecasting]\n{names}"))
    before = {table.name: rows(home_copy, table, WEEK) for table in (SARIMAX_MODEL, XGB_MODEL)}

    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "FORECASTING_HOME": str(home_copy.path)}
    select = "half_year_model,backtest_report,demand_forecast"
    weeks = ["--from", str(ORIGIN), "--to", str(WEEK)]
    command = [sys.executable, "-m", "forecasting_assets", "materialize", *weeks, "--select", select]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stdout + made.stderr

    own = rows(home_copy, OWN, WEEK)
    assert set(own["method"]) == {"half_year"}
    report = rows(home_copy, BACKTEST_REPORT, WEEK)
    judged = report[(report["model"] == "half_year") & (report["segment"] == "all")].set_index(
        ["horizon", "metric"]
    )["value"]
    assert judged[1, "n"] == rows(home_copy, OWN, ORIGIN)["horizon"].eq(1).sum()
    weights = report[report["metric"] == "weight"].pivot(
        index=["segment", "horizon"], columns="model", values="value"
    )
    assert list(weights) == ["half_year", "sarimax", "xgb"]
    assert weights.sum(axis=1).to_numpy() == pytest.approx(1)

    members = {"sarimax": before["sarimax_model"], "xgb": before["xgb_model"], "half_year": own}
    series, book, markets = (
        rows(home_copy, table, WEEK) for table in (FEATURES, ORDER_BOOK, MARKET_FORECAST)
    )
    average = combine(members, series, report, book)
    assert (average["mean"] <= np.max([m["mean"] for m in members.values()], axis=0) + 1e-9).all()
    assert (average["mean"] >= np.min([m["mean"] for m in members.values()], axis=0) - 1e-9).all()
    reconciled = combine(members, series, report, book, markets)
    forecast = rows(home_copy, DEMAND_FORECAST, WEEK)
    pd.testing.assert_frame_equal(reconciled, forecast[list(reconciled)], rtol=1e-9)
    for table in (SARIMAX_MODEL, XGB_MODEL):
        pd.testing.assert_frame_equal(rows(home_copy, table, WEEK), before[table.name])

    client = mlflow.MlflowClient(home_copy.settings.tracking_uri)
    assert client.get_model_version_by_alias("half_year_model", f"week-{WEEK}").status == "READY"
