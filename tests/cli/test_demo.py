"""The demonstration ends when it can no longer go on, not after ten minutes; it speaks the terminal's language."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from broadcaster.cli.demo import spoken
from broadcaster.cli.demo_world import wait_for
from broadcaster.config import terminal_language
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


@pytest.mark.parametrize(
    "settings, language",
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "fr_CA.UTF-8"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_demonstration_speaks_the_language_of_the_terminal(settings: dict[str, str], language: str) -> None:
    assert spoken(terminal_language(settings)) == language
