"""A door: Celery tasks of a few lines each, into actions. Never imports web."""
