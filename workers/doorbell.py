"""Ring the workers: best effort, after a commit, never longer than a second.

A frozen broker can hold a publisher for a minute, so the bell is rung in a thread of its own, one at a time.
"""

from __future__ import annotations

import logging
import queue
import threading

from workers.app import app, queue_of

log = logging.getLogger(__name__)

_bells: queue.Queue[tuple[int, str]] = queue.Queue(maxsize=100)
_started = threading.Lock()
_ringer: threading.Thread | None = None


def ring(account_id: int, channel: str = "", /) -> None:
    """Ask for a look at an account (0: at everything). Returns at once; a full queue means that enough bells ring."""
    _start()
    try:
        _bells.put_nowait((account_id, channel))
    except queue.Full:
        log.debug("bell left out", extra={"account": account_id})


def _start() -> None:
    global _ringer
    with _started:
        if _ringer is None or not _ringer.is_alive():
            _ringer = threading.Thread(target=_run, name="broadcaster-doorbell", daemon=True)
            _ringer.start()


def _run() -> None:
    while True:
        account_id, channel = _bells.get()
        try:
            if account_id:
                app.send_task("workers.sending.drain", (account_id, channel), queue=queue_of(channel), retry=False)
            else:
                app.send_task("workers.sending.look", retry=False)
        except Exception as problem:
            log.info("nobody heard the bell", extra={"account": account_id, "error": type(problem).__name__})
