"""What went to and came from an address outside campaigns, and the events as providers sent them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from broadcaster.core.deliveries import ReceiptKind, State
from broadcaster.storage.tables.base import blob, number, one_of, partial_index, pk, ref

MESSAGE_KINDS = ("inbound", "reply", "confirmation", "help", "doi", "test", "service")

_PERMITS = ("consent_event_id", "answers_id", "optin_request_id", "test_staff_id")
_EXACTLY_ONE = " + ".join(f"(CASE WHEN {name} IS NULL THEN 0 ELSE 1 END)" for name in _PERMITS)


class InboxEvent(SQLModel, table=True):
    """A provider's event as it came, stored once; the body is encrypted and kept briefly."""

    __tablename__ = "inbox_event"
    __table_args__ = (
        UniqueConstraint("account_id", "event_key"),
        partial_index("ix_inbox_event_open", "id", where="done_at IS NULL"),
    )

    id: int = pk()
    account_id: int = ref("account.id")
    event_key: str
    kind: str
    address_id: int | None = ref("address.id", null=True, index=True)
    body_ct: bytes | None = blob(null=True)
    received_at: datetime
    done_at: datetime | None = None


class Conversation(SQLModel, table=True):
    """The messages between an address and one account of ours."""

    __table_args__ = (
        UniqueConstraint("address_id", "account_id"),
        one_of("state", ("open", "waiting", "closed")),
        partial_index("ix_conversation_review", "review_by", where="needs_review"),
    )

    id: int = pk()
    address_id: int = ref("address.id")
    account_id: int = ref("account.id")
    contact_id: int | None = ref("contact.id", null=True, index=True)
    staff_id: int | None = ref("staff.id", null=True)
    state: str = "open"
    needs_review: bool = False
    review_by: datetime | None = None
    opened_at: datetime
    last_at: datetime
    window_until: datetime | None = None


class Message(SQLModel, table=True):
    """A message outside campaigns. Outgoing, it has exactly one permit; the database refuses one without."""

    __table_args__ = (
        one_of("kind", MESSAGE_KINDS),
        one_of("state", State, null=True),
        one_of("receipt", ReceiptKind, null=True),
        CheckConstraint(f"(kind = 'inbound') = (({_EXACTLY_ONE}) = 0) AND ({_EXACTLY_ONE}) <= 1", name="one_permit"),
        CheckConstraint("(kind = 'inbound') = (state IS NULL)", name="state_if_outgoing"),
        # one confirmation at most for one inbound message
        partial_index("uq_message_answer", "answers_id", "kind", where="kind IN ('confirmation', 'help')", unique=True),
        partial_index("ix_message_open", "due_at", where="state = 'planned'"),
        Index("ix_message_conversation_id", "conversation_id"),
        Index("ix_message_address_id", "address_id"),
    )

    id: int = pk()
    conversation_id: int | None = ref("conversation.id", null=True)
    address_id: int = ref("address.id")
    account_id: int = ref("account.id")
    kind: str
    body_ct: bytes | None = blob(null=True)  #: JSON of the message under the address's key
    intent: str | None = None  #: of an inbound: what the keyword engine decided
    rule: str | None = None
    answers_step_id: int | None = number(null=True, index=True)  #: the campaign step an inbound answers
    consent_event_id: int | None = ref("consent_event.id", null=True)
    answers_id: int | None = ref("message.id", null=True)
    optin_request_id: int | None = ref("optin_request.id", null=True)
    test_staff_id: int | None = ref("staff.id", null=True)
    state: str | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None
    attempt: int = 0
    gate_at: datetime | None = None
    lease_until: datetime | None = None
    outcome: str | None = None
    provider_code: str | None = None
    provider_id: str | None = Field(default=None, index=True)
    receipt: str | None = None
    created_at: datetime


class OutboxItem(SQLModel, table=True):
    """What the sandbox would have sent, to be read on screen; under the address's key."""

    __tablename__ = "outbox_item"
    __table_args__ = (Index("ix_outbox_item_address_id", "address_id"),)

    id: int = pk()
    account_id: int = ref("account.id")
    address_id: int = ref("address.id")
    step_id: int | None = number(null=True)
    message_id: int | None = number(null=True)
    body_ct: bytes = blob()
    created_at: datetime
