"""The private functions of Dagster that assets and runs use; a test fails when Dagster changes them.

Those for its storage are in runtime/event_log.py, those for launching runs in runtime/run_launcher.py and
runtime/run_launcher_process.py.
"""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

__all__ = ["DATA_VERSION_TAG", "execute_here", "narrow_to_partitions"]


def narrow_to_partitions(context: dg.OutputContext, keys: Sequence[str]) -> None:
    """Have Dagster record a materialization of these partitions alone, rather than of every one of the run."""
    context._asset_partitions_subset = context.asset_partitions_def.subset_with_partition_keys(keys)


def execute_here(job: dg.JobDefinition, run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
    """Execute a run in this process with the executor of its job; return whether it succeeded.

    `execute_in_process` would use an executor of its own, with which one failed week stops the others.
    """
    return bool(execute_run(InMemoryJob(job), run, instance).success)
