"""The models on Spark: forecasts of some parts in each task, and an XGBoost mean that several tasks train together.

A task holds whole parts, as a series borrows its season from the other regions of its part. It also receives what is
common to all series and small: the models, and the totals of categories and regions. So the memory of a process does
not grow with the number of series.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecasting_assets.errors import PicklableError
from forecasting_assets.forecasting import xgb
from forecasting_assets.forecasting.model import ForecastingModel, ModelContext, ModelData
from forecasting_assets.forecasting.panel import ForecastDataError
from forecasting_assets.forecasting.planner_notes import EXCLUDE, KEEP, NOTE_COLUMNS
from forecasting_assets.forecasting.registry import predict
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb import MeanRows, TrainingPlan
from forecasting_assets.spark_versions import cogroup_by_id
from forecasting_assets.tables import COVARIATE_COLUMNS, DUE_WEEK, SERIES, Table, model_table
from forecasting_assets.tables.arrow import to_pandas

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark import BarrierTaskContext
    from pyspark.sql import DataFrame, SparkSession

#: Series in a task, and forecasts (of a series from an origin) in a task.
SERIES_PER_TASK, FORECASTS_PER_TASK = 2_000, 20_000
#: Seconds that tasks which train together wait for each other before they fail.
_TIMEOUT = 600
#: The last line of a traceback.
_PYTHON_ERROR = re.compile(r"Traceback \(most recent call last\):\n(?:\s.*\n)+(.+)")
_HISTORY = [*SERIES, "part_category", "week", "quantity"]
#: Columns of the history where orders have due dates, and where covariates are known.
_BOOK, _COVARIATES = [DUE_WEEK.name], [column.name for column in COVARIATE_COLUMNS]
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
    # PySpark 3.5 takes no whole numbers of NumPy.
    return int(max(at_least, series // SERIES_PER_TASK, forecasts // FORECASTS_PER_TASK))


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


@dataclass(frozen=True)
class ModelInput:
    """What the tasks forecast from.

    Attributes
    ----------
    demand
        weekly_demand with `week`, of all weeks that the models use; where orders have due dates also order_book with
        `week`, whose rows have a `due_week`.
    features
        feature_table of the origins; None for a model that does not read features.
    tasks
        Number of Spark tasks.
    """

    demand: "DataFrame"
    features: "DataFrame | None"
    tasks: int


def forecasts(
    model: ForecastingModel,
    fitted: Mapping[date, Any],
    groups: Mapping[date, Sequence[date]],
    data: ModelInput,
    context: ModelContext,
) -> "DataFrame":
    """Forecast with a model.

    Parameters
    ----------
    model
        The model.
    fitted
        Refit week to the fitted model, or to its fallback.
    groups
        Refit week to the origins that are forecast with its model.
    data
        What to forecast from.
    context
        Horizon and settings.

    Returns
    -------
    pyspark.sql.DataFrame
        Rows of the table of the model, with `week`.
    """
    totals, of_all_parts = group_totals(data.demand), _covariates_of_all_parts(data.demand)
    table = model_table(model.name)

    def forecast(history: "pa.Table", features: pd.DataFrame) -> Iterator["pa.Table"]:
        rows = ModelData(features, pd.concat([to_pandas(history), of_all_parts]), totals)
        for fitted_at, weeks in groups.items():
            yield _to_arrow(predict(model, fitted[fitted_at], rows, weeks, context), table)

    def from_history(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa

        if received := list(batches):
            for made in forecast(pa.Table.from_batches(received), pd.DataFrame()):
                yield from made.to_batches()

    def from_features(history: "pa.Table", features: "pa.Table") -> "pa.Table":
        import pyarrow as pa

        return pa.concat_tables(forecast(history, to_pandas(features)))

    schema, history = f"{table.ddl}, week DATE", _history(data.demand)
    if data.features is None:
        return history.repartition(data.tasks, "part_id").mapInArrow(from_history, schema)
    return _by_part(history, data.features, data.tasks, from_features, schema)


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
    tasks = int(min(slots(demand.sparkSession), -(-plan.rows // settings.xgb_distributed_rows)))
    rows = _mean_rows(demand, features, plan, settings).repartition(tasks, "rank")
    names = xgb.feature_names(plan.with_earlier_years, plan.with_book)

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

    totals = group_totals(demand)
    names = xgb.feature_names(plan.with_earlier_years, plan.with_book)
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
    return _by_part(_history(sampled[0]), sampled[1], tasks, training_rows, ", ".join(schema))


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


def _by_part(
    history: "DataFrame",
    features: "DataFrame",
    tasks: int,
    function: "Callable[[pa.Table, pa.Table], pa.Table]",
    ddl: str,
) -> "DataFrame":
    """Apply `function` to history and features of some whole parts in each of `tasks` tasks; `ddl` is what it makes."""
    from pyspark.sql import functions as F

    task = F.pmod(F.hash("part_id"), F.lit(tasks))
    frames = history.withColumn("_task", task), features.withColumn("_task", task)
    return cogroup_by_id(frames, "_task", tasks, function, ddl)


def _to_arrow(forecasts: pd.DataFrame, table: Table) -> "pa.Table":
    """Rows of a forecast table, with the column `week` that the lake partitions by."""
    import pyarrow as pa

    if missing := [name for name in table.names if name not in forecasts.columns]:
        raise ForecastDataError(f"{table.name}: forecasts have no column {', '.join(missing)}")
    rows = forecasts.assign(week=forecasts["origin_week"])[[*table.names, "week"]]
    arrow = pa.Table.from_pandas(rows, preserve_index=False)
    dates = [pa.field(f.name, pa.date32()) if pa.types.is_timestamp(f.type) else f for f in arrow.schema]
    return arrow.cast(pa.schema(dates))
