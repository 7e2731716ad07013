"""The organisation: brands, purposes, wordings, sender accounts, staff, settings."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from broadcaster.storage.tables.base import CLUSTERED, BigId, Json, blob, json_column, one_of, pk, ref

ROLES = ("admin", "marketer", "agent", "auditor")
WORD_KINDS = ("join", "contest", "topic")  #: as in ``core/keywords/own``
ACCOUNT_STATES = ("active", "paused", "held", "disabled")


class Setting(SQLModel, table=True):
    """One setting of the organisation, as JSON text; keys are listed in ``actions/organisation.py``."""

    key: str = Field(primary_key=True)
    value: str
    changed_at: datetime


class Brand(SQLModel, table=True):
    """The name a person knows us by."""

    id: int = pk()
    key: str = Field(unique=True)
    name: str
    contact: str = ""  #: how a person reaches us; the answer to HELP and CONTACT
    postal_address: str = ""
    website: str = ""
    privacy_url: str = ""
    archived_at: datetime | None = None


class Purpose(SQLModel, table=True):
    """Why we write: a small tree. Grants stand on leaves; a refusal at a node binds everything below it."""

    __table_args__ = (one_of("kind", ("all", "marketing", "service", "internal")),)

    id: int = pk()
    parent_id: int | None = ref("purpose.id", null=True)
    brand_id: int | None = ref("brand.id", null=True)
    key: str = Field(unique=True)
    kind: str
    label: dict[str, Any] = json_column()  #: language -> words a customer understands
    description: dict[str, Any] = json_column()
    basis: str = "consent"
    double_opt_in: bool = False
    leaf: bool = True
    archived_at: datetime | None = None


class Wording(SQLModel, table=True):
    """The exact words a person agreed to; immutable (trigger), identified by hash."""

    __table_args__ = (UniqueConstraint("purpose_id", "language", "version"),)

    id: int = pk()
    purpose_id: int = ref("purpose.id")
    version: int
    language: str
    text: str
    sha256: str
    created_at: datetime


class OwnWord(SQLModel, table=True):
    """A word of the organisation's own on one channel; ``word`` is folded, ``written`` as people see it."""

    __tablename__ = "own_word"
    __table_args__ = (
        UniqueConstraint("channel", "word"),
        one_of("kind", WORD_KINDS),
        CheckConstraint("(kind = 'join') = (wording_id IS NOT NULL)", name="wording_if_join"),
        CheckConstraint("(kind = 'contest') = (purpose_id IS NULL)", name="purpose_unless_contest"),
    )

    id: int = pk()
    channel: str
    word: str
    written: str
    kind: str
    purpose_id: int | None = ref("purpose.id", null=True)
    wording_id: int | None = ref("wording.id", null=True)
    campaign_id: int | None = ref("campaign.id", null=True)
    answer: str = ""  #: what somebody who takes part in a contest reads
    created_at: datetime


class SignupForm(SQLModel, table=True):
    """A page where people ask to be asked: which wordings of a brand, on which channels, in one language."""

    __tablename__ = "signup_form"

    id: int = pk()
    key: str = Field(unique=True)  #: in its public address
    name: str
    brand_id: int = ref("brand.id")
    language: str
    wording_ids: list[int] = Field(sa_column=Column(Json, nullable=False))
    channels: list[str] = Field(sa_column=Column(Json, nullable=False))
    created_at: datetime
    closed_at: datetime | None = None


class Account(SQLModel, table=True):
    """One configured sender on a channel. ``secrets_ct`` is encrypted under a key outside the database."""

    __table_args__ = (
        one_of("state", ACCOUNT_STATES),
        CheckConstraint("rate_per_second IS NULL OR rate_per_second > 0", name="rate"),
        CheckConstraint("concurrency BETWEEN 1 AND 2000", name="concurrency"),
    )

    id: int = pk()
    brand_id: int = ref("brand.id")
    channel: str
    provider: str
    name: str = Field(unique=True)
    base_url: str = ""
    settings: dict[str, Any] = json_column()
    secrets_ct: bytes | None = blob(null=True)
    webhook_key: str = Field(unique=True)  #: opaque part of the webhook's address
    rate_per_second: float | None = None  #: None: as fast as the provider takes it
    concurrency: int
    warm_up: list[int] = Field(default_factory=list, sa_column=Column(Json, nullable=False))  #: ``core/warmup``
    domain_rates: dict[str, int] = json_column()  #: ``core/domain_rates``: messages a minute by mail domain
    cost_micros: int = 0  #: per message or SMS part, in millionths of the organisation's currency
    state: str = "active"
    state_reason: str = ""
    held_until: datetime | None = None
    created_at: datetime


class AccountPoll(SQLModel, table=True):
    """How far a polled account (mailbox, long polling) has been read."""

    __tablename__ = "account_poll"

    account_id: int = ref("account.id", primary_key=True)
    cursor: str = ""
    polled_at: datetime
    problem: str = ""


class RateBucket(SQLModel, table=True):
    """The token bucket of an account, its breaker (``core/breaker``) and its day (``core/warmup``), for all workers."""

    __tablename__ = "rate_bucket"

    account_id: int = ref("account.id", primary_key=True)
    tokens: float
    refilled_at: datetime  #: in the future: nothing starts before
    failures: int = 0
    openings: int = 0
    day_number: int = 0  #: of warming up
    day_ends: datetime | None = None
    day_sent: int = 0
    day_most: int | None = None  #: None: not limited, or not looked at since it was changed


class DomainBucket(SQLModel, table=True):
    """What one mail domain may still get of an account, for all workers. ``domain_key``: a keyed hash, 64 bits."""

    __tablename__ = "domain_bucket"
    __table_args__ = CLUSTERED

    account_id: int = ref("account.id", primary_key=True)
    domain_key: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    per_minute: int  #: as it was at the last gate
    tokens: float
    refilled_at: datetime
    ready_at: datetime  #: what waits for it need not be looked at before


class Staff(SQLModel, table=True):
    """A person of ours who signs in. ``email_ct`` and ``name_ct`` are encrypted; ``email_digest`` finds the row."""

    __table_args__ = (one_of("role", ROLES),)

    id: int = pk()
    email_digest: bytes = blob(unique=True)
    email_ct: bytes = blob()
    name_ct: bytes = blob()
    password_hash: str
    role: str
    language: str = "en"
    time_zone: str = "UTC"
    active: bool = True
    failed_logins: int = 0
    locked_until: datetime | None = None
    created_at: datetime


class StaffSession(SQLModel, table=True):
    """A signed-in browser. The cookie holds a random token, the row its hash."""

    __tablename__ = "staff_session"

    token_sha256: str = Field(primary_key=True)
    staff_id: int = ref("staff.id", index=True)
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class ClosedDay(SQLModel, table=True):
    """A day on which the organisation does not send to a country, beside its public holidays."""

    __tablename__ = "closed_day"

    country: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    label: str = ""
