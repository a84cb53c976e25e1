"""The command group, and exit codes, errors and interruptions of all commands."""

import os
import sys
from collections.abc import Sequence

import click

from forecasting_assets.cli.exit_codes import CLOSED_PIPE, INTERRUPTED, USAGE
from forecasting_assets.cli.files import check_planning, export, template
from forecasting_assets.cli.forecasts import show
from forecasting_assets.cli.plans import promise, what_if
from forecasting_assets.cli.reports import open_reports
from forecasting_assets.cli.runs import backfill, materialize
from forecasting_assets.cli.scenarios import scenarios
from forecasting_assets.cli.servers import dev, mlflow
from forecasting_assets.cli.sql import sql
from forecasting_assets.cli.start import demo, init
from forecasting_assets.cli.status import stale, status
from forecasting_assets.errors import PicklableError

PROGRAM = "forecasting-assets"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=PROGRAM, message="%(prog)s %(version)s")
def app() -> None:
    """Forecast demand and plan capacity, week by week.

    All state is in one folder: FORECASTING_HOME, by default .forecasting in the working directory.

    Shell completion: eval "$(_FORECASTING_ASSETS_COMPLETE=bash_source forecasting-assets)", or zsh_source or
    fish_source for other shells.
    """


for command in (
    init,
    demo,
    materialize,
    backfill,
    status,
    stale,
    open_reports,
    show,
    what_if,
    scenarios,
    promise,
    export,
    template,
    check_planning,
    sql,
    dev,
    mlflow,
):
    app.add_command(command)


class CommandFailedError(PicklableError, RuntimeError):
    """A command that did not succeed; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{PROGRAM} ended with exit code {code}: see the messages above")
        self.code = code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 if all succeeded, 1 if a run or a check failed, 2 for wrong arguments or settings, 130 after Ctrl-C, 141 if
        the reader of the output has closed it.
    """
    try:
        exit_code = app.main(
            None if arguments is None else list(arguments), prog_name=PROGRAM, standalone_mode=False
        )
        sys.stdout.flush()
        return exit_code or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. Completed weeks are kept.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has closed it. Python would fail again when it flushes the output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except ValueError as error:
        # Every user error is a ValueError; any other error is a bug and keeps its traceback.
        click.echo(f"error: {error}", err=True)
        return USAGE


def run_as_job(arguments: Sequence[str] | None = None) -> None:
    """Run one command where a job fails by an error, not by an exit code, as in AWS Glue and Databricks.

    Raises
    ------
    CommandFailedError
        If the command does not succeed.
    """
    if code := main(arguments):
        raise CommandFailedError(code)
