"""Plan each week with the command line of forecasting-assets, once the week has closed.

Copy this file into Airflow's folder of DAGs. Airflow and the platform need different versions of libraries: install
the platform into a virtual environment of its own on the workers, and name its program and home by the environment
variables FORECASTING_PROGRAM and FORECASTING_HOME.

A task makes what is missing or out of date of the newest week that has closed, so that repeating it does nothing. Its
result is the JSON of the command.
"""

import json
import os
import signal
import subprocess
import tempfile
from datetime import datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable, chain
from airflow.sdk.exceptions import AirflowException, AirflowFailException

PROGRAM = os.environ.get("FORECASTING_PROGRAM", "forecasting-assets")
#: Exit code of wrong arguments or settings: to try again would not help.
USAGE = 2
#: What each task makes, in Dagster's selection syntax.
TASKS = {
    "orders": "group:orders or group:features",
    "forecasts": "group:forecasts",
    "planning": "group:planning",
}


class WeekOperator(BaseOperator):
    """Make what is missing or out of date of the newest week that closed before the run.

    Parameters
    ----------
    select
        Assets in Dagster's selection syntax.
    """

    def __init__(self, *, select: str, **options: Any) -> None:
        super().__init__(**options)
        self.select = select
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the command and return its JSON."""
        day = context.get("data_interval_end") or context["dag_run"].run_after
        command = [
            PROGRAM, "backfill", "--resume", "--closed-before", f"{day:%Y-%m-%d}", "--select", self.select, "--json",
        ]  # fmt: skip
        self.log.info("Running %s", " ".join(command))
        with tempfile.TemporaryFile("w+", encoding="utf-8") as result:
            # A group of its own, which on_kill can interrupt as a whole; the log of Airflow gets the progress.
            self._process = subprocess.Popen(
                command, stdout=result, stderr=subprocess.PIPE, text=True, start_new_session=True
            )
            lines = []
            for line in self._process.stderr:
                self.log.info(line.rstrip())
                lines.append(line)
            code = self._process.wait()
            result.seek(0)
            output = result.read()
        if code == USAGE:
            raise AirflowFailException("".join(lines[-3:]).strip())
        if code:
            raise AirflowException(_failures(output) or f"exit code {code}: {''.join(lines[-3:]).strip()}")
        return json.loads(output)

    def on_kill(self) -> None:
        """Interrupt the run, as Ctrl-C does, when somebody marks the task as failed or stops it."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)


def _failures(output: str) -> str:
    """Return the weeks that failed and why, with the names of failed checks, from the JSON of the command."""
    if not output.strip():
        return ""
    failures = json.loads(output)["failures"]
    return "; ".join(
        f"{asset} {week}: {', '.join(entry['reasons'])}"
        for asset, weeks in failures.items()
        for week, entry in weeks.items()
    )


with DAG(
    "forecasting_by_command",
    schedule=CronTriggerTimetable("0 3 * * 1", timezone="UTC"),
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,  # plans follow on each other
    default_args={"retries": 1},
    doc_md=__doc__,
):
    chain(*(WeekOperator(task_id=name, select=select) for name, select in TASKS.items()))
