"""The demonstration ends when it can no longer go on, and not after ten minutes."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from broadcaster.cli.demo_world import wait_for
from broadcaster.core.errors import Unavailable


def test_a_worker_that_died_is_said_at_once() -> None:
    worker = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    assert worker.stdin is not None
    asked = threading.Event()

    def never() -> bool:
        if asked.is_set():
            worker.kill()
            worker.wait()
        asked.set()
        return False

    with worker.stdin, pytest.raises(Unavailable, match="the worker has ended"):
        wait_for(never, "the campaign", works=lambda: worker.poll() is None)
