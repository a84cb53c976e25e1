"""The processes of deploy/docker/docker-compose.yaml on this machine, without Docker.

PostgreSQL and an S3 server (moto's) are started from what is installed here. All other processes are those of the
compose file: its commands and its environment, with the addresses of this machine.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from devtools.postgresql import HOST, PostgreSQL, postgresql
from devtools.servers import answers, free_port, listening, wait_until

DOCKER = Path(__file__).parent.parent / "deploy" / "docker"
BUCKET = "forecasting"
#: FORECASTING_HOME in the containers.
_HOME = "/srv/forecasting"
#: Name of the machine that the code location believes to be on; it must have an address, as Java looks it up.
_CODE_MACHINE = "localhost"
_LONG_RUNNING = ("mlflow", "code", "webserver", "daemon")


@dataclass
class Production:
    """The running processes.

    Attributes
    ----------
    address, mlflow, store
        Addresses of the Dagster webserver, the MLflow server and the S3 server.
    database
        The PostgreSQL server.
    environment
        Environment of the processes, by service.
    commands
        Command of each service.
    processes
        Running process of each service; each leads a group of processes.
    """

    address: str
    mlflow: str
    store: str
    database: PostgreSQL
    folder: Path
    environment: dict[str, dict[str, str]]
    commands: dict[str, list[str]]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, service: str) -> None:
        """Start a service; its log is in `folder`."""
        command = self.commands[service]
        if service == "code" and _own_host_name():
            # Its runs are then those of another machine for the daemon, as in a container.
            rename = f'hostname {_CODE_MACHINE} && exec "$@"'
            command = ["unshare", "--uts", "sh", "-c", rename, "sh", *command]
        with (self.folder / f"{service}.log").open("ab") as log:
            self.processes[service] = _start(command, self.environment[service], log)

    def finish(self, service: str) -> None:
        """Run a service that ends by itself, and wait for it."""
        with (self.folder / f"{service}.log").open("ab") as log:
            command = self.commands[service]
            subprocess.run(command, env=self.environment[service], stdout=log, stderr=log, check=True)

    def kill(self, service: str) -> None:
        """Kill a service and its children, as the end of a container does."""
        process = self.processes.pop(service)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def start_all(self, services: Iterable[str] = _LONG_RUNNING) -> None:
        """Start services one after the other and wait until they answer."""
        port = int(self.environment["code"]["DAGSTER_CODE_PORT"])
        for service in services:
            self.start(service)
            if service == "code":  # the others ask it at once, as their containers wait for it to be healthy
                wait_until(lambda: listening(port), 180, f"the code location ({self.folder})")
        wait_until(lambda: answers(f"{self.address}/server_info"), 180, f"the webserver ({self.folder})")
        wait_until(lambda: answers(f"{self.mlflow}/health"), 180, f"MLflow ({self.folder})")

    def end(self) -> None:
        """End all services that run."""
        for process in self.processes.values():
            _end(process)


@contextmanager
def production(home: Path, folder: Path, settings: Mapping[str, str]) -> Iterator[Production]:
    """Start everything; end it when the block ends.

    Parameters
    ----------
    home
        FORECASTING_HOME, with a forecasting.toml; its folder `dagster` is made here.
    folder
        Where logs go.
    settings
        More of the environment, for all services.
    """
    compose = yaml.safe_load((DOCKER / "docker-compose.yaml").read_text())
    with ExitStack() as stack:
        database = stack.enter_context(postgresql(["dagster", "mlflow"]))
        store, web, models = free_port(), free_port(), free_port()
        moto = [_program("moto_server"), "--host", HOST, "--port", str(store)]
        with (folder / "store.log").open("wb") as log:
            server = _start(moto, dict(os.environ), log)
        stack.callback(_end, server)
        wait_until(lambda: listening(store), 60, "the S3 server")
        addresses = {
            "DAGSTER_CODE_HOST": HOST,
            "DAGSTER_CODE_PORT": str(free_port()),
            "DAGSTER_PG_HOST": HOST,
            "DAGSTER_PG_PORT": str(database.port),
            "DAGSTER_PG_USER": database.user,
            "AWS_ENDPOINT_URL": f"http://{HOST}:{store}",
            "FORECASTING__MLFLOW__TRACKING_URI": f"http://{HOST}:{models}",
            "MLFLOW_BACKEND_STORE_URI": database.url("mlflow"),
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"mlflow:5000,{HOST}:{models}",
            "FORECASTING_DAGSTER_URL": f"http://{HOST}:{web}",
            "POSTGRES_PASSWORD": "any",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        ports = {"3000": web, "4000": addresses["DAGSTER_CODE_PORT"], "5000": models}
        services = _ours(compose)
        running = Production(
            address=f"http://{HOST}:{web}",
            mlflow=f"http://{HOST}:{models}",
            store=addresses["AWS_ENDPOINT_URL"],
            database=database,
            folder=folder,
            environment={
                name: _environment(one, home, addresses, settings) for name, one in services.items()
            },
            commands={name: _command(one["command"], home, ports) for name, one in services.items()},
        )
        (home / "dagster").mkdir(parents=True, exist_ok=True)
        for file in ("dagster.yaml", "workspace.yaml"):
            shutil.copyfile(DOCKER / file, home / "dagster" / file)
        for service in ("bucket", "migrate"):
            running.finish(service)
        stack.callback(running.end)
        running.start_all()
        yield running


def _ours(compose: Mapping[str, Any]) -> dict[str, Any]:
    """Return the services that run the image of the platform."""
    image = compose["x-platform"]["image"]
    return {name: one for name, one in compose["services"].items() if one["image"] == image}


def _environment(
    service: Mapping[str, Any], home: Path, addresses: Mapping[str, str], settings: Mapping[str, str]
) -> dict[str, str]:
    named = {name: _expand(str(value), addresses) for name, value in service["environment"].items()}
    moved = {name: value.replace(_HOME, str(home)) for name, value in named.items()}
    here = {name: value for name, value in addresses.items() if name in moved}
    others = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FORECASTING"))
    }
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**others, "PATH": programs, **moved, **here, **settings}


def _expand(value: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME:?}` as Docker does."""
    return re.sub(r"\$\{(\w+):\?\}", lambda found: variables[found[1]], value)


def _command(command: list[str], home: Path, ports: Mapping[str, Any]) -> list[str]:
    program, *arguments = [word.replace(_HOME, str(home)) for word in command]
    here = {"0.0.0.0": HOST, **{name: str(port) for name, port in ports.items()}}
    return [_program(program), *(here.get(word, word) for word in arguments)]


def _program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def _own_host_name() -> bool:
    """Return whether a process may have a host name of its own here."""
    allowed = (
        subprocess.run(["unshare", "--uts", "true"], capture_output=True) if shutil.which("unshare") else None
    )
    return allowed is not None and allowed.returncode == 0


def _start(command: list[str], environment: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
