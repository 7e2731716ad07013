"""F33, F34: a database that cuts every connection, and a disk that is full. What cannot be written is not sent."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.proof.trial import Trial, again_and_again

CUT_SECONDS = 30.0
FULL_SECONDS = 15.0
SETTLED_SECONDS = 5.0  #: within which what was on the wire has ended
DISK = "48m"
STOPPERS = 5


def cut(t: Trial) -> None:
    """pg_terminate_backend on every connection, every two seconds for half a minute."""
    postgres = t.site.postgres
    assert postgres is not None

    def blow() -> None:
        t.doubts += 8  # the calls of an exchange whose commit was cut: nobody knows whether it was one
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    with t.going():
        before = len(t.provider.sent)
        with again_and_again(blow, every=(2, 2), dice=t.dice):
            time.sleep(CUT_SECONDS)  # the fault's own length
        t.figures["sent_meanwhile"] = len(t.provider.sent) - before
        t.recovered()


@contextmanager
def small_disk(home: Path) -> Iterator[None]:
    """Give the installation a disk of its own; needs the right to mount one."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "proof", str(home)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)


def full(t: Trial) -> None:
    """No byte is free for a while: stops are answered 503 and told again, and nothing is sent."""
    filler = t.site.home / "filler"
    with t.going(), ThreadPoolExecutor(STOPPERS) as pool:
        refused = t.statuses["503"]
        with again_and_again(lambda: _fill(filler), every=(0.1, 0.1), dice=t.dice):
            time.sleep(SETTLED_SECONDS)
            before = len(t.provider.sent)
            stops = [pool.submit(t.stop, number) for number in t.numbers()[-STOPPERS:]]
            time.sleep(FULL_SECONDS)  # the fault's own length
            t.figures["sent_meanwhile"] = len(t.provider.sent) - before
            t.figures["answered_503"] = t.statuses["503"] - refused
            t.figures["answered_200"] = sum(stop.done() for stop in stops)
        filler.unlink()
        t.recovered()
    assert not t.figures["sent_meanwhile"], "sent without being able to write it down"
    assert t.figures["answered_503"], "a stop was answered and cannot have been written down"


def _fill(file: Path) -> None:
    with suppress(OSError), file.open("ab", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
