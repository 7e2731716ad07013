"""One installation as an operator runs it: pages and workers as processes of their own, and whatever they hang on."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from broadcaster.actions.runtime import Runtime
from broadcaster.core import keys
from broadcaster.storage.database import Database
from tests import servers
from tests.actions.scene import until

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 60.0


@dataclass
class Site:
    """One installation on a machine of its own: what runs on it, and the socket everything hangs on."""

    home: Path
    database_url: str
    ring: str = ""
    postgres: servers.Postgres | None = None
    valkey: servers.Valkey | None = None
    listen: str = field(default_factory=lambda: f"127.0.0.1:{servers.free_port()}")
    files: int = 0  #: how many files a process may open; 0: as many as we may
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def public_url(self) -> str:
        return f"http://{self.listen}"

    def start(self) -> None:
        """Start the pages and, with a broker, the workers; without one they are the same process."""
        if self.valkey is not None:
            self.start_worker()
        self.start_pages()

    def start_pages(self, **more: str) -> subprocess.Popen[bytes]:
        """Return once they answer; *more* is in their environment."""
        pages = self._run("serve", more=more)
        until(self._answers, what="the first page")
        return pages

    def start_worker(self, **more: str) -> subprocess.Popen[bytes]:
        """Start one supervisor with two processes, with *more* in its environment."""
        return self._run("worker", "--processes", "2", more=more)

    def power_on(self) -> None:
        for server in (self.postgres, self.valkey):
            if server is not None:
                server.start()
        self.start()

    def power_off(self) -> None:
        """SIGKILL every process: pages, workers and their children, database and broker."""
        self.stop()
        for server in (self.postgres, self.valkey):
            if server is not None:
                server.kill()

    def stop(self) -> None:
        """SIGKILL everything of ours."""
        while self.running:
            self.kill(self.running[0])

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL a process and all below it."""
        self.running.remove(process)
        if process.poll() is None:
            servers.kill_tree(process.pid)
        process.wait(10)

    def terminate(self) -> list[int]:
        """Stop everything in good order and return the exit codes; what does not obey is killed."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        codes = []
        for process in [*self.running]:
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            codes.append(-1 if process.returncode is None else process.returncode)
            self.kill(process)
        return codes

    def orphans(self) -> list[int]:
        """Return processes of this installation that run although nobody should."""
        mark = f"BROADCASTER_HOME={self.home}\0".encode()
        found = []
        for place in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in place.read_bytes() + b"\0":
                    found.append(int(place.parent.name))
        return found

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line to its end."""
        line = [sys.executable, "-m", "broadcaster", *words]
        done = subprocess.run(line, env=self.environment, capture_output=True, text=True, timeout=300)
        with (self.home / "output.log").open("a") as output:
            output.write(done.stderr)
        return done

    def _run(self, *words: str, more: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.home / "output.log").open("ab") as output:
            command = [sys.executable, "-m", "broadcaster", *words]
            environment = {**self.environment, **more}
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        if self.files:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (self.files, self.files))
        self.running.append(process)
        return process

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BROADCASTER_")}
        broker = {"BROADCASTER_BROKER_URL": self.valkey.url} if self.valkey is not None else {}
        return {
            **clean,
            **broker,
            "PYTHONPATH": str(ROOT),
            "BROADCASTER_HOME": str(self.home),
            "BROADCASTER_DATABASE_URL": self.database_url,
            "BROADCASTER_KEYS": self.ring,
            "BROADCASTER_PUBLIC_URL": self.public_url,
            "BROADCASTER_LISTEN": self.listen,
        }

    def _answers(self) -> bool:
        host, _, port = self.listen.rpartition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return True
        return False

    @contextmanager
    def opened(self) -> Iterator[Runtime]:
        """Look at the rows from outside."""
        database = Database(self.database_url)
        yield Runtime(db=database, keys=keys.load(self.ring), home=self.home, public_url=self.public_url)
        database.close()
