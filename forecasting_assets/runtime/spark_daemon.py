"""PySpark's worker daemon with the libraries that tasks use imported before it forks workers.

Run as a program. Spark ends workers that have been idle for a minute, so the tasks of each run would otherwise
import these libraries again. The platform's own modules are imported by the workers, as they may be edited while a
server is running.
"""

import gc
from importlib import import_module

from pyspark.daemon import manager

#: Modules that tasks use.
LIBRARIES = [
    "holidays",
    "msgspec",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic",
    "pyspark.worker",
    "statsmodels.tsa.statespace.sarimax",
    "xgboost",
]

if __name__ == "__main__":
    for library in LIBRARIES:
        import_module(library)
    # Workers collect garbage after each task; modules loaded here never become garbage and need not be checked.
    gc.freeze()
    manager()
