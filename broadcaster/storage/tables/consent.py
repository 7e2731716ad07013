"""Consent: the append-only ledger, its erasable evidence, the state that follows, suppression, double opt-in."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Column, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from broadcaster.core.consent import Action, Actor, Basis, Source, Standing
from broadcaster.storage.tables.base import CLUSTERED, COUNTED, blob, number, one_of, partial_index, pk, ref


class ConsentRecord(SQLModel, table=True):
    """One consent event: opaque ids, times and a salted commitment. Append-only (trigger).

    ``key`` makes the same fact told twice one row. ``entry_id`` is the log entry that covers ``commitment``.
    """

    __tablename__ = "consent_event"
    __table_args__ = (
        one_of("action", Action),
        one_of("actor", Actor),
        one_of("source", Source),
        one_of("basis", Basis),
        # what a step must point to: this address, this purpose (design, section 3.1)
        UniqueConstraint("id", "address_id", "purpose_id", name="uq_consent_event_permit"),
        Index("ix_consent_event_address_id", "address_id"),
        Index("ix_consent_event_entry_id", "entry_id"),
        Index("ix_consent_event_received_at", "received_at"),
        partial_index("ix_consent_event_wording_id", "wording_id", "id", where="wording_id IS NOT NULL"),
        CheckConstraint("occurred_at <= received_at", name="not_in_future"),
        COUNTED,
    )

    id: int = pk()
    key: bytes = blob(unique=True)
    address_id: int = ref("address.id")
    purpose_id: int = ref("purpose.id")
    action: str
    actor: str
    source: str
    basis: str = "consent"
    clock: str
    occurred_at: datetime
    received_at: datetime
    expires_at: datetime | None = None
    wording_id: int | None = ref("wording.id", null=True)
    staff_id: int | None = ref("staff.id", null=True)
    import_id: int | None = ref("import_job.id", null=True)  #: found by ``key`` (``core.import_known.keys_of``)
    step_id: int | None = number(null=True)  #: the delivery step it answers or follows from
    ineffective: bool = False  #: recorded, changed nothing: a refusal stands
    entry_id: int = ref("log_entry.id")
    commitment: bytes = blob()


class ConsentEvidence(SQLModel, table=True):
    """The erasable half of a consent event: the committed bytes under the address's key, the salt, the rule."""

    __tablename__ = "consent_evidence"

    event_id: int = ref("consent_event.id", primary_key=True)
    body_ct: bytes = blob()
    salt: bytes = blob()
    rule: str | None = None  #: the keyword engine's rule that understood the person, in clear: it can be counted


class ConsentStanding(SQLModel, table=True):
    """Where consent stands for (address, purpose): a projection that can be dropped and rebuilt."""

    __tablename__ = "consent_state"
    __table_args__ = (
        one_of("standing", Standing),
        one_of("basis", Basis),
        partial_index("ix_consent_state_expires_at", "expires_at", where="expires_at IS NOT NULL"),
        CLUSTERED,
    )

    address_id: int = ref("address.id", primary_key=True)
    purpose_id: int = ref("purpose.id", primary_key=True)
    standing: str
    event_id: int = ref("consent_event.id")
    basis: str
    since: datetime
    expires_at: datetime | None = None
    beneath_id: int | None = ref("consent_event.id", null=True)  #: the yes beneath a pause (``core.consent.State``)


class ConsentTally(SQLModel, table=True):
    """What one day that is over gained or lost for one purpose, by cause: a projection that can be rebuilt."""

    __tablename__ = "consent_tally"

    id: int = pk()
    day: date = Field(index=True)  #: on the clocks of ``ConsentTallied.zone``
    purpose_id: int = ref("purpose.id")
    gained: bool
    source: str
    campaign_id: int | None = ref("campaign.id", null=True)
    rule: str | None = None
    count: int


class ConsentTallied(SQLModel, table=True):
    """How far days are counted: all before ``until``, as the clocks of a zone count them. At most one row."""

    __tablename__ = "consent_tallied"

    id: int = Field(default=1, sa_column=Column(Integer, primary_key=True, autoincrement=False))
    zone: str
    until: date


class Suppression(SQLModel, table=True):
    """A keyed hash of an address that must not be written to; outlives erasure, points at nobody."""

    __table_args__ = (
        UniqueConstraint("key_id", "digest"),
        one_of("reason", ("erasure", "objection", "list", "complaint", "reassigned")),
    )

    id: int = pk()
    key_id: str
    digest: bytes = blob()
    channel: str
    reason: str
    created_at: datetime
    expires_at: datetime | None = None


class OptInRequest(SQLModel, table=True):
    """An open double opt-in: the permit of its one confirmation message."""

    __tablename__ = "optin_request"

    id: int = pk()
    address_id: int = ref("address.id", index=True)
    purpose_id: int = ref("purpose.id")
    wording_id: int = ref("wording.id")
    asked_with: int | None = ref("optin_request.id", null=True, index=True)  #: the one whose message asks for it too
    token_sha256: str = Field(unique=True)
    created_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None = None
