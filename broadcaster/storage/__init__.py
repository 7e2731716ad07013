"""Rows: tables, migrations, queries and the only commit. Imports core and SQLModel, never channels."""
