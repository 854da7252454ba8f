"""A PostgreSQL server of a test's own, which listens on this machine only."""

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.orthanc import postgresql

if TYPE_CHECKING:
    import psycopg

DATABASE, USER, PASSWORD = "orthanc", "orthanc", "secret-of-this-test"
_INSTALLED = Path("/usr/lib/postgresql")
"""Debian's folder of PostgreSQL's programs, one folder for each version."""
_DEADLINE = 30.0
"""Seconds within which it has to start, or to stop."""


class PostgresServer:
    """A server with one database, ``orthanc``, that belongs to the user ``orthanc``, who is no superuser.

    PostgreSQL refuses to run as root: then Debian's user ``postgres`` runs it. As a context manager it is
    started, and at the end stopped and deleted.
    """

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.folder = Path(tempfile.mkdtemp(prefix="davfs-postgresql-"))
        self._owner = "postgres" if os.geteuid() == 0 else getpass.getuser()
        self._process: subprocess.Popen[bytes] | None = None
        self._programs = max(_INSTALLED.glob("*/bin"), key=lambda path: int(path.parent.name))

    @property
    def section(self) -> Mapping[str, Any]:
        """The section ``PostgreSQL`` of Orthanc's configuration, for several Orthancs on this database."""
        return {
            "EnableIndex": True,
            "EnableStorage": False,
            "Host": LOOPBACK,
            "Port": self.port,
            "Database": DATABASE,
            "Username": USER,
            "Password": PASSWORD,
            "Lock": False,
            "MaximumConnectionRetries": 10,
            "ConnectionRetryInterval": 1,
        }

    @property
    def uri(self) -> str:
        """The database as libpq's URI."""
        return f"postgresql://{USER}:{PASSWORD}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start the server, and return once it answers."""
        log = (self.folder / "log").open("ab")
        arguments = ["-D", "data", "-p", str(self.port), "-k", str(self.folder), "-c", f"listen_addresses={LOOPBACK}"]
        with log:
            self._process = self._spawn("postgres", *arguments, "-c", "fsync=off", stdout=log, stderr=log)
        end = time.monotonic() + _DEADLINE
        while not self._answers():
            assert self._process.poll() is None, self.log_tail()
            assert time.monotonic() < end, self.log_tail()
            time.sleep(0.05)

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server, which closes its connections; if ``immediate``, without a shutdown, as a crash does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)  # pg_ctl's "immediate" and "fast"
        self._process.wait(_DEADLINE)

    def freeze(self) -> None:
        """Have the server hang: its connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            os.kill(each, number)

    def sql(self, command: str, *, database: str = DATABASE, seconds: float = _DEADLINE) -> str:
        """Run a command of SQL as superuser, and return its result: a line for each row, with | between columns."""
        options = ["-h", str(self.folder), "-p", str(self.port), "-v", "ON_ERROR_STOP=1", "-X", "-q", "-A", "-t"]
        psql = self._spawn("psql", *options, "-d", database, "-c", command, stdout=subprocess.PIPE)
        found, _ = psql.communicate(timeout=seconds)
        assert psql.returncode == 0, f"psql ended with {psql.returncode}: {command}"
        return found.decode().strip()

    def connect(self) -> "psycopg.Connection[Any]":
        """Connect as Orthanc does."""
        return postgresql.connect(self.section)

    def empty(self) -> None:
        """Remove the drive's tables of the inbox, with all that is in them."""
        with self.connect() as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'davfs%'").fetchall()
            if tables:
                connection.execute(f"DROP TABLE {', '.join(name for (name,) in tables)} CASCADE")

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the server's log."""
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-lines:])

    def _answers(self) -> bool:
        ready = self._spawn("pg_isready", "-q", "-h", str(self.folder), "-p", str(self.port))
        return ready.wait(_DEADLINE) == 0

    def _spawn(self, program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        if os.geteuid() == 0:
            options |= {"user": self._owner, "group": self._owner, "extra_groups": []}
        return subprocess.Popen(
            [self._programs / program, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, **options
        )

    def __enter__(self) -> Self:
        try:
            if os.geteuid() == 0:
                owner = pwd.getpwnam(self._owner)
                os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            options = ["-D", "data", "-U", self._owner, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
            made = self._spawn("initdb", *options, stdout=subprocess.DEVNULL).wait(_DEADLINE)
            assert made == 0, f"initdb ended with {made}"
            self.start()
            self.sql(f"CREATE USER {USER} PASSWORD '{PASSWORD}'", database="postgres")
            self.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}", database="postgres")
        except BaseException:
            self._delete()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._delete()

    def _delete(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder)
