"""Why did, or didn't, this person get it? One sentence, and everything it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions import campaigns, forecast_people
from broadcaster.actions.forecast import PLANNABLE, Draft
from broadcaster.actions.forecast_result import plain
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action
from broadcaster.core.deliveries import Reason
from broadcaster.core.reason_words import Language, sentence
from broadcaster.storage import consent, contacts
from broadcaster.storage import forecast as drafts
from broadcaster.storage import reports as rows
from broadcaster.storage.tables import Campaign, Run

#: The acts that can stand behind a reason; the last of them before the decision is shown.
_BEHIND: dict[str, tuple[Action, ...]] = {
    Reason.PENDING_CONFIRMATION: (Action.REQUESTED,),
    Reason.WITHDRAWN: (Action.WITHDRAWN, Action.OBJECTED),
    Reason.OBJECTED: (Action.OBJECTED,),
    Reason.PROVIDER_OPT_OUT: (Action.OBJECTED,),
    Reason.EXPIRED: (Action.EXPIRED, Action.GRANTED, Action.CONFIRMED),
    Reason.RESTRICTED: (Action.RESTRICTED,),
}


@dataclass(frozen=True, slots=True)
class ConsentShown:
    """The consent event a message, or its refusal, rests on, and the words the person was shown."""

    event_id: int
    action: str
    source: str
    occurred_at: datetime
    wording: str | None
    wording_language: str | None
    wording_version: int | None


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt on one address, in order."""

    step_id: int
    attempt: int
    channel: str
    account: str
    address: str
    gate_at: datetime | None
    settled_at: datetime | None
    outcome: str | None
    provider_code: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One person's story in one campaign. ``state`` is the delivery's, or ``will_get``, ``will_not``, ``not_meant``."""

    campaign_id: int
    run_id: int | None
    contact_id: int
    state: str
    reason: str | None
    channel: str
    due_at: datetime | None
    receipt: str | None
    receipt_at: datetime | None
    consent: ConsentShown | None
    tries: tuple[Try, ...] = ()
    missing: tuple[str, ...] = field(default=())

    def sentence(self, language: Language) -> str:
        """Say it in one sentence."""
        shown = self.receipt if self.state == "accepted" and self.receipt in ("sent", "delivered", "read") else None
        date = "" if self.consent is None else self.consent.occurred_at.date().isoformat()
        return sentence(shown or self.state, language, channel=self.channel, reason=self.reason, date=date)

    def told(self) -> dict[str, Any]:
        """Return it as plain JSON, in both languages."""
        told: dict[str, Any] = plain(asdict(self))
        return {**told, "sentence": {"en": self.sentence("en"), "fr": self.sentence("fr")}}


def explain(runtime: Runtime, campaign_id: int, contact_id: int) -> Explanation:
    """Explain one person's place in the newest run, or in the dry run of a campaign that has not started.

    Raises NotFound for a campaign that does not exist, or a contact that does not exist or was erased.
    """
    with runtime.db.reading() as session:
        campaign = campaigns.get(session, campaign_id)
        found = rows.runs(session, campaign_id)
        if found:
            return _told(runtime, session, campaign, found[0], contact_id)
        contacts.get(session, contact_id)
        return _foretold(runtime, session, campaign, contact_id)


def _plainly(campaign_id: int, run_id: int | None, contact_id: int, state: str) -> Explanation:
    return Explanation(campaign_id, run_id, contact_id, state, None, "", None, None, None, None)


def _foretold(runtime: Runtime, session: Session, campaign: Campaign, contact_id: int) -> Explanation:
    draft = Draft.load(runtime, session, campaign) if campaign.state in PLANNABLE else None
    row = None if draft is None else forecast_people.one(runtime, session, draft, contact_id)
    if row is None or draft is None:
        return _plainly(campaign.id, None, contact_id, "not_meant")
    if row.reason is None:
        chosen = drafts.choice_of(session, draft.choice, contact_id)
        shown = None if chosen is None else _event(session, chosen["event_id"])
    else:
        shown = _behind(session, campaign.purpose_id, contact_id, row.reason, draft.now)
    return Explanation(
        campaign_id=campaign.id,
        run_id=None,
        contact_id=contact_id,
        state="will_get" if row.reason is None else "will_not",
        reason=row.reason,
        channel=row.channel,
        due_at=row.due_at,
        receipt=None,
        receipt_at=None,
        consent=shown,
        missing=row.missing,
    )


def _told(runtime: Runtime, session: Session, campaign: Campaign, run: Run, contact_id: int) -> Explanation:
    made = rows.delivery(session, run.id, contact_id)
    if made is None:
        contacts.get(session, contact_id)
        later = run.planned_at is None and run.watermark < contact_id <= run.last_contact_id
        return _plainly(campaign.id, run.id, contact_id, "not_yet" if later else "not_meant")
    steps = rows.steps(session, run.id, made.id)
    now = next((step for step in steps if step.current), None)
    if now is None:
        shown = _behind(session, run.purpose_id, contact_id, made.reason, made.created_at)
        plainly = _plainly(campaign.id, run.id, contact_id, "skipped")
        return replace(plainly, reason=made.reason, consent=shown)
    decided = now.settled_at or made.created_at
    if now.reason is not None:
        shown = _behind(session, run.purpose_id, contact_id, now.reason, decided) or _event(session, _used(now))
    else:
        shown = _event(session, now.consent_event_id)
    return Explanation(
        campaign_id=campaign.id,
        run_id=run.id,
        contact_id=contact_id,
        state=now.state,
        reason=now.reason,
        channel=now.channel,
        due_at=now.due_at if now.state in ("planned", "held") else None,
        receipt=now.receipt,
        receipt_at=now.receipt_at,
        consent=shown,
        tries=_tries(runtime, session, steps),
    )


def _used(step: Any) -> int | None:
    """Return the event that let a step through, if it ever was let through."""
    event_id: int | None = step.consent_event_id
    return event_id if step.gate_at is not None else None


def _tries(runtime: Runtime, session: Session, steps: Sequence[Any]) -> tuple[Try, ...]:
    masked = forecast_people.masked_addresses(runtime, session, [step.address_id for step in steps])
    earlier = rows.attempts(session, [step.id for step in steps])
    tries = []
    for step in steps:
        mine = [one for one in earlier if one.step_id == step.id and one.attempt < step.attempt]
        for one in [*mine, *([step] if step.attempt else [])]:
            tries.append(
                Try(
                    step_id=step.id,
                    attempt=one.attempt,
                    channel=step.channel,
                    account=step.account,
                    address=masked.get(step.address_id, ""),
                    gate_at=one.gate_at,
                    settled_at=one.settled_at,
                    outcome=one.outcome,
                    provider_code=one.provider_code,
                )
            )
    return tuple(tries)


def _event(session: Session, event_id: int | None) -> ConsentShown | None:
    return None if event_id is None else _shown(rows.consent_event(session, event_id))


def _behind(session: Session, purpose_id: int, contact_id: int, reason: str, before: datetime) -> ConsentShown | None:
    actions = _BEHIND.get(reason)
    if actions is None:
        return None
    path = (*consent.above(session, purpose_id), purpose_id)
    return _shown(rows.deciding_event(session, contact_id, purposes=path, actions=actions, before=before))


def _shown(row: Any) -> ConsentShown | None:
    if row is None:
        return None
    return ConsentShown(row.id, row.action, row.source, row.occurred_at, row.text, row.language, row.version)
