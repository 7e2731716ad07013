"""The Celery application. Everything it may be told stands in ``celery_config.py``."""

from __future__ import annotations

from celery import Celery


def queue_of(channel: str) -> str:
    """Return the queue of a channel, so that each can be scaled; without one, that of every worker."""
    return f"broadcaster.{channel}" if channel else "broadcaster"


app = Celery("broadcaster")
app.config_from_object("celery_config")
