"""A PostgreSQL server of its own on a free port of this machine."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devtools.servers import free_port

HOST = "127.0.0.1"


@dataclass(frozen=True)
class PostgreSQL:
    """A running server that trusts every connection from this machine.

    Attributes
    ----------
    port
        Where it listens.
    user
        The owner of its databases.
    programs
        The folder of PostgreSQL's programs.
    folder
        Where its files are.
    control
        Runs one of PostgreSQL's server programs on the files.
    """

    port: int
    user: str
    programs: Path
    folder: Path
    control: Callable[..., None]

    def restart(self) -> None:
        """Restart the server, which closes all connections."""
        self.control("pg_ctl", "-m", "fast", "-w", "restart")

    def url(self, database: str) -> str:
        """Return the address of a database, for SQLAlchemy."""
        return f"postgresql+psycopg2://{self.user}@{HOST}:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's client programs against this server."""
        where = ["--host", HOST, "--port", str(self.port), "--username", self.user]
        command = [str(self.programs / program), *where, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps out of the PATH; None if there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgresql(databases: Sequence[str]) -> Iterator[PostgreSQL]:
    """Start a server with empty `databases`; stop it and delete its files when the block ends.

    Raises
    ------
    FileNotFoundError
        If PostgreSQL is not installed.
    """
    there = programs()
    if there is None:
        raise FileNotFoundError("PostgreSQL is not installed: sh deploy/ensure-postgresql.sh")
    # It refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if user:
        shutil.chown(folder, user)
    owner = user or pwd.getpwuid(os.geteuid()).pw_name

    def control(program: str, *arguments: str) -> None:
        command = [str(there / program), "--pgdata", str(folder / "data"), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    server = PostgreSQL(free_port(), owner, there, folder, control)

    control("initdb", "--auth", "trust", "--username", owner)
    options = f"-p {server.port} -k {folder} -c listen_addresses={HOST} -c fsync=off"
    control("pg_ctl", "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        for database in databases:
            server.run("createdb", database)
        yield server
    finally:
        control("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder)
