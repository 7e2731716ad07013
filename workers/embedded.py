"""A Celery worker inside this very process: the one-machine installation without any server."""

from __future__ import annotations

import threading
import warnings
from typing import Any

from celery import signals
from celery.worker import state

from broadcaster.actions.runtime import Runtime
from workers import process
from workers.app import app

_THREADS = 4
_START_SECONDS = 20.0


class EmbeddedWorker:
    """Start with ``start``; ``stop`` ends running slices and the loop."""

    def __init__(self, runtime: Runtime) -> None:
        process.adopt(runtime)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broadcaster-worker", daemon=True)

    def start(self) -> None:
        signals.worker_ready.connect(self._is_ready)
        self._thread.start()
        self._ready.wait(_START_SECONDS)

    def _is_ready(self, **_: Any) -> None:
        self._ready.set()

    def _run(self) -> None:
        # Celery warns of root because pickled tasks are code; ours take ids as JSON and nothing else
        warnings.filterwarnings("ignore", message="You're running the worker with superuser")
        worker = app.Worker(
            pool="threads",
            concurrency=_THREADS,
            queues=process.queues(),
            prefetch_multiplier=4,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        worker.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        process.stop_loop()
        state.should_stop = 0  # type: ignore[assignment]
        self._thread.join(40)
