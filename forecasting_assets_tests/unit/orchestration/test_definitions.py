"""The code location as Dagster loads it."""

import subprocess
import sys

#: Seconds each; what needs one of them imports it when it does.
HEAVY = ["cvxpy", "highspy", "matplotlib", "mlflow", "pyspark", "scipy", "statsmodels", "xgboost"]


def test_loading_the_code_location_imports_nothing_heavy():
    code = "import sys, forecasting_assets.definitions; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(loaded.stdout.split())
