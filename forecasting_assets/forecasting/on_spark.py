"""The models on Spark: forecasts of some parts in each task, and an XGBoost mean that several tasks train together.

A task holds whole parts, as a series borrows its season from the other regions of its part. It also receives what is
common to all series and small: the models, and the totals of categories and regions. So the memory of a process does
not grow with the number of series.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.planner_notes import EXCLUDE, KEEP, NOTE_COLUMNS
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb import MeanRows, TrainingPlan, XgbModel
from forecasting_assets.tables import SARIMAX_MODEL, SERIES, XGB_MODEL, Table
from forecasting_assets.tables.arrow import to_pandas

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark import BarrierTaskContext
    from pyspark.sql import DataFrame, GroupedData, SparkSession

#: Series in a task, and forecasts (of a series from an origin) in a task.
SERIES_PER_TASK, FORECASTS_PER_TASK = 2_000, 20_000
#: Seconds that tasks which train together wait for each other before they fail.
_TIMEOUT = 600
#: The last line of a traceback.
_PYTHON_ERROR = re.compile(r"Traceback \(most recent call last\):\n(?:\s.*\n)+(.+)")
_HISTORY = [*SERIES, "part_category", "week", "quantity"]
#: Columns of the history where orders have due dates, and where covariates are known.
_BOOK, _COVARIATES = ["due_week"], ["covariate", "value", "known"]
#: Further columns where planners say something about the history.
_NOTES = [name for name in NOTE_COLUMNS if name not in (*_HISTORY, *_COVARIATES)]


class DistributedFitError(PicklableError, RuntimeError):
    """Not all tasks that train together finished; `week` is that of the fit, `tasks` their number."""

    def __init__(self, week: date, tasks: int, reason: str) -> None:
        super().__init__(f"{week}: XGBoost could not be trained by {tasks} Spark tasks: {reason}")
        self.week, self.tasks, self.reason = week, tasks, reason


def slots(spark: "SparkSession") -> int:
    """Return the number of tasks that Spark runs at once."""
    from pyspark.sql import functions as F

    # A range has as many partitions as there are slots; unlike the context, this works through Spark Connect.
    return spark.range(1 << 16).select(F.spark_partition_id()).distinct().count()


def task_count(at_least: int, series: int, forecasts: int) -> int:
    """Return the number of tasks for some series and forecasts in all, `at_least` or more."""
    return max(at_least, series // SERIES_PER_TASK, forecasts // FORECASTS_PER_TASK)


def group_totals(demand: "DataFrame") -> GroupTotals:
    """Add up the weekly demand, and the order book if `demand` holds it, of each category and region."""
    from pyspark.sql import functions as F

    weeks = ["week", "due_week"] if "due_week" in demand.columns else ["week"]
    if "covariate" in demand.columns:
        demand = demand.filter("covariate IS NULL")
    noted = None
    if "note" in demand.columns:
        noted, demand = _noted(demand), demand.filter("note IS NULL")
    by_both = demand.groupBy("part_category", "region", *weeks).agg(F.sum("quantity").alias("quantity"))
    table = by_both.toPandas()
    return GroupTotals.from_history(table.astype(dict.fromkeys(weeks, "datetime64[ns]"))).with_notes(noted)


def _noted(demand: "DataFrame") -> pd.DataFrame | None:
    """Return the rows of demand that planners have corrected, as `GroupTotals.noted`; None if there are none."""
    from pyspark.sql import functions as F

    corrected = demand.filter(F.col("note").isin(EXCLUDE, KEEP)).select(*SERIES, "week", "note", "known")
    orders = demand.filter("note IS NULL")
    if "due_week" in demand.columns:
        orders = orders.filter("due_week IS NULL")
    orders = orders.select(*SERIES, "part_category", "week", "quantity")
    rows = orders.join(F.broadcast(corrected), [*SERIES, "week"]).toPandas()
    return rows.astype(dict.fromkeys(["week", "known"], "datetime64[ns]")) if len(rows) else None


def sarimax_forecasts(
    demand: "DataFrame",
    groups: Mapping[date, Sequence[date]],
    models: Mapping[date, SarimaxModel],
    tasks: int,
    settings: ForecastingSettings,
) -> "DataFrame":
    """Forecast with SARIMAX.

    Parameters
    ----------
    demand
        weekly_demand with `week`, of all weeks that the models use; where orders have due dates also order_book with
        `week`, whose rows have a `due_week`.
    groups
        Refit week to the origins that are forecast with its model.
    models
        Refit week to model.
    tasks
        Number of Spark tasks.
    settings
        Settings of the forecasts.

    Returns
    -------
    pyspark.sql.DataFrame
        Rows of SARIMAX_MODEL with `week`.
    """
    totals, of_all_parts = group_totals(demand), _covariates_of_all_parts(demand)

    def forecast(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        if received := list(batches):
            history = pd.concat([_joined(received), of_all_parts])
            for fitted_at, weeks in groups.items():
                forecasts = sarimax.predict(models[fitted_at], history, totals, weeks, settings)
                yield from _to_arrow(forecasts, SARIMAX_MODEL).to_batches()

    by_part = _history(demand).repartition(tasks, "part_id")
    return by_part.mapInArrow(forecast, f"{SARIMAX_MODEL.ddl}, week DATE")


def xgb_forecasts(
    demand: "DataFrame",
    features: "DataFrame",
    groups: Mapping[date, Sequence[date]],
    models: Mapping[date, XgbModel | SarimaxModel],
    tasks: int,
    settings: ForecastingSettings,
) -> "DataFrame":
    """Forecast with XGBoost, or with SARIMAX where `models` has no XGBoost for a refit week.

    Parameters
    ----------
    demand, groups, models, tasks, settings
        As for `sarimax_forecasts`.
    features
        feature_table of the origins in `groups`.

    Returns
    -------
    pyspark.sql.DataFrame
        Rows of XGB_MODEL with `week`.
    """
    totals, of_all_parts = group_totals(demand), _covariates_of_all_parts(demand)

    def forecast(history: "pa.Table", known: "pa.Table") -> "pa.Table":
        rows, past = to_pandas(known), pd.concat([to_pandas(history), of_all_parts])
        forecasts = []
        for fitted_at, weeks in groups.items():
            model = models[fitted_at]
            if isinstance(model, SarimaxModel):
                table = sarimax.predict(model, past, totals, weeks, settings).assign(method="sarimax")
            else:
                now = rows[rows["week"].isin([pd.Timestamp(week) for week in weeks])]
                table = xgb.predict(model, now, past, totals, settings).assign(method="xgb")
            forecasts.append(table)
        return _to_arrow(pd.concat(forecasts, ignore_index=True), XGB_MODEL)

    return (
        _by_part(_history(demand), tasks)
        .cogroup(_by_part(features, tasks))
        .applyInArrow(forecast, f"{XGB_MODEL.ddl}, week DATE")
    )


def train_mean(
    demand: "DataFrame", features: "DataFrame", plan: TrainingPlan, settings: ForecastingSettings
) -> Any:
    """Train the booster of the mean by one task for every `xgb_distributed_rows` rows, as far as there are slots.

    The same rows and number of tasks give the same booster.

    Parameters
    ----------
    demand, features
        weekly_demand and feature_table of the weeks that a fit uses.
    plan
        What to train on.
    settings
        Settings of the forecasts.

    Raises
    ------
    DistributedFitError
        If a task fails.
    """
    tasks = min(slots(demand.sparkSession), -(-plan.rows // settings.xgb_distributed_rows))
    rows = _mean_rows(demand, features, plan, settings).repartition(tasks, "rank")
    names = xgb.feature_names(plan.with_book)

    def train(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa
        from pyspark import BarrierTaskContext

        rows_of_task = _sorted_rows(batches, names)
        task = BarrierTaskContext.get()
        with _communicator(task):
            booster = rows_of_task.train(settings)
        if task.partitionId() == 0:
            yield pa.RecordBatch.from_pydict({"booster": [bytes(booster.save_raw("ubj"))]})

    try:
        (result,) = rows.mapInArrow(train, "booster BINARY", barrier=True).collect()
    except Exception as error:
        # The Python error of the task is in the middle of a Java stack trace.
        python_error = _PYTHON_ERROR.search(str(error))
        reason = python_error[1] if python_error else str(error)
        raise DistributedFitError(plan.sarimax.week, tasks, reason) from error
    return xgb.load_booster(bytearray(result["booster"]))


def _mean_rows(
    demand: "DataFrame", features: "DataFrame", plan: TrainingPlan, settings: ForecastingSettings
) -> "DataFrame":
    """MeanRows as a table: the features, target, weight, rank."""
    from pyspark.sql import functions as F

    totals, names = group_totals(demand), xgb.feature_names(plan.with_book)
    parts = demand.sparkSession.createDataFrame(pd.DataFrame({"part_id": plan.parts}))

    def training_rows(history: "pa.Table", known: "pa.Table") -> "pa.Table":
        import pyarrow as pa

        base = plan.baseline(to_pandas(history), totals, settings)
        rows = plan.mean_rows(to_pandas(known), base, settings)
        columns = dict(zip(names, rows.x.T, strict=True))
        others = {name: getattr(rows, name) for name in ("target", "weight")}
        return pa.table({**columns, **others, "rank": rows.rank.view("int64")})

    tasks = task_count(slots(demand.sparkSession), len(plan.parts), plan.rows)
    sampled = [frame.join(F.broadcast(parts), "part_id", "left_semi") for frame in (demand, features)]
    schema = [f"`{name}` FLOAT" for name in names]
    schema += ["target DOUBLE", "weight DOUBLE", "rank BIGINT"]
    return (
        _by_part(_history(sampled[0]), tasks)
        .cogroup(_by_part(sampled[1], tasks))
        .applyInArrow(training_rows, ", ".join(schema))
    )


def _sorted_rows(batches: Iterable["pa.RecordBatch"], features: Sequence[str]) -> MeanRows:
    """Rows of a task, sorted by rank, as Spark delivers them in an arbitrary order."""
    import pyarrow as pa

    table = pa.Table.from_batches(batches)
    order = np.argsort(table["rank"].to_numpy())
    columns = {name: table[name].to_numpy()[order] for name in table.column_names}
    x = np.column_stack([columns[name] for name in features])
    return MeanRows(x, columns["target"], columns["weight"], columns["rank"].view("uint64"))


@contextmanager
def _communicator(task: "BarrierTaskContext") -> Iterator[None]:
    """Connect the tasks of a barrier stage by an xgboost communicator; the first task runs the tracker."""
    import xgboost
    from xgboost.collective import CommunicatorContext

    peers, rank = task.getTaskInfos(), task.partitionId()
    tracker, arguments = None, ""
    if rank == 0:
        host = peers[0].address.rpartition(":")[0]
        tracker = xgboost.RabitTracker(len(peers), host_ip=host, sortby="task", timeout=_TIMEOUT)
        tracker.start()
        arguments = json.dumps(tracker.worker_args())
    worker_arguments = json.loads(task.allGather(arguments)[0])
    with (
        xgboost.config_context(verbosity=0),
        CommunicatorContext(**worker_arguments, dmlc_task_id=str(rank), dmlc_timeout=_TIMEOUT),
    ):
        yield
    if tracker is not None:
        tracker.wait_for(_TIMEOUT)


def _history(demand: "DataFrame") -> "DataFrame":
    """Select what forecasts of a part are made from, without covariates of all parts."""
    others = [name for name in (*_BOOK, *_COVARIATES, *_NOTES) if name in demand.columns]
    return demand.filter("part_id IS NOT NULL").select(*_HISTORY, *others)


def _covariates_of_all_parts(demand: "DataFrame") -> pd.DataFrame:
    """Return the known covariates that are about all parts, which every task needs."""
    if "covariate" not in demand.columns:
        return pd.DataFrame()
    columns = ["part_id", "region", "week", *_COVARIATES]
    table = demand.filter("part_id IS NULL").select(*columns).toPandas()
    return table.astype(dict.fromkeys(["week", "known"], "datetime64[ns]"))


def _by_part(frame: "DataFrame", tasks: int) -> "GroupedData":
    """Group `frame` into `tasks` groups of whole parts, one for each task."""
    from pyspark.sql import functions as F

    task = F.pmod(F.hash("part_id"), F.lit(tasks))
    return frame.withColumn("_task", task).repartitionById(tasks, "_task").groupBy("_task")


def _joined(batches: Sequence["pa.RecordBatch"]) -> pd.DataFrame:
    import pyarrow as pa

    return to_pandas(pa.Table.from_batches(batches))


def _to_arrow(forecasts: pd.DataFrame, table: Table) -> "pa.Table":
    """Rows of a forecast table, with the column `week` that the lake partitions by."""
    import pyarrow as pa

    rows = forecasts.assign(week=forecasts["origin_week"])[[*table.names, "week"]]
    arrow = pa.Table.from_pandas(rows, preserve_index=False)
    dates = [pa.field(f.name, pa.date32()) if pa.types.is_timestamp(f.type) else f for f in arrow.schema]
    return arrow.cast(pa.schema(dates))
