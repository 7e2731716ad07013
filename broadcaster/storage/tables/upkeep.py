"""Leases, imports and files: what keeps the rest going."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from broadcaster.storage.tables.base import json_column, one_of, pk, ref

IMPORT_STATES = ("uploaded", "checked", "running", "finished", "failed", "undone")


class Lease(SQLModel, table=True):
    """Who does a job that only one may do at a time, until when by the database's clock."""

    name: str = Field(primary_key=True)
    owner: str
    until: datetime


class Worker(SQLModel, table=True):
    """A worker process that is alive: its last heartbeat and whose campaigns it sends."""

    name: str = Field(primary_key=True)
    started_at: datetime
    seen_at: datetime
    channels: str = ""  #: separated by spaces; empty: all


class ImportJob(SQLModel, table=True):
    """One import of a file. ``cursor`` is the last row committed; the file itself goes when the job ends."""

    __tablename__ = "import_job"
    __table_args__ = (one_of("state", IMPORT_STATES),)

    id: int = pk()
    name: str
    path: str = ""
    sha256: str
    bytes_total: int
    mapping: dict[str, Any] = json_column()
    options: dict[str, Any] = json_column()
    state: str = "uploaded"
    cursor: int = 0
    rows_total: int | None = None
    counts: dict[str, Any] = json_column()
    error: str = ""
    staff_id: int | None = ref("staff.id", null=True)
    created_at: datetime
    finished_at: datetime | None = None


class ImportReject(SQLModel, table=True):
    """A refused row: line, field and reason; never the row itself."""

    __tablename__ = "import_reject"
    __table_args__ = (UniqueConstraint("import_id", "line", "field", "code"),)

    id: int = pk()
    import_id: int = ref("import_job.id")
    line: int
    field: str
    code: str
    refused: bool = True  #: False: the row was taken, this part of it was not


class ImportMapping(SQLModel, table=True):
    """A saved assignment of columns, offered again for a file with the same header."""

    __tablename__ = "import_mapping"

    id: int = pk()
    name: str = Field(unique=True)
    mapping: dict[str, Any] = json_column()
    created_at: datetime
