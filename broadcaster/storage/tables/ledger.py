"""The log, erasure and privacy requests."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from broadcaster.core.events import KINDS
from broadcaster.storage.tables.base import CLUSTERED, COUNTED, BigId, blob, json_column, one_of, partial_index, pk, ref


class LogEntry(SQLModel, table=True):
    """One leaf of the log: its kind and a salted commitment. Append-only; the sequencer sets ``position`` once."""

    __tablename__ = "log_entry"
    __table_args__ = (
        one_of("kind", KINDS),
        Index("uq_log_entry_position", "position", unique=True),
        partial_index("ix_log_entry_unnumbered", "id", where="position IS NULL"),
        COUNTED,
    )

    id: int = pk()
    kind: str
    commitment: bytes = blob()
    created_at: datetime
    position: int | None = Field(default=None, sa_column=Column(BigInteger))


LAW_CHANGED = "event = 'LawChanged'"  #: shown beside the rules, wherever in the log they stand


class LogPayload(SQLModel, table=True):
    """The erasable half of a leaf: the committed bytes and the salt. ``key_id`` NULL: nothing personal in it."""

    __tablename__ = "log_payload"
    __table_args__ = (
        partial_index("ix_log_payload_key_id", "key_id", where="key_id IS NOT NULL"),
        partial_index("ix_log_payload_staff_id", "staff_id", where="staff_id IS NOT NULL"),
        partial_index("ix_log_payload_law", "entry_id", where=LAW_CHANGED),
    )

    entry_id: int = ref("log_entry.id", primary_key=True)
    event: str  #: the event's class, for the activity screen
    staff_id: int | None = ref("staff.id", null=True)
    key_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    body: bytes = blob()
    salt: bytes = blob()


class Checkpoint(SQLModel, table=True):
    """A signed head of the log. ``frontier`` lets the sequencer go on without reading the tree again."""

    size: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    root: bytes = blob()
    note: str
    frontier: bytes = blob()
    created_at: datetime


class ErasedItem(SQLModel, table=True):
    """Which erasable half was closed by which erasure; a payload cannot be deleted before it stands here (trigger)."""

    __tablename__ = "erased_item"
    __table_args__ = (one_of("kind", ("leaf", "consent", "step", "attempt")), CLUSTERED)

    kind: str = Field(primary_key=True)
    item_id: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    part: int = Field(default=0, primary_key=True)
    erasure_id: int = ref("log_entry.id")


class PrivacyRequest(SQLModel, table=True):
    """Access, portability, rectification, erasure, objection, restriction, with its clock and the steps done."""

    __tablename__ = "privacy_request"
    __table_args__ = (
        one_of("kind", ("access", "portability", "rectification", "erasure", "objection", "restriction")),
        one_of("state", ("received", "running", "done", "refused")),
    )

    id: int = pk()
    kind: str
    contact_id: int | None = ref("contact.id", null=True, index=True)
    state: str = "received"
    received_at: datetime
    due_at: datetime
    done_at: datetime | None = None
    staff_id: int | None = ref("staff.id", null=True)
    note_ct: bytes | None = blob(null=True)  #: what was asked and answered, under the contact's key
    progress: dict[str, object] = json_column()  #: step -> rows; makes an interrupted erasure resumable
    entry_id: int | None = ref("log_entry.id", null=True)
