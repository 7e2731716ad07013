"""What a provider says later of a message it took: kept once, given to its step as soon as that is known."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import consequences
from broadcaster.actions.consent import Recorded
from broadcaster.actions.rendering import attempt_of
from broadcaster.actions.runtime import Runtime
from broadcaster.channels.contract import AccountConfig
from broadcaster.core.deliveries import Outcome, ReceiptKind
from broadcaster.core.messages import Receipt
from broadcaster.storage import conversations
from broadcaster.storage.tables import Step

_OBEYED = frozenset({Outcome.RECIPIENT_OPTED_OUT, Outcome.RECIPIENT_UNREACHABLE})


def keep(runtime: Runtime, session: Session, config: AccountConfig, event: Receipt, now: datetime) -> Recorded | None:
    """Keep a receipt, match what is known; one that says blocked is a refusal, one that says dead marks the address.

    That is obeyed before the receipt is answered, also where its own message has not been settled yet.
    """
    attempt = attempt_of(event.reference)
    values = {
        "account": config.id,
        "key": event.event_key,
        "provider_id": event.provider_id,
        "kind": event.kind.value,
        "outcome": None if event.outcome is None else event.outcome.value,
        "code": event.provider_code,
        "occurred": event.occurred_at,
        "now": now,
        "step": None if attempt is None else attempt[0],
        "attempt": None if attempt is None else attempt[1],
    }
    outcome = event.outcome if event.kind is ReceiptKind.FAILED else None
    step = conversations.step_of_receipt(session, values) if outcome in _OBEYED else None
    recorded = None if step is None else _obey(runtime, session, step, outcome, event.provider_code)
    conversations.store_receipt(session, values)
    settle_receipts(runtime, session)
    return recorded


def _obey(runtime: Runtime, session: Session, step: Step, outcome: str | None, code: str | None) -> Recorded | None:
    if outcome == Outcome.RECIPIENT_OPTED_OUT:
        acts = consequences.block(runtime, session, step.id, step.address_id, code)
        return consent_actions.record_in(runtime, session, acts)
    if outcome == Outcome.RECIPIENT_UNREACHABLE:
        return consequences.mark_invalid(runtime, session, step.address_id, code or "receipt")
    return None


def settle_receipts(runtime: Runtime, session: Session) -> None:
    """Match parked receipts and draw the consequences of failed ones."""
    session.flush()
    for step_id, receipt in conversations.match_receipts(session):
        _obey(runtime, session, session.get_one(Step, step_id), receipt.outcome, receipt.provider_code)


def match_parked(runtime: Runtime) -> None:
    """Try again to match receipts that came before their message was settled."""
    with runtime.db.reading() as session:
        if not conversations.any_parked(session):
            return
    with runtime.db.transaction("provider") as session:
        settle_receipts(runtime, session)
