"""Audiences, templates, campaigns, and what becomes of them: runs, batches, deliveries, steps, calls, receipts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from broadcaster.core.deliveries import Reason, ReceiptKind, State
from broadcaster.storage.tables.base import (
    CLUSTERED,
    COUNTED,
    Json,
    blob,
    json_column,
    number,
    one_of,
    partial_index,
    pk,
    ref,
)

CAMPAIGN_STATES = ("draft", "scheduled", "running", "paused", "finished", "cancelled")
RUN_STATES = ("running", "finished", "cancelled")


class Audience(SQLModel, table=True):
    """A saved rule that selects contacts. ``rule`` is validated by ``core/audiences`` before it gets here."""

    id: int = pk()
    name: str = Field(unique=True)
    rule: dict[str, Any] = json_column()
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None


class AudienceMember(SQLModel, table=True):
    """A member of a static list."""

    __tablename__ = "audience_member"
    __table_args__ = CLUSTERED

    audience_id: int = ref("audience.id", primary_key=True)
    contact_id: int = ref("contact.id", primary_key=True, index=True)


class Template(SQLModel, table=True):
    """What to say. Its variants are versioned; a campaign pins the version it was launched with."""

    id: int = pk()
    brand_id: int = ref("brand.id")
    name: str = Field(unique=True)
    default_language: str = "en"
    version: int = 1  #: the newest
    created_at: datetime
    archived_at: datetime | None = None


class TemplateVariant(SQLModel, table=True):
    """The words for one channel and language in one version; immutable (trigger)."""

    __tablename__ = "template_variant"
    __table_args__ = (UniqueConstraint("template_id", "version", "channel", "language", "label"),)

    id: int = pk()
    template_id: int = ref("template.id")
    version: int
    channel: str
    language: str
    label: str = "A"
    content: dict[str, Any] = json_column()
    created_at: datetime


class MediaFile(SQLModel, table=True):
    """An uploaded picture or document, by content."""

    __tablename__ = "media_file"

    id: int = pk()
    sha256: str = Field(unique=True)
    mime: str
    bytes_total: int
    name: str
    created_at: datetime


class AccountMedia(SQLModel, table=True):
    """The provider's handle of a media file uploaded to one account, and until when it is good."""

    __tablename__ = "account_media"
    __table_args__ = CLUSTERED

    account_id: int = ref("account.id", primary_key=True)
    media_id: int = ref("media_file.id", primary_key=True)
    provider_ref: str
    expires_at: datetime | None = None


class Campaign(SQLModel, table=True):
    """Audience + purpose + template + channels + schedule.

    ``plan`` is the validated JSON of ``core/campaigns.Plan``: channels with their accounts in order, schedule, windows.
    """

    __table_args__ = (one_of("state", CAMPAIGN_STATES),)

    id: int = pk()
    name: str
    brand_id: int = ref("brand.id")
    purpose_id: int = ref("purpose.id")
    audience_id: int | None = ref("audience.id", null=True)
    exclude_id: int | None = ref("audience.id", null=True)
    template_id: int | None = ref("template.id", null=True)
    plan: dict[str, Any] = json_column()
    state: str = "draft"
    revision: int = 1  #: grows with every edit; a stale form is refused
    staff_id: int | None = ref("staff.id", null=True)
    created_at: datetime
    scheduled_for: datetime | None = None
    state_changed_at: datetime
    archived_at: datetime | None = None


class Run(SQLModel, table=True):
    """One execution of a campaign. ``watermark`` is the last contact id that has been planned."""

    __table_args__ = (UniqueConstraint("campaign_id", "ordinal"), one_of("state", RUN_STATES))

    id: int = pk()
    campaign_id: int = ref("campaign.id")
    ordinal: int = 1
    state: str = "running"
    purpose_id: int = ref("purpose.id")
    template_version: int
    rule: dict[str, Any] = json_column()  #: the audience's rule as it was at launch
    exclude_rule: dict[str, Any] | None = Field(default=None, sa_column=Column(Json, nullable=True))
    not_before: datetime
    not_after: datetime | None = None
    watermark: int = number()
    last_contact_id: int = number()  #: the audience reaches up to this contact
    planned_at: datetime | None = None  #: set when planning is complete
    started_at: datetime
    finished_at: datetime | None = None


class Batch(SQLModel, table=True):
    """A few hundred steps of one run, account and send time; what a worker leases.

    ``abandoned``: how many workers died while they held it. ``suspect_id``: the one step that is being built, once so
    many have died that a message must be to blame. ``domain_key``: its steps wait for this mail domain (``domains``).
    """

    __table_args__ = (
        partial_index("ix_batch_due", "due_at", where="open"),
        Index("ix_batch_run_id", "run_id"),
        COUNTED,
    )

    id: int = pk()
    run_id: int = ref("run.id")
    account_id: int = ref("account.id")
    due_at: datetime
    open: bool = True
    lease_owner: str | None = None
    lease_until: datetime | None = None
    abandoned: int = 0
    suspect_id: int | None = number(null=True)
    domain_key: int | None = number(null=True)


class Delivery(SQLModel, table=True):
    """One run x one contact. ``reason`` is set when nothing will be tried; otherwise the current step tells."""

    __table_args__ = (
        UniqueConstraint("run_id", "contact_id"),
        one_of("reason", Reason, null=True),
        Index("ix_delivery_contact_id", "contact_id"),
    )

    id: int = pk()
    run_id: int = number()  #: with the contact's: made from rows of theirs, which are never deleted
    contact_id: int = number()
    reason: str | None = None
    created_at: datetime


class ProviderCall(SQLModel, table=True):
    """One call that carries several steps (a batch endpoint). An ordinary call lives in its step's own columns."""

    __tablename__ = "provider_call"

    id: int = pk()
    account_id: int = ref("account.id")
    idempotency_key: str = Field(unique=True)
    body_sha256: bytes = blob()
    gate_at: datetime
    outcome: str | None = None


class Step(SQLModel, table=True):
    """One try of a delivery to reach one address.

    The current attempt stands in these columns; earlier ones in ``step_attempt``. Nothing can be handed over without
    the consent event of this address and this purpose: the CHECK and the composite foreign key hold it.
    """

    __table_args__ = (
        UniqueConstraint("address_id", "run_id"),
        one_of("state", State),
        one_of("reason", Reason, null=True),
        one_of("receipt", ReceiptKind, null=True),
        CheckConstraint(
            "state NOT IN ('dispatching', 'accepted', 'unknown') "
            "OR (consent_event_id IS NOT NULL AND gate_at IS NOT NULL)",
            name="consent",
        ),
        CheckConstraint("(state IN ('skipped', 'failed')) = (reason IS NOT NULL)", name="one_reason"),
        ForeignKeyConstraint(
            ["consent_event_id", "address_id", "purpose_id"],
            ["consent_event.id", "consent_event.address_id", "consent_event.purpose_id"],
            name="fk_step_permit",
        ),
        Index("ix_step_batch_id", "batch_id"),
        Index("ix_step_run_id_delivery_id", "run_id", "delivery_id"),
        partial_index("ix_step_provider_id", "provider_id", where="provider_id IS NOT NULL"),
        {"postgresql_with": {"fillfactor": "45"}},
    )

    id: int = pk()
    # A foreign key costs a look-up per row on the hottest table (nearly half of planning): only the one that holds a
    # promise is declared. Run, delivery, batch and address come from the statement that makes the step (``planning``).
    run_id: int = number()
    delivery_id: int = number()
    batch_id: int = number()
    account_id: int = number()
    address_id: int = number()
    purpose_id: int = number()
    ordinal: int = 1
    current: bool = True  #: a fallback's step takes this over
    state: str = "planned"
    reason: str | None = None
    due_at: datetime
    attempt: int = 0
    variant_id: int | None = number(null=True)
    consent_event_id: int | None = number(null=True)
    call_id: int | None = number(null=True)
    gate_at: datetime | None = None
    settled_at: datetime | None = None
    outcome: str | None = None
    provider_code: str | None = None
    provider_id: str | None = None
    receipt: str | None = None
    receipt_at: datetime | None = None
    replied_at: datetime | None = None
    clicked_at: datetime | None = None
    entry_id: int | None = number(null=True)  #: log entry of the window that settled it
    commitment: bytes | None = blob(null=True)
    salt: bytes | None = blob(null=True)  #: erasable


class StepAttempt(SQLModel, table=True):
    """An earlier attempt of a step, kept when the next one passes the gate."""

    __tablename__ = "step_attempt"
    __table_args__ = CLUSTERED

    step_id: int = ref("step.id", primary_key=True)
    attempt: int = Field(primary_key=True)
    gate_at: datetime
    settled_at: datetime | None = None
    outcome: str | None = None
    provider_code: str | None = None
    provider_id: str | None = None
    consent_event_id: int = number()
    entry_id: int | None = number(null=True)
    commitment: bytes | None = blob(null=True)
    salt: bytes | None = blob(null=True)


class ReceiptEvent(SQLModel, table=True):
    """What a provider said of a message; parked until its step or message is known."""

    __tablename__ = "receipt"
    __table_args__ = (
        UniqueConstraint("account_id", "event_key"),
        one_of("kind", ReceiptKind),
        partial_index("ix_receipt_parked", "provider_id", where="NOT matched"),
    )

    id: int = pk()
    account_id: int = ref("account.id")
    event_key: str
    provider_id: str
    kind: str
    outcome: str | None = None
    provider_code: str | None = None
    occurred_at: datetime
    received_at: datetime
    step_id: int | None = number(null=True)
    message_id: int | None = number(null=True)
    matched: bool = False


class TrackedLink(SQLModel, table=True):
    """A link of a run whose clicks are counted; the target stands here, never in the address."""

    __tablename__ = "tracked_link"
    __table_args__ = (UniqueConstraint("run_id", "url_sha256"),)

    id: int = pk()
    run_id: int = ref("run.id")
    url: str
    url_sha256: str


class Click(SQLModel, table=True):
    """The first time a person followed a counted link of one message."""

    __table_args__ = (UniqueConstraint("step_id", "link_id"),)

    id: int = pk()
    link_id: int = ref("tracked_link.id")
    step_id: int = ref("step.id")
    at: datetime
