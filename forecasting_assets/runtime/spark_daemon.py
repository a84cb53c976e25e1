"""PySpark's daemon, as a program, with the libraries that tasks use imported before it forks workers for them.

Spark ends workers that have waited for a minute, so that the tasks of each run would have to import these anew. The
platform's own modules are left to the workers, as they may be edited while a server runs.
"""

import gc
from importlib import import_module

from pyspark.daemon import manager

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
    # Workers look for garbage after each task, and none of this will be.
    gc.freeze()
    manager()
