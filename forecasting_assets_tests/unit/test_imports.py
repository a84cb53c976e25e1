"""The functional core and its tests need neither Dagster nor Spark."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import forecasting_assets

UNIT = Path(__file__).parent
#: Packages whose code and unit tests run without either of them.
CORE = ["allocation", "features", "forecasting", "orders"]
FORBIDDEN = {"dagster", "pyspark"}

IMPORT = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""
COLLECT = """
import json, sys, pytest
code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *sys.argv[1:]])
print(json.dumps({"code": int(code), "modules": sorted(sys.modules)}))
"""


def run(program: str, *arguments: str):
    """Run a Python program in a process of its own, and read the JSON of its last line."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=UNIT.parents[1], check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("package", CORE)
def test_importing_the_core_loads_neither_dagster_nor_spark(package):
    root = Path(forecasting_assets.__file__).parent
    files = sorted((root / package).rglob("*.py"))
    paths = [".".join(file.relative_to(root.parent).with_suffix("").parts) for file in files]
    modules = {path.removesuffix(".__init__") for path in paths}
    loaded = set(run(IMPORT, *sorted(modules)))
    assert len(modules) > 2
    assert modules <= loaded
    assert not FORBIDDEN & loaded


def test_collecting_the_unit_tests_of_the_core_loads_neither_dagster_nor_spark():
    collected = run(COLLECT, *(str(UNIT / package) for package in CORE))
    loaded = set(collected["modules"])
    assert collected["code"] == 0
    tests = {
        f"{__package__}.{package}.{file.stem}"
        for package in CORE
        for file in (UNIT / package).glob("test_*.py")
    }
    assert tests <= loaded
    assert not FORBIDDEN & loaded
