"""Run a command of forecasting-assets as a job of EMR Serverless, and wait for its end.

    python emr_serverless.py --application 00f1abcdef --role arn:aws:iam::123456789012:role/forecasting \
        --bucket bucket -- backfill --resume --closed-before 2025-03-10

The bucket holds what `make dist` builds, and the settings, which name places in a bucket alone:

    s3://bucket/dist/forecasting-assets-environment.tar.gz, s3://bucket/dist/spark_submit.py
    s3://bucket/forecasting.toml

Not run against the service: docs/how-to/aws.md.
"""

import argparse
import sys
import time
from typing import Any

#: Seconds between two looks at the job.
PAUSE = 15
_ENDED = ("SUCCESS", "FAILED", "CANCELLED")
#: The Python of the archive, which is unpacked where driver and executors work.
_PYTHON = "./environment/bin/python"


def spark_parameters(bucket: str) -> str:
    """Return what spark-submit is told: the packed environment, its Python, and a home for settings alone."""
    options = {
        "spark.archives": f"s3://{bucket}/dist/forecasting-assets-environment.tar.gz#environment",
        "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": _PYTHON,
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": _PYTHON,
        "spark.executorEnv.PYSPARK_PYTHON": _PYTHON,
        # The working directory of the driver, where spark-submit puts the settings.
        "spark.emr-serverless.driverEnv.FORECASTING_HOME": ".",
    }
    words = [f"--conf {name}={value}" for name, value in options.items()]
    return " ".join([f"--files s3://{bucket}/forecasting.toml", *words])


def run(client: Any, application: str, role: str, bucket: str, command: list[str]) -> str:
    """Start a job and wait for its end.

    Parameters
    ----------
    client
        boto3's client of `emr-serverless`.
    application, role
        Id of the application; ARN of the role that the job has.
    bucket
        The bucket with what the job needs.
    command
        Arguments of `forecasting-assets`.

    Returns
    -------
    str
        Id of the job.

    Raises
    ------
    RuntimeError
        If the job did not succeed; the message has its id and what the service says.
    """
    job = client.start_job_run(
        applicationId=application,
        executionRoleArn=role,
        name=f"forecasting-assets {command[0]}",
        jobDriver={
            "sparkSubmit": {
                "entryPoint": f"s3://{bucket}/dist/spark_submit.py",
                "entryPointArguments": command,
                "sparkSubmitParameters": spark_parameters(bucket),
            }
        },
        configurationOverrides={
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"s3://{bucket}/emr-logs/"}}
        },
    )["jobRunId"]
    try:
        while (state := _job(client, application, job))["state"] not in _ENDED:
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        client.cancel_job_run(applicationId=application, jobRunId=job)
        raise
    if state["state"] != "SUCCESS":
        raise RuntimeError(
            f"job {job} {state['state']}: {state['stateDetails']}; logs in s3://{bucket}/emr-logs/"
        )
    return str(job)


def _job(client: Any, application: str, job: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get_job_run(applicationId=application, jobRunId=job)["jobRun"]
    return found


def main() -> None:
    """Read the arguments and run the job."""
    import boto3

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("application", "role", "bucket"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("command", nargs="+", help="arguments of forecasting-assets, after --")
    given = parser.parse_args()
    try:
        print(run(boto3.client("emr-serverless"), given.application, given.role, given.bucket, given.command))
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
