"""Script of an AWS Glue job that runs a command of forecasting-assets in Glue's own Spark session.

Arguments of the job:

    --command            arguments of forecasting-assets, as "backfill --resume --closed-before 2025-03-10"
    --settings           address of forecasting.toml, as s3://bucket/forecasting.toml; places in it are in a bucket

Glue 5 is Spark 3.5 on Python 3.11. Not run against the service: docs/how-to/aws.md.
"""

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path


def run(arguments: list[str]) -> None:
    """Run the command that the arguments of the job name; raise an error if it fails."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--command", required=True)
    parser.add_argument("--settings", required=True)
    given, _ = parser.parse_known_args(arguments)  # Glue adds arguments of its own

    home = Path(tempfile.mkdtemp(prefix="forecasting-"))
    os.environ["FORECASTING_HOME"] = str(home)
    from forecasting_assets.cli import run_as_job
    from forecasting_assets.storage import read_file

    folder, _, name = given.settings.rpartition("/")
    (home / "forecasting.toml").write_bytes(read_file(folder, name))
    run_as_job(shlex.split(given.command))


if __name__ == "__main__":
    run(sys.argv[1:])
