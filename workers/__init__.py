"""The workers' door: Celery tasks of a few lines each, into ``broadcaster.actions``; and each process's loop.

May import: ``broadcaster.actions``, ``storage``, ``config``, Celery. Never ``web``.
"""
