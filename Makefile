# Set-up, demo, UI and tests; every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export FORECASTING_HOME ?= $(CURDIR)/.forecasting
# Homebrew keeps its JDK out of the way of the system's.
export JAVA_HOME ?= $(shell ls -d /opt/homebrew/opt/openjdk@17 /usr/local/opt/openjdk@17 2>/dev/null | head -n 1)
BENCHMARKS := startup backfill history etl series forecasting accuracy core_accuracy kinds order_book allocation uncertainty impact pages forecast_page
EVALS ?= ../shared/evals
# uv where it is installed, else pip.
INSTALL = $(if $(shell command -v uv 2>/dev/null),uv pip install --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)
.PHONY: help setup setup-dev demo dev mlflow test test-matrix test-airflow test-stores test-faults bench bench-packages $(addprefix bench-,$(BENCHMARKS)) lint docs docs-serve docs-screenshots java wheel dist test-spark clean
# Benchmarks that run at the same time would disturb each other.
.NOTPARALLEL:

help: ## this list
	@grep -E '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.installed java ## make .venv with the locked versions, and find or install Java

setup-dev: setup $(VENV)/.installed-dev ## … and what tests and checks of the code need

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	@if command -v uv >/dev/null 2>&1; then \
		echo "Installing with uv …"; \
		uv venv --allow-existing --python "$(PYTHON)" $(VENV); \
	else \
		echo "Installing with pip, which takes some minutes: most of it PySpark, which is built from source, and 150"; \
		echo "packages to download. Where uv is installed it is used instead, which is faster."; \
		$(PYTHON) -m venv $(VENV); \
	fi
	@$(INSTALL) --no-deps -r requirements.lock && $(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@$(INSTALL) --no-deps -r requirements-dev.lock
	@touch $@

java:
	@sh deploy/ensure-java.sh

demo: setup ## the whole platform on a synthetic marketplace, then a summary
	@$(BIN)/forecasting-assets demo

dev: setup ## Dagster UI and daemon on http://127.0.0.1:3000
	@$(BIN)/forecasting-assets dev

mlflow: setup ## MLflow UI on http://127.0.0.1:5000
	@$(BIN)/forecasting-assets mlflow

test: setup-dev ## all tests
	@sh deploy/ensure-chromium.sh
	@sh deploy/ensure-postgresql.sh
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-matrix: setup-dev ## slow tests that CI leaves out: Spark clusters, Spark Connect, buckets, the tutorial
	@sh deploy/ensure-postgresql.sh
	@$(BIN)/python -m pytest -m matrix

test-airflow: setup-dev ## run the DAGs of deploy/airflow in an Airflow of its own, in .venv-airflow
	@test -x .venv-airflow/bin/airflow || { echo "Installing Airflow …"; $(PYTHON) -m venv .venv-airflow && \
		.venv-airflow/bin/python -m pip install --quiet --disable-pip-version-check "apache-airflow>=3.1,<4"; }
	@$(BIN)/python -m pytest -m matrix forecasting_assets_tests/integration/test_airflow.py

test-stores: setup-dev ## a lake in Google Cloud Storage and in Azure, on emulators in .venv-stores; needs npm
	@test -x .venv-stores/bin/gcp-storage-emulator || { $(PYTHON) -m venv .venv-stores && \
		.venv-stores/bin/python -m pip install --quiet --disable-pip-version-check gcp-storage-emulator; }
	@test -x .venv-stores/node_modules/.bin/azurite-blob || npm install --silent --prefix .venv-stores azurite
	@$(BIN)/python -m pytest -m matrix forecasting_assets_tests/integration/test_other_stores.py

test-spark: setup-dev ## the same rows with another PySpark: SPARK=4.0.5, or SPARK=3.5.9 SERVER=4.0.5 as 3.5 has no server
	@test -n "$(SPARK)" || { echo "Which version of PySpark? make test-spark SPARK=4.0.5"; exit 1; }
	@for version in $(SPARK) $(SERVER); do sh deploy/spark-environment.sh $(BIN)/python $$version $(VENV)-spark-$$version; done
	@SPARK_PYTHON=$(CURDIR)/$(VENV)-spark-$(SPARK)/bin/python \
		SPARK_SERVER_PYTHON=$(CURDIR)/$(VENV)-spark-$(or $(SERVER),$(SPARK))/bin/python \
		$(BIN)/python -m pytest -m matrix forecasting_assets_tests/integration/test_spark_elsewhere.py \
		forecasting_assets_tests/integration/test_glue.py

test-faults: setup-dev ## kill runs, fill the disk, damage files …: nothing may be lost (half an hour)
	@$(BIN)/python -m pytest forecasting_assets_tests/faults

bench-packages: setup
	@$(BIN)/python -c 'import duckdb, lightgbm, linopy, mlforecast, polars, pulp, statsforecast' 2>/dev/null || \
		uv pip install --quiet --python $(BIN)/python --editable '.[bench]' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --editable '.[bench]'

bench: $(addprefix bench-,$(BENCHMARKS)) ## all benchmarks in turn, into benchmarks/RESULTS.md; bench-NAME is one:
bench-startup: ## … from click to done, with and without a warm server
bench-backfill: ## … many weeks in one run compared with one run a week
bench-history: ## … a new week after ten years compared with after one
bench-etl: ## … order lines to features compared with DuckDB and Polars
bench-series: ## … both models at 10,000, 30,000 and 100,000 series
bench-forecasting: ## … speed of the models compared with statsforecast and mlforecast
bench-kinds: ## … accuracy on synthetic kinds of demand compared with statsforecast (quarter of an hour)
bench-order_book: ## … accuracy with the order book compared with forecasts without it
bench-allocation: ## … speed of planning compared with HiGHS alone, linopy and PuLP
bench-uncertainty: ## … methods of solving by kind and size of the program
bench-impact: ## … business impact of plans on five synthetic marketplaces
bench-pages: ## … time and size of the pages of a large plan
$(addprefix bench-,$(filter-out accuracy core_accuracy,$(BENCHMARKS))): bench-%: bench-packages
	@$(BIN)/python -m benchmarks.$*

bench-accuracy: bench-packages ## … accuracy on all data sets of EVALS compared with statsforecast and mlforecast (hours)
	@if [ -d "$(EVALS)" ]; then $(BIN)/python -m benchmarks.accuracy --evals $(EVALS); \
		else echo "accuracy is skipped: there is no folder $(EVALS) with the yardstick; set EVALS"; fi

bench-core_accuracy: bench-packages ## … both models on every data set of EVALS, and the best peers where it lists them
	@if [ -d "$(EVALS)" ]; then $(BIN)/python -m benchmarks.core_accuracy --markets --evals $(EVALS); \
		else echo "core_accuracy is skipped: there is no folder $(EVALS) with the yardstick; set EVALS"; fi

lint: setup-dev ## style, types and the import contract
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

docs: setup-dev ## build the documentation into site/; broken links and stale names are errors
	@$(BIN)/mkdocs build --quiet --strict

docs-serve: setup-dev ## read the documentation on http://127.0.0.1:8000
	@$(BIN)/mkdocs serve

docs-screenshots: setup-dev ## take the screenshots of the documentation again, from the home of the demo
	@sh deploy/ensure-chromium.sh
	@$(BIN)/python docs/screenshots.py

wheel: setup ## build the wheel into dist/
	@rm -f dist/*.whl
	@if command -v uv >/dev/null 2>&1; then uv build --quiet --wheel --out-dir dist; else \
		$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .; fi

dist: wheel ## … and all that a Spark cluster, AWS or Databricks needs; CLUSTER_PYTHON=path of Python on the cluster
	@cp deploy/spark_submit.py deploy/aws/glue_job.py deploy/databricks/install.sh dist/
	@sh deploy/pack-environment.sh $(BIN)/python dist/*.whl \
		dist/forecasting-assets-environment.tar.gz $(CLUSTER_PYTHON)

clean: ## remove .venv; your orders and results stay
	rm -rf $(VENV)
