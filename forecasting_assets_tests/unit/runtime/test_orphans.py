"""Runs whose process no longer exists."""

import os
import subprocess
import sys

import dagster as dg

from forecasting_assets.runtime.orphans import PROCESS, end_orphans, this_process


def test_only_runs_whose_process_on_this_machine_has_ended_are_failed():
    ended_process = subprocess.Popen([sys.executable, "-c", ""])
    ended_process.wait()
    here = this_process()[PROCESS].rpartition(":")[0]
    processes = {
        "alive": f"{here}:{os.getpid()}",
        "ended": f"{here}:{ended_process.pid}",
        "elsewhere": f"{here}-2:{ended_process.pid}",
        "unknown": None,
        "not yet known": "",
    }
    with dg.DagsterInstance.ephemeral() as instance:
        for name, process in processes.items():
            tags = {} if process is None else {PROCESS: process}
            started = dg.DagsterRunStatus.STARTED
            instance.add_run(dg.DagsterRun(job_name="any", run_id=name, status=started, tags=tags))
        end_orphans(instance)
        ended = {run.run_id for run in instance.get_runs() if run.is_finished}
    assert ended == {"ended"}
