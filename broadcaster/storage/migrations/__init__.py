"""Alembic migrations, one history for SQLite and PostgreSQL, driven by ``storage/schema.py`` (no alembic.ini)."""
