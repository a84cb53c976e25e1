"""The files below deploy/: every program, option, variable and file that they name exists."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef

from forecasting_assets.settings import load_settings
from forecasting_assets.tracking.client import DAGSTER_URL

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "deploy" / "docker"
COMPOSE = yaml.safe_load((DOCKER / "docker-compose.yaml").read_text())
SERVICES = COMPOSE["services"]
#: Services that run the image of the platform.
OURS = {name: one for name, one in SERVICES.items() if one["image"] == COMPOSE["x-platform"]["image"]}
#: Variables that libraries read.
OF_LIBRARIES = {
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
    "DAGSTER_HOME", "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS", "MLFLOW_BACKEND_STORE_URI", "MLFLOW_SERVER_ALLOWED_HOSTS",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "PGPASSWORD",
}  # fmt: skip


def command_of(program: str) -> click.Command:
    """Return the click command behind a program."""
    if program == "dagster":
        from dagster._cli import create_dagster_cli

        return create_dagster_cli()
    if program == "dagster-webserver":
        from dagster_webserver.cli import dagster_webserver

        return dagster_webserver
    if program == "dagster-daemon":
        from dagster._daemon.cli import create_dagster_daemon_cli

        return create_dagster_daemon_cli()
    raise AssertionError(f"{program} is no program of the image")


def parse(arguments: list[str]) -> None:
    """Parse a command line as its program does, without running it; raise click's error if it is wrong."""
    command, (name, *rest) = command_of(arguments[0]), arguments
    while isinstance(command, click.Group):
        context = command.make_context(name, list(rest), resilient_parsing=True)
        resolved, found, rest = command.resolve_command(context, list(rest))
        assert resolved is not None
        assert found is not None
        name, command = resolved, found
    command.make_context(name, list(rest))


def command_lines() -> list[list[str]]:
    """Return the command lines of our services and of their health checks, a shell's taken apart."""
    lines = []
    for one in OURS.values():
        for line in (one["command"], one.get("healthcheck", {}).get("test", ["CMD"])[1:]):
            if line[:1] == ["sh"]:
                lines += [shlex.split(part) for part in line[2].split("&&")]
            elif line and line[0] not in ("python", "mlflow"):  # to import MLflow's command takes seconds
                lines.append([word.replace("/srv/forecasting/dagster", str(DOCKER)) for word in line])
    return lines


@pytest.mark.parametrize("line", command_lines(), ids=lambda line: " ".join(line[:3]))
def test_commands_of_the_services_can_be_parsed(line):
    parse(line)


def test_a_wrong_option_would_be_noticed():
    with pytest.raises(click.NoSuchOption):
        parse(["dagster-daemon", "run", "--no-such-option"])


def test_programs_in_python_can_be_compiled():
    programs = [one["command"][2] for one in OURS.values() if one["command"][0] == "python"]
    assert programs
    for program in programs:
        compile(program, "docker-compose.yaml", "exec")


def test_every_variable_is_read_by_something(monkeypatch, tmp_path):
    read = set(
        re.findall(
            r"env: (\w+)", "".join((DOCKER / f"{n}.yaml").read_text() for n in ("dagster", "workspace"))
        )
    )
    for one in OURS.values():
        settings = {
            name: value for name, value in one["environment"].items() if name.startswith("FORECASTING__")
        }
        assert set(one["environment"]) - settings.keys() <= read | OF_LIBRARIES | {
            "FORECASTING_HOME",
            DAGSTER_URL,
        }
        assert read <= set(one["environment"])
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    text = (DOCKER / "forecasting.toml").read_text()
    (tmp_path / "forecasting.toml").write_text(text)
    loaded = load_settings(tmp_path)
    assert loaded.lake_path == settings["FORECASTING__LAKE__PATH"]
    assert loaded.artifacts_uri is None


def test_dagster_accepts_its_configuration(monkeypatch, tmp_path):
    text = (DOCKER / "dagster.yaml").read_text()
    (tmp_path / "dagster.yaml").write_text(text)
    for name, value in OURS["code"]["environment"].items():
        monkeypatch.setenv(name, value)
    dagster_instance_config(str(tmp_path))
    reference = InstanceRef.from_dir(str(tmp_path))
    storage, launcher, logs = reference.storage_data, reference.run_launcher_data, reference.compute_logs_data
    assert storage is not None
    assert launcher is not None
    assert (storage.class_name, launcher.class_name) == ("PostgresStorage", "WarmRunLauncher")
    assert logs.config_dict["bucket"] == {"env": "DAGSTER_LOG_BUCKET"}
    for data in (storage, launcher):
        package, _, module = data.module_name.partition(".")
        assert f"class {data.class_name}(" in (ROOT / package / f"{module.replace('.', '/')}.py").read_text()


def test_values_of_the_helm_chart_name_settings_and_options_that_exist(monkeypatch, tmp_path):
    values = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "values.yaml").read_text())
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    parse(["dagster", "api", "grpc", "--port", str(deployment["port"]), *deployment["dagsterApiGrpcArgs"]])
    environment = {one["name"]: one["value"] for one in deployment["env"]}
    settings = {name for name in environment if name.startswith("FORECASTING__")}
    assert environment.keys() - settings <= OF_LIBRARIES | {"FORECASTING_HOME"}
    for name in settings:
        monkeypatch.setenv(name, environment[name])
    assert load_settings(tmp_path).reports_path == "s3://bucket/reports"
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(values["additionalInstanceConfig"]))
    dagster_instance_config(str(tmp_path))
    assert values["global"]["dagsterHome"] == f"{environment['FORECASTING_HOME']}/dagster"
    assert values["runLauncher"]["type"] == "K8sRunLauncher"


def test_files_services_and_secrets_that_compose_names_are_there():
    secrets = {line.partition("=")[0] for line in (DOCKER / ".env.example").read_text().splitlines()}
    text = (DOCKER / "docker-compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?\}", text)) == {name for name in secrets if not name.startswith("#")}
    for one in SERVICES.values():
        assert set(one.get("depends_on", [])) <= SERVICES.keys()
        for volume in one.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (DOCKER / source).is_file()
    assert (DOCKER / OURS["code"]["build"]["context"] / OURS["code"]["build"]["dockerfile"]).is_file()


def test_the_image_has_the_versions_that_are_tested_and_everything_that_the_extras_need():
    def pins(file: Path) -> set[str]:
        return {line.partition(";")[0].strip() for line in file.read_text().splitlines() if "==" in line}

    extras = pins(DOCKER / "requirements.lock")
    assert extras <= pins(ROOT / "requirements-dev.lock")
    installed = {pin.partition("==")[0] for pin in extras | pins(ROOT / "requirements.lock")}
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for requirement in (*named["postgres"], *named["aws"]):
        assert re.split(r"[>=<\[]", requirement)[0] in installed


def test_the_image_is_small_has_java_and_does_not_run_as_root():
    lines = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    stages = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    final = lines[stages[-1] :]
    assert "slim" in final[0]
    assert re.search(r"openjdk-(17|21)-jre-headless", "\n".join(final))
    assert [line for line in final if line.startswith("USER ")] == ["USER forecasting"]
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source


def test_images_of_others_are_named_by_version():
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    images = [line.split()[1] for line in lines if line.startswith("FROM ")]
    images += [one["image"] for name, one in SERVICES.items() if name not in OURS]
    assert len(images) == 5
    for image in images:
        assert re.search(r":v?\d+\.\d+", image), image
