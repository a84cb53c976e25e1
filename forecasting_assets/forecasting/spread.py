"""The models over Spark: forecasts a few parts at a time, and a mean of XGBoost that many tasks train together.

A task holds whole parts, as a series learns its season from the other regions of its part. What all series taught
comes with it: the models and the totals of categories and regions, which are small. So no process holds more the
more series there are.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecasting_assets.forecasting import sarimax, xgb
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb import Lesson, MeanRows, XgbModel
from forecasting_assets.tables import SARIMAX_MODEL, SERIES, XGB_MODEL, Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark import BarrierTaskContext
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.pandas.group_ops import GroupedData

#: Series of a task, and forecasts (a series at an origin) of a task.
SERIES_PER_TASK, FORECASTS_PER_TASK = 2_000, 20_000
#: Seconds that tasks which train together wait for each other before they give up.
_PATIENCE = 600
#: The last line of a traceback.
_PYTHON_ERROR = re.compile(r"Traceback \(most recent call last\):\n(?:\s.*\n)+(.+)")
_HISTORY = [*SERIES, "part_category", "week", "quantity"]


class DistributedFitError(RuntimeError):
    """Tasks that train together did not all come to the end."""


def slots(spark: "SparkSession") -> int:
    """Tasks that Spark runs at once."""
    from pyspark.sql import functions as F

    # A range has as many partitions as there are slots, and this is asked the same way through Spark Connect.
    return spark.range(1 << 16).select(F.spark_partition_id()).distinct().count()


def task_count(least: int, series: int, forecasts: int) -> int:
    """Tasks to forecast so many series in, with so many forecasts in all, `least` of them at least."""
    return max(least, series // SERIES_PER_TASK, forecasts // FORECASTS_PER_TASK)


def group_totals(demand: "DataFrame") -> GroupTotals:
    """Units by week of each category and region, which are few."""
    from pyspark.sql import functions as F

    by_both = demand.groupBy("part_category", "region", "week").agg(F.sum("quantity").alias("quantity"))
    table = by_both.toPandas()
    return GroupTotals.of(table.assign(week=table["week"].astype("datetime64[ns]")))


def sarimax_forecasts(
    demand: "DataFrame",
    groups: Mapping[date, Sequence[date]],
    models: Mapping[date, SarimaxModel],
    tasks: int,
    settings: ForecastingSettings,
) -> "DataFrame":
    """Rows of SARIMAX_MODEL with `week`: forecasts from the weeks of `groups` by the model of their refit week.

    demand: weekly_demand with `week`, of all weeks that the models look at.
    """
    totals = group_totals(demand)

    def forecast(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        if received := list(batches):
            history = _to_pandas(received)
            for fitted_at, weeks in groups.items():
                made = sarimax.predict(models[fitted_at], history, totals, weeks, settings)
                yield from _to_arrow(made, SARIMAX_MODEL).to_batches()

    by_part = demand.select(*_HISTORY).repartition(tasks, "part_id")
    return by_part.mapInArrow(forecast, f"{SARIMAX_MODEL.ddl}, week DATE")


def xgb_forecasts(
    demand: "DataFrame",
    features: "DataFrame",
    groups: Mapping[date, Sequence[date]],
    models: Mapping[date, XgbModel | SarimaxModel],
    tasks: int,
    settings: ForecastingSettings,
) -> "DataFrame":
    """Rows of XGB_MODEL with `week`, as `sarimax_forecasts`; where a model is SARIMAX, it stands in.

    features: feature_table of the weeks of `groups`.
    """
    totals = group_totals(demand)

    def forecast(history: "pa.Table", known: "pa.Table") -> "pa.Table":
        rows, past = _to_pandas(known.to_batches()), _to_pandas(history.to_batches())
        made = []
        for fitted_at, weeks in groups.items():
            model = models[fitted_at]
            if isinstance(model, SarimaxModel):
                made.append(sarimax.predict(model, past, totals, weeks, settings).assign(method="sarimax"))
            else:
                now = rows[rows["week"].isin([pd.Timestamp(week) for week in weeks])]
                made.append(xgb.predict(model, now, past, totals, settings).assign(method="xgb"))
        return _to_arrow(pd.concat(made, ignore_index=True), XGB_MODEL)

    return (
        _by_part(demand.select(*_HISTORY), tasks)
        .cogroup(_by_part(features, tasks))
        .applyInArrow(forecast, f"{XGB_MODEL.ddl}, week DATE")
    )


def train_mean(
    demand: "DataFrame", features: "DataFrame", lesson: Lesson, settings: ForecastingSettings
) -> Any:
    """The booster of the mean, trained by a task for every `xgb_distributed_rows` rows, as far as there are slots.

    The same rows and number of tasks give the same booster. demand, features: of the weeks that a fit looks at.
    Raises DistributedFitError if a task fails.
    """
    tasks = min(slots(demand.sparkSession), -(-lesson.rows // settings.xgb_distributed_rows))
    rows = _mean_rows(demand, features, lesson, settings).repartition(tasks, "rank")

    def train(batches: Iterator["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa
        from pyspark import BarrierTaskContext

        own = _received(batches)
        task = BarrierTaskContext.get()
        with _together(task):
            booster = own.train(settings)
        if task.partitionId() == 0:
            yield pa.RecordBatch.from_pydict({"booster": [bytes(booster.save_raw("ubj"))]})

    try:
        (found,) = rows.mapInArrow(train, "booster BINARY", barrier=True).collect()
    except Exception as error:
        # What the task said stands in the middle of Java's account of it.
        said = _PYTHON_ERROR.search(str(error))
        raise DistributedFitError(
            f"{lesson.baseline.week}: XGBoost could not be trained by {tasks} Spark tasks: "
            f"{said[1] if said else error}"
        ) from error
    return xgb.booster(bytearray(found["booster"]))


def _mean_rows(
    demand: "DataFrame", features: "DataFrame", lesson: Lesson, settings: ForecastingSettings
) -> "DataFrame":
    """MeanRows as a table: FEATURES, target, start, weight, rank."""
    from pyspark.sql import functions as F

    totals = group_totals(demand)
    parts = demand.sparkSession.createDataFrame(pd.DataFrame({"part_id": lesson.parts}))

    def learn(history: "pa.Table", known: "pa.Table") -> "pa.Table":
        import pyarrow as pa

        base = lesson.base(_to_pandas(history.to_batches()), totals, settings)
        made = lesson.mean_rows(_to_pandas(known.to_batches()), base, settings)
        columns = dict(zip(xgb.FEATURES, made.x.T, strict=True))
        others = {name: getattr(made, name) for name in ("target", "start", "weight")}
        return pa.table({**columns, **others, "rank": made.rank.view("int64")})

    tasks = task_count(slots(demand.sparkSession), len(lesson.parts), lesson.rows)
    drawn = [frame.join(F.broadcast(parts), "part_id", "left_semi") for frame in (demand, features)]
    schema = [f"`{name}` FLOAT" for name in xgb.FEATURES]
    schema += ["target DOUBLE", "start DOUBLE", "weight DOUBLE", "rank BIGINT"]
    return (
        _by_part(drawn[0].select(*_HISTORY), tasks)
        .cogroup(_by_part(drawn[1], tasks))
        .applyInArrow(learn, ", ".join(schema))
    )


def _received(batches: Iterable["pa.RecordBatch"]) -> MeanRows:
    """The rows of a task in the order of their ranks, as Spark hands them on in any."""
    import pyarrow as pa

    table = pa.Table.from_batches(batches)
    order = np.argsort(table["rank"].to_numpy())
    columns = {name: table[name].to_numpy()[order] for name in table.column_names}
    x = np.column_stack([columns[name] for name in xgb.FEATURES])
    return MeanRows(x, columns["target"], columns["start"], columns["weight"], columns["rank"].view("uint64"))


@contextmanager
def _together(task: "BarrierTaskContext") -> Iterator[None]:
    """A communicator of xgboost among the tasks of a barrier stage; the first of them keeps the tracker."""
    import xgboost
    from xgboost.collective import CommunicatorContext

    peers, place = task.getTaskInfos(), task.partitionId()
    tracker, said = None, ""
    if place == 0:
        host = peers[0].address.rpartition(":")[0]
        tracker = xgboost.RabitTracker(len(peers), host_ip=host, sortby="task", timeout=_PATIENCE)
        tracker.start()
        said = json.dumps(tracker.worker_args())
    tracked_by = json.loads(task.allGather(said)[0])
    with (
        xgboost.config_context(verbosity=0),
        CommunicatorContext(**tracked_by, dmlc_task_id=str(place), dmlc_timeout=_PATIENCE),
    ):
        yield
    if tracker is not None:
        tracker.wait_for(_PATIENCE)


def _by_part(frame: "DataFrame", tasks: int) -> "GroupedData":
    """`frame` in `tasks` groups of whole parts, each of them a task."""
    from pyspark.sql import functions as F

    task = F.pmod(F.hash("part_id"), F.lit(tasks))
    return frame.withColumn("_task", task).repartitionById(tasks, "_task").groupBy("_task")


def _to_pandas(batches: Sequence["pa.RecordBatch"]) -> pd.DataFrame:
    import pyarrow as pa

    frame = pa.Table.from_batches(batches).to_pandas(date_as_object=False)
    return frame.assign(week=frame["week"].astype("datetime64[ns]"))


def _to_arrow(forecasts: pd.DataFrame, table: Table) -> "pa.Table":
    """Rows of a forecast table with the column `week` that it is stored by."""
    import pyarrow as pa

    made = pa.Table.from_pandas(
        forecasts.assign(week=forecasts["origin_week"])[[*table.names, "week"]], preserve_index=False
    )
    dates = [pa.field(f.name, pa.date32()) if pa.types.is_timestamp(f.type) else f for f in made.schema]
    return made.cast(pa.schema(dates))
