"""The Celery application. Everything it may be told stands in ``celery_config.py``."""

from __future__ import annotations

from celery import Celery

app = Celery("broadcaster")
app.config_from_object("celery_config")

from workers import process  # noqa: E402 - connects each process's loop to Celery's signals

__all__ = ["app", "process"]
