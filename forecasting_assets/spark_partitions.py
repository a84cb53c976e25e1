"""How rows are laid out over Spark's partitions."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Fewer partitions than weeks, as each costs a task; not one a core, or the rows of one would not fit in memory.
_WEEKS_EACH = 4


def shuffle_tasks(spark: "SparkSession") -> int:
    """Tasks that rows are moved to where nothing else is said: as many as there are cores, on one machine."""
    return int(spark.conf.get("spark.sql.shuffle.partitions") or 1)


def by_week(frame: "DataFrame", weeks: Sequence[date]) -> "DataFrame":
    """`frame`, whose column `week` holds these weeks, with all rows of a week in one partition.

    As `Lake.write` wants them: it writes a file a week.
    """
    tasks = min(len(weeks), shuffle_tasks(frame.sparkSession))
    return frame.repartition(max(-(-len(weeks) // _WEEKS_EACH), tasks), "week")
