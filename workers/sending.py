"""Tasks: a bell each, of a few lines, into the actions."""

from __future__ import annotations

import logging

from broadcaster.actions import dispatch
from workers import process
from workers.app import app

log = logging.getLogger(__name__)

#: A task works for some seconds and then returns to the queue, so that a stop is quick and all accounts get their turn.
SLICE_SECONDS = 5.0


@app.task(name="workers.sending.drain")
def drain(account_id: int, channel: str) -> None:
    """Send what is due on one account, and come back as long as there was something to send."""
    runtime = process.runtime()
    try:
        handled = dispatch.drain(runtime, account_id, seconds=SLICE_SECONDS).handled
    except Exception as problem:  # Celery would print its words and those of its causes, with values in them
        log.error("a slice failed", extra={"account": account_id, "error": type(problem).__name__})
        log.debug("a slice failed", exc_info=True)
        return  # the loop finds what is left
    if handled:
        runtime.ring(account_id, channel)


@app.task(name="workers.sending.look")
def look() -> None:
    """Something changed: let the loop look now."""
    process.wake()
