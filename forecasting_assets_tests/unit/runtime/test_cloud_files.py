"""The files for AWS and Databricks, without their services: requests, parameters and references are right."""

import importlib.util
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.stub import Stubber

from forecasting_assets import cli
from forecasting_assets.cli.app import app
from forecasting_assets.cli.home import load_existing_settings

ROOT = Path(__file__).parents[3]
AWS = ROOT / "deploy" / "aws"
BUNDLE = yaml.safe_load((ROOT / "deploy" / "databricks" / "databricks.yml").read_text())
PACKED = "dist/forecasting-assets-environment.tar.gz"
COMMAND = ["backfill", "--resume", "--closed-before", "2025-03-10"]


def script(name: str):
    """Import a script of deploy/aws, which is no package."""
    specification = importlib.util.spec_from_file_location(name, AWS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class _Tagged(yaml.SafeLoader):
    """Reads CloudFormation's tags as what follows them, with the name of the tag."""


_Tagged.add_multi_constructor("!", lambda loader, tag, node: {tag: loader.construct_scalar(node)})


def emr(*states: str):
    """A client of EMR Serverless that expects one job, and is asked for its state until it has ended."""
    client = boto3.client(
        "emr-serverless", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    stubber, module = Stubber(client), script("emr_serverless")
    started = {
        "applicationId": "app",
        "jobRunId": "job",
        "arn": f"arn:aws:emr-serverless:us-east-1:123456789012:/applications/{'a' * 16}",
    }
    submit = {
        "entryPoint": "s3://bucket/dist/spark_submit.py",
        "entryPointArguments": COMMAND,
        "sparkSubmitParameters": module.spark_parameters("bucket"),
    }
    expected = {
        "applicationId": "app",
        "executionRoleArn": "arn:aws:iam::123456789012:role/forecasting",
        "name": "forecasting-assets backfill",
        "jobDriver": {"sparkSubmit": submit},
        "configurationOverrides": {
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://bucket/emr-logs/"}}
        },
    }
    stubber.add_response("start_job_run", started, expected)
    for state in states:
        job = {
            "applicationId": "app",
            "jobRunId": "job",
            "arn": started["arn"],
            "createdBy": expected["executionRoleArn"],
            "state": state,
            "stateDetails": "why",
            "releaseLabel": "emr-7.13.0",
            "createdAt": 0,
            "updatedAt": 0,
            "executionRole": expected["executionRoleArn"],
            "jobDriver": {"sparkSubmit": submit},
        }
        stubber.add_response("get_job_run", {"jobRun": job}, {"applicationId": "app", "jobRunId": "job"})
    stubber.activate()
    module.PAUSE = 0
    arguments = client, "app", expected["executionRoleArn"], "bucket", COMMAND
    return module, arguments, stubber


def test_a_job_of_emr_serverless_is_started_and_waited_for():
    module, arguments, stubber = emr("SUBMITTED", "RUNNING", "SUCCESS")
    assert module.run(*arguments) == "job"
    stubber.assert_no_pending_responses()


def test_a_failed_job_of_emr_serverless_is_an_error_with_its_reason():
    module, arguments, _ = emr("FAILED")
    with pytest.raises(RuntimeError, match="job job FAILED: why"):
        module.run(*arguments)


@pytest.mark.parametrize("code", [0, 1])
def test_a_job_of_glue_runs_the_command_with_the_settings_and_fails_with_it(monkeypatch, tmp_path, code):
    (tmp_path / "forecasting.toml").write_text("[calendar]\nhorizon_weeks = 3\n")
    ran = []

    def main(arguments):
        ran.append((list(arguments), load_existing_settings().calendar.horizon_weeks))
        return code

    monkeypatch.setattr(cli.app, "main", main)
    monkeypatch.setenv("FORECASTING_HOME", "")
    arguments = [
        "--JOB_NAME",
        "forecasting",
        "--command",
        " ".join(COMMAND),
        "--TempDir",
        "s3://t",
        "--settings",
    ]
    settings = str(tmp_path / "forecasting.toml")
    if code:
        with pytest.raises(cli.CommandFailedError) as caught:
            script("glue_job").run([*arguments, settings])
        assert caught.value.code == code
    else:
        script("glue_job").run([*arguments, settings])
    assert ran == [(COMMAND, 3)]


def test_references_of_the_aws_template_lead_to_what_it_declares():
    text = (AWS / "resources.yaml").read_text()
    template = yaml.load(text, _Tagged)
    declared = {*template["Resources"], *template["Parameters"]}
    named = set(re.findall(r"!Ref (\w+)", text)) | set(re.findall(r"!GetAtt (\w+)\.", text))
    named |= {name.partition(".")[0] for name in re.findall(r"\$\{([\w.]+)\}", text)}
    assert named <= declared
    job = template["Resources"]["Job"]["Properties"]
    assert Path(json.dumps(job["Command"]["ScriptLocation"])).name.rstrip('"}') == "glue_job.py"
    arguments = job["DefaultArguments"]
    (environment,) = arguments["--python-virtual-env"].values()
    assert environment == f"s3://${{BucketName}}/dist-glue/{Path(PACKED).name}"
    assert "--additional-python-modules" not in arguments


def test_what_is_installed_on_clusters_of_others_is_everything_but_pyspark(tmp_path):
    """Databricks and Glue have a PySpark of their own, which pip would otherwise replace or shadow."""
    lock = (ROOT / "requirements.lock").read_text()
    pack = (ROOT / "deploy" / "pack-environment.sh").read_text()
    (listing,) = [line for line in pack.splitlines() if line.startswith("grep ")]
    script = f'requirements="{tmp_path / "requirements.txt"}"\n{listing}'
    subprocess.run(["sh", "-euc", script], check=True, cwd=ROOT)

    def packages(text: str) -> set[str]:
        return set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))

    assert packages(lock) - packages((tmp_path / "requirements.txt").read_text()) == {"pyspark", "py4j"}


def test_the_init_script_of_databricks_installs_without_dependencies_and_makes_the_home(tmp_path):
    (job,) = BUNDLE["resources"]["jobs"].values()
    (cluster,) = job["job_clusters"]
    (script,) = cluster["new_cluster"]["init_scripts"]
    assert script["volumes"]["destination"] == "${var.files}/install.sh"
    variables = cluster["new_cluster"]["spark_env_vars"]
    files, pip = tmp_path / "files", tmp_path / "pip"
    files.mkdir()
    for name in ("requirements.txt", "forecasting_assets-0.1.0-py3-none-any.whl", "forecasting.toml"):
        (files / name).touch()
    pip.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.arguments"\n')
    pip.chmod(0o755)
    text = (ROOT / "deploy" / "databricks" / "install.sh").read_text()
    places = {"FORECASTING_HOME": str(tmp_path / "home"), "FORECASTING_FILES": str(files)}
    assert places.keys() == variables.keys()
    text = text.replace("/databricks/python/bin/pip", str(pip))
    subprocess.run(["sh", "-c", text], check=True, env={**os.environ, **places})
    assert (tmp_path / "home" / "forecasting.toml").exists()
    assert (tmp_path / "pip.arguments").read_text().split() == [
        "install",
        "--no-deps",
        "--requirement",
        str(files / "requirements.txt"),
        str(files / "forecasting_assets-0.1.0-py3-none-any.whl"),
    ]


def test_the_databricks_bundle_calls_what_the_wheel_has():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (job,) = BUNDLE["resources"]["jobs"].values()
    (task,) = job["tasks"]
    wheel = task["python_wheel_task"]
    assert wheel["package_name"] == project["name"]
    module, _, function = project["entry-points"]["databricks"][wheel["entry_point"]].partition(":")
    assert getattr(importlib.import_module(module), function) is cli.run_as_job
    (name, *rest) = wheel["parameters"]
    assert rest[-1] == "{{job.parameters.closed_before}}"
    command = app.commands[name]
    command.make_context(name, [*rest[:-1], "2025-03-10"])
    keys = {cluster["job_cluster_key"] for cluster in job["job_clusters"]}
    assert task["job_cluster_key"] in keys
    assert set(re.findall(r"\$\{var\.(\w+)\}", str(BUNDLE))) == BUNDLE["variables"].keys()
