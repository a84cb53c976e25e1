"""How rows are distributed over Spark partitions."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Weeks in a partition. Fewer partitions than weeks, as each costs a task; more than one for each core, as the rows of
#: a partition must fit in memory.
_WEEKS_PER_PARTITION = 4


def shuffle_tasks(spark: "SparkSession") -> int:
    """Return the default number of tasks after a shuffle; on one machine, the number of cores."""
    return int(spark.conf.get("spark.sql.shuffle.partitions") or 1)


def by_week(frame: "DataFrame", weeks: Sequence[date]) -> "DataFrame":
    """Repartition `frame` so that all rows of a week are in one partition.

    `weeks` are the weeks in the column `week`.
    """
    tasks = min(len(weeks), shuffle_tasks(frame.sparkSession))
    return frame.repartition(max(-(-len(weeks) // _WEEKS_PER_PARTITION), tasks), "week")
