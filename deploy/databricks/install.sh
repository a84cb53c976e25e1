#!/bin/sh
# Init script of a cluster of Databricks. FORECASTING_FILES is a folder with what `make dist` builds and forecasting.toml.
#
# As a library of the job, the wheel would bring a PySpark of its own. The home is on the machine's disk, as SQLite does
# not work in a volume.
set -eu
/databricks/python/bin/pip install --no-deps --requirement "$FORECASTING_FILES/requirements.txt" "$FORECASTING_FILES"/*.whl
mkdir -p "$FORECASTING_HOME"
cp "$FORECASTING_FILES/forecasting.toml" "$FORECASTING_HOME"
