"""The Celery application. Everything it may be told stands in ``celery_config.py``."""

from __future__ import annotations

from celery import Celery

app = Celery("broadcaster")
app.config_from_object("celery_config")
