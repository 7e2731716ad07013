"""One worker process: its runtime, made after forking, and its loop, started by a signal of Celery."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from typing import Any

from celery.signals import worker_process_init, worker_process_shutdown, worker_ready, worker_shutting_down

from broadcaster import config
from broadcaster.actions.loop import Loop
from broadcaster.actions.runtime import Runtime, open_runtime
from broadcaster.channels import registry
from workers import doorbell
from workers.app import app, queue_of

__all__ = ["adopt", "app", "queues", "runtime", "serve_only", "start_loop", "stop_loop", "wake"]

_state = threading.Lock()
_runtime: Runtime | None = None
_loop: Loop | None = None
_channels: tuple[str, ...] = ()
_GARBAGE_EVERY = 50_000  #: new objects; Python's own is 700


def runtime() -> Runtime:
    """Return this process's runtime, opened on first use."""
    global _runtime
    with _state:
        if _runtime is None:
            settings = config.load()
            _runtime = open_runtime(
                database_url=settings.database,
                keys_text=config.read_keys(settings),
                home=settings.home,
                public_url=settings.public_url,
                ring=doorbell.ring,
                channels=_channels,
            )
        return _runtime


def serve_only(channels: Sequence[str]) -> None:
    """Send campaigns of these channels alone, here and in processes forked from here; none named: of all."""
    global _channels
    _channels = tuple(channels)


def queues() -> list[str]:
    """Return the queues to listen to: everybody's, and one for each channel served."""
    return [queue_of(channel) for channel in ("", *(_channels or registry.channels_of(registry.SANDBOX)))]


def adopt(given: Runtime) -> None:
    """Work with a runtime that exists already: web and worker in one process share it."""
    global _runtime
    with _state:
        _runtime = given


def start_loop() -> None:
    """Start this process's loop, which looks for work until ``stop_loop``."""
    global _loop
    if _loop is None:
        gc.freeze()  # all that is there stays; messages come and go without circles, a tenth of their cost was looking
        gc.set_threshold(_GARBAGE_EVERY, 20, 50)
        _loop = Loop(runtime(), doorbell=True)
        _loop.start()


def stop_loop() -> None:
    global _loop
    if _loop is not None:
        _loop.stop()
        _loop = None


def wake() -> None:
    """Let the loop look now."""
    if _loop is not None:
        _loop.wake()


@worker_process_init.connect
def _child_started(**_: Any) -> None:
    """A forked child gets a loop of its own: sockets and threads do not survive a fork."""
    start_loop()


@worker_process_shutdown.connect
def _child_stops(**_: Any) -> None:
    stop_loop()


@worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:
    """A pool of threads has no children: the loop runs beside it."""
    if "prefork" not in type(sender.pool).__module__:
        start_loop()


@worker_shutting_down.connect
def _stops(**_: Any) -> None:
    stop_loop()
