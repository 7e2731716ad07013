"""Keep one child process running: whatever ends it, another is started, until we are asked to stop."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any

log = logging.getLogger(__name__)

_FIRST_SECONDS, _MOST_SECONDS = 0.5, 30.0
#: A child that lived this long was well: its successor need not wait for the failures before it.
_WELL_SECONDS = 60.0
_LOOK_SECONDS = 0.1


class Supervisor:
    """Run *command* again and again, each time after twice the wait, at most half a minute."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = [*command]
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> int:
        """Return the child's exit code once SIGTERM or SIGINT has come and it has ended in good order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        code, wait = 0, _FIRST_SECONDS
        while not self._stopping:
            began = time.monotonic()
            code = self._run_child()
            wait = _FIRST_SECONDS if time.monotonic() - began > _WELL_SECONDS else wait
            self._pause(wait, code=code)
            wait = min(wait * 2, _MOST_SECONDS)
        return max(code, 0)

    def _run_child(self) -> int:
        self._child = subprocess.Popen(self._command)
        if self._stopping:  # asked in the moment before there was a child to tell
            self._child.terminate()
        return self._child.wait()

    def _pause(self, seconds: float, *, code: int) -> None:
        """Wait before the next child, but not longer than it takes to be asked to stop."""
        if not self._stopping:
            log.warning("the worker ended with %d; another starts in %.1f s", code, seconds)
        end = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)

    def _stop(self, *_: Any) -> None:
        """Let the child end by SIGTERM, also at Ctrl-C: there a second signal would make Celery cut calls short."""
        self._stopping = True
        if self._child is not None:
            self._child.terminate()
