"""Inbound events, messages outside campaigns and receipts in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case
from sqlmodel import Session, col, select

from broadcaster.core.deliveries import Outcome, Reason, ReceiptKind, later_receipt
from broadcaster.core.keys import open_sealed, seal
from broadcaster.storage.database import sql
from broadcaster.storage.tables import Conversation, Message, OptInRequest, ReceiptEvent, Step, TemplateVariant

MESSAGE_LEASE = timedelta(seconds=60)

_ONCE = sql(
    "INSERT INTO inbox_event (account_id, event_key, kind, address_id, body_ct, received_at, done_at) "
    "VALUES (:account, :key, :kind, :address, :body, :now, :now) "
    "ON CONFLICT (account_id, event_key) DO NOTHING RETURNING id",
    "now",
)


def store_once(
    session: Session,
    *,
    account_id: int,
    event_key: str,
    kind: str,
    address_id: int | None,
    body: bytes | None = None,
    now: datetime,
) -> int | None:
    """Note a provider's event, *body* sealed under the address's key; None if it has been here before."""
    values = {"account": account_id, "key": event_key, "kind": kind, "address": address_id, "body": body, "now": now}
    row = session.connection().execute(_ONCE, values).first()
    return None if row is None else int(row[0])


_KEPT = sql(
    "SELECT i.id, a.key_id, i.body_ct FROM inbox_event i JOIN address a ON a.id = i.address_id "
    "WHERE i.account_id = :account AND i.event_key = :key AND i.body_ct IS NOT NULL"
)
_FORGET = sql("UPDATE inbox_event SET body_ct = NULL WHERE id = :id")


def kept_event(session: Session, *, account_id: int, event_key: str) -> tuple[int, int, bytes] | None:
    """Return (id, key id, sealed body) of a stored event, None if nothing is kept of what it said."""
    row = session.connection().execute(_KEPT, {"account": account_id, "key": event_key}).first()
    return None if row is None else (int(row[0]), int(row[1]), bytes(row[2]))


def forget_body(session: Session, event_id: int) -> None:
    session.connection().execute(_FORGET, {"id": event_id})


def seal_message(key: bytes, told: dict[str, Any]) -> bytes:
    """Encrypt a message's words under the address's key."""
    return seal(key, json.dumps(told, ensure_ascii=False).encode(), b"message")


def open_message(key: bytes, sealed: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(open_sealed(key, sealed, b"message"))
    return found


def conversation(session: Session, *, address_id: int, account_id: int, now: datetime) -> Conversation:
    """Return the conversation of an address with an account, opened if it is new."""
    query = select(Conversation).where(Conversation.address_id == address_id, Conversation.account_id == account_id)
    found = session.exec(query).first()
    if found is None:
        found = Conversation(address_id=address_id, account_id=account_id, opened_at=now, last_at=now)
    found.last_at = now
    session.add(found)
    session.flush()
    return found


_LEASE_MESSAGES = """
    UPDATE message SET lease_until = :until WHERE id IN (
        SELECT id FROM message WHERE state = 'planned' AND due_at <= :now
            AND (lease_until IS NULL OR lease_until < :now)
        ORDER BY due_at LIMIT :most {skip}) RETURNING id"""


def lease_messages(session: Session, *, now: datetime, most: int) -> list[int]:
    """Take due messages for a minute."""
    skip = "FOR UPDATE SKIP LOCKED" if session.connection().dialect.name == "postgresql" else ""
    statement = sql(_LEASE_MESSAGES.format(skip=skip), "now", "until")
    values = {"now": now, "until": now + MESSAGE_LEASE, "most": most}
    return [row[0] for row in session.connection().execute(statement, values)]


def any_due(session: Session, *, now: datetime) -> bool:
    """Say whether a message waits to be sent, or to be given up."""
    statement = sql("SELECT 1 FROM message WHERE state IN ('planned', 'dispatching') AND due_at <= :now LIMIT 1", "now")
    return session.connection().execute(statement, {"now": now}).first() is not None


_ABANDONED = sql(
    "UPDATE message SET state = 'unknown', outcome = 'unknown' WHERE state = 'dispatching' AND lease_until < :now",
    "now",
)


def lock_message(session: Session, message_id: int) -> Message:
    """Take a message exclusively, as it stands now: whoever comes second sees that it is gone."""
    query = select(Message).where(Message.id == message_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).one()


def settle_abandoned(session: Session, *, now: datetime) -> None:
    """A message whose sender died on the wire is unknown; it is not sent again."""
    session.connection().execute(_ABANDONED, {"now": now})


def step_of_receipt(session: Session, values: dict[str, Any]) -> Step | None:
    """Return the step that the values of a receipt mean, also while its call is under way; None if nobody knows."""
    referred = select(Step).where(Step.id == values["step"], Step.attempt == values["attempt"])
    step = session.exec(referred.where(Step.account_id == values["account"])).first() if values["step"] else None
    return step or step_by_provider_id(session, values["account"], values["provider_id"])


def step_by_provider_id(session: Session, account_id: int, provider_id: str) -> Step | None:
    """Return the step a provider means."""
    query = select(Step).where(Step.provider_id == provider_id, Step.account_id == account_id)
    return session.exec(query).first()


def _known_by(receipt: type[ReceiptEvent]) -> tuple[Any, Any]:
    """Return the conditions for the step or message a receipt means; a step on the wire must settle first."""
    named = (col(Step.provider_id) == receipt.provider_id) & (col(Step.account_id) == receipt.account_id)
    referred = col(Step.id) == receipt.step_id
    step = (named | referred) & (col(Step.state) != "dispatching")
    message = (col(Message.provider_id) == receipt.provider_id) & (col(Message.account_id) == receipt.account_id)
    return step, message


def match_receipts(session: Session, *, most: int = 500) -> list[tuple[int, ReceiptEvent]]:
    """Give parked receipts to their steps or messages; return (step id, receipt) of those that say failed.

    Receipts of messages nobody knows stay parked and in nobody's way.
    """
    step_rule, message_rule = _known_by(ReceiptEvent)
    known = select(Step.id).where(step_rule).exists() | select(Message.id).where(message_rule).exists()
    query = select(ReceiptEvent).where(~col(ReceiptEvent.matched), known).order_by(col(ReceiptEvent.id)).limit(most)
    failed = []
    for receipt in session.exec(query.with_for_update(skip_locked=True)).all():
        step = _locked_step(session, receipt)
        if step is not None:
            _apply(session, step, receipt)
            if receipt.kind == ReceiptKind.FAILED:
                failed.append((step.id, receipt))
        else:
            _to_message(session, receipt)
    return failed


def _locked_step(session: Session, receipt: ReceiptEvent) -> Step | None:
    """Return the step a receipt means, locked: two receipts at once must not overwrite one another.

    Our own reference goes before the provider's id, which some providers give to two messages.
    """
    named = (col(Step.provider_id) == receipt.provider_id) & (col(Step.account_id) == receipt.account_id)
    referred = col(Step.id) == receipt.step_id
    query = select(Step).where(named | referred).order_by(case((referred, 0), else_=1), col(Step.id)).limit(1)
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).first()


def _apply(session: Session, step: Step, receipt: ReceiptEvent) -> None:
    known = None if step.receipt is None else ReceiptKind(step.receipt)
    step.receipt = later_receipt(known, ReceiptKind(receipt.kind)).value
    step.receipt_at = receipt.occurred_at
    if step.receipt == ReceiptKind.FAILED and step.state in ("accepted", "unknown"):
        step.state, step.reason = "failed", _receipt_reason(receipt).value
    elif step.state == "unknown" or _failed_by_receipt(step):
        step.state, step.reason = "accepted", None
    receipt.matched, receipt.step_id = True, step.id
    session.add(step)
    session.add(receipt)


def _failed_by_receipt(step: Step) -> bool:
    """Say whether only an earlier receipt called this step failed, and the one that stands now does not."""
    return step.state == "failed" and step.outcome in ("accepted", "unknown") and step.receipt != ReceiptKind.FAILED


def _receipt_reason(receipt: ReceiptEvent) -> Reason:
    by_outcome = {
        Outcome.RECIPIENT_OPTED_OUT: Reason.PROVIDER_OPT_OUT,
        Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE: Reason.TEMPORARILY_UNREACHABLE,
        Outcome.MESSAGE_REJECTED: Reason.REJECTED,
    }
    return by_outcome.get(Outcome(receipt.outcome), Reason.UNREACHABLE) if receipt.outcome else Reason.UNREACHABLE


def _to_message(session: Session, receipt: ReceiptEvent) -> None:
    query = select(Message).where(Message.provider_id == receipt.provider_id, Message.account_id == receipt.account_id)
    message = session.exec(query).first()
    if message is not None:
        known = None if message.receipt is None else ReceiptKind(message.receipt)
        message.receipt = later_receipt(known, ReceiptKind(receipt.kind)).value
        receipt.matched, receipt.message_id = True, message.id
        session.add(message)
        session.add(receipt)


def overdue_reviews(session: Session, *, now: datetime, most: int = 100) -> Sequence[Conversation]:
    """Return the conversations nobody looked at in time, locked."""
    query = select(Conversation).where(col(Conversation.needs_review), col(Conversation.review_by) < now)
    return session.exec(query.limit(most).with_for_update(skip_locked=True)).all()


def any_parked(session: Session) -> bool:
    """Say whether a receipt waits for its message."""
    return session.exec(select(ReceiptEvent.id).where(~col(ReceiptEvent.matched)).limit(1)).first() is not None


_RECEIPT = sql(
    "INSERT INTO receipt (account_id, event_key, provider_id, kind, outcome, provider_code, occurred_at, received_at, "
    "step_id, matched) VALUES (:account, :key, :provider_id, :kind, :outcome, :code, :occurred, :now, "
    # our own reference settles a call whose answer never came; the row's provider id is committed to and stays
    "(SELECT id FROM step WHERE id = :step AND attempt = :attempt AND account_id = :account), :no) "
    "ON CONFLICT (account_id, event_key) DO NOTHING",
    "occurred",
    "now",
)


def store_receipt(session: Session, values: dict[str, Any]) -> None:
    """Keep a receipt, once; ``match_receipts`` gives it to its step as soon as that is known."""
    session.connection().execute(_RECEIPT, {**values, "no": False})


def thread(session: Session, conversation_id: int, *, most: int = 200) -> Sequence[Message]:
    """Return the newest messages of a conversation, oldest first."""
    query = select(Message).where(Message.conversation_id == conversation_id)
    found = session.exec(query.order_by(col(Message.id).desc()).limit(most)).all()
    return list(reversed(found))


def last_step_to(session: Session, address_id: int) -> Step | None:
    """Return the last campaign message an address got."""
    query = select(Step).where(Step.address_id == address_id, col(Step.state).in_(("accepted", "unknown")))
    return session.exec(query.order_by(col(Step.gate_at).desc()).limit(1)).first()


def last_words_to(session: Session, address_id: int, most: int) -> Sequence[Mapping[str, Any]]:
    """Return what the templates of the last campaign messages to an address say."""
    sent = (Step.address_id == address_id, col(Step.state).in_(("dispatching", "accepted", "unknown")))
    query = select(TemplateVariant.content).join(Step, col(Step.variant_id) == col(TemplateVariant.id)).where(*sent)
    return session.exec(query.order_by(col(Step.gate_at).desc()).limit(most)).all()


def last_answers_to(session: Session, address_id: int, most: int) -> list[bytes]:
    """Return the sealed words of the last messages outside campaigns that went to an address."""
    query = select(Message.body_ct).where(Message.address_id == address_id, Message.kind != "inbound")
    query = query.where(col(Message.body_ct).is_not(None)).order_by(col(Message.id).desc()).limit(most)
    return [bytes(body) for body in session.exec(query).all() if body is not None]


def open_question(session: Session, address_id: int, *, now: datetime, asked_after: datetime) -> OptInRequest | None:
    """Return the double opt-in that a YES would answer."""
    query = select(OptInRequest).where(
        OptInRequest.address_id == address_id,
        col(OptInRequest.asked_with).is_(None),
        col(OptInRequest.confirmed_at).is_(None),
        col(OptInRequest.expires_at) > now,
        col(OptInRequest.created_at) > asked_after,
    )
    return session.exec(query.order_by(col(OptInRequest.id).desc())).first()
