"""A campaign's life: draft, check, launch, pause, resume, cancel, duplicate. Every move is in the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session

from broadcaster.actions import lawful
from broadcaster.actions.rendering import Words
from broadcaster.actions.runtime import Runtime
from broadcaster.core.campaigns import EDITABLE, CampaignState, Plan, require_move
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import CampaignMoved
from broadcaster.storage import batches, log
from broadcaster.storage import campaigns as rows
from broadcaster.storage.tables import Account, Audience, Campaign, Purpose, Template


def plan_of(given: Any) -> Plan:
    """Read a plan. Raises InvalidInput naming the field."""
    try:
        return Plan.model_validate(given)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "plan"
        raise InvalidInput(f"{field}: {first['msg'].removeprefix('Value error, ')}", field=field) from None


def create(
    runtime: Runtime,
    *,
    name: str,
    brand_id: int,
    purpose_id: int,
    audience_id: int | None = None,
    exclude_id: int | None = None,
    template_id: int | None = None,
    plan: Any = None,
    staff_id: int | None = None,
    actor: str,
) -> int:
    """Draft a campaign; everything but name, brand and purpose can follow later."""
    if not name.strip() or len(name) > 200:
        raise InvalidInput("give the campaign a name of at most 200 characters", field="name")
    checked = {} if not plan else plan_of(plan).model_dump(mode="json")
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        row = Campaign(
            name=name.strip(),
            brand_id=brand_id,
            purpose_id=_leaf(session, purpose_id),
            audience_id=audience_id,
            exclude_id=exclude_id,
            template_id=template_id,
            plan=checked,
            staff_id=staff_id,
            created_at=now,
            state_changed_at=now,
        )
        session.add(row)
        session.flush()
        log.record(session, CampaignMoved(campaign_id=row.id, verb="created"), at=now)
        return row.id


def update(runtime: Runtime, campaign_id: int, *, revision: int, actor: str, **changes: Any) -> None:
    """Edit a draft. *revision* is the one the form was made from; raises Conflict if another was saved meanwhile."""
    allowed = {"name", "purpose_id", "audience_id", "exclude_id", "template_id", "plan", "brand_id"}
    if set(changes) - allowed:
        raise InvalidInput("unknown field", field=sorted(set(changes) - allowed)[0], code="unknown_field")
    if changes.get("plan"):
        changes["plan"] = plan_of(changes["plan"]).model_dump(mode="json")
    with runtime.db.transaction(actor) as session:
        row = locked(session, campaign_id)
        if CampaignState(row.state) not in EDITABLE:
            raise Conflict(
                f"a campaign that is {row.state} cannot be edited; duplicate it", code=f"campaign_{row.state}"
            )
        if row.revision != revision:
            raise Conflict("somebody else changed this campaign meanwhile", code="changed_meanwhile")
        if "purpose_id" in changes:
            changes["purpose_id"] = _leaf(session, changes["purpose_id"])
        for name, value in changes.items():
            setattr(row, name, value)
        row.revision += 1
        session.add(row)
        event = CampaignMoved(campaign_id=row.id, verb="edited")
        log.record(session, event, at=runtime.db.now(session))


def launch(runtime: Runtime, campaign_id: int, *, revision: int | None = None, actor: str) -> None:
    """Schedule a campaign for its time (now, if it has none).

    *revision*: the one that was looked at; another raises Conflict ``changed_meanwhile``. Raises InvalidInput or
    Conflict with what is missing.
    """
    with runtime.db.transaction(actor) as session:
        row = locked(session, campaign_id)
        require_move(row.state, CampaignState.SCHEDULED, only_from=CampaignState.DRAFT)
        if revision not in (None, row.revision):
            raise Conflict("somebody else changed this campaign meanwhile", code="changed_meanwhile")
        now = runtime.db.now(session)
        plan = check_ready(session, row, now=now)
        _move(session, row, CampaignState.SCHEDULED, now)
        first = plan.schedule.ahead(now)[0] if plan.schedule.repeat else plan.schedule.start
        row.scheduled_for = None if first is None else plan.planned_at(first)
    runtime.ring(0)


def pause(runtime: Runtime, campaign_id: int, *, actor: str) -> None:
    """Stop sending; what is on the wire ends, everything else stays planned."""
    _transition(runtime, campaign_id, CampaignState.PAUSED, actor)


def resume(runtime: Runtime, campaign_id: int, *, actor: str) -> None:
    """Go on where the campaign was paused; nobody gets it twice."""
    _transition(runtime, campaign_id, CampaignState.RUNNING, actor, only_from=CampaignState.PAUSED)
    runtime.ring(0)


def cancel(runtime: Runtime, campaign_id: int, *, actor: str) -> None:
    """Stop for good; who has not got it is accounted for as cancelled."""
    _transition(runtime, campaign_id, CampaignState.CANCELLED, actor)
    runtime.ring(0)


def unschedule(runtime: Runtime, campaign_id: int, *, actor: str) -> None:
    """Take a scheduled campaign back to draft."""
    _transition(runtime, campaign_id, CampaignState.DRAFT, actor)


def duplicate(runtime: Runtime, campaign_id: int, *, actor: str) -> int:
    """Make a new draft with the same content."""
    with runtime.db.reading() as session:
        row = get(session, campaign_id)
        plan = dict(row.plan)
    if plan:
        plan = {**plan, "schedule": {"zone": plan.get("schedule", {}).get("zone", "UTC")}}
    return create(
        runtime,
        name=f"{row.name[:190]} (copy)",
        brand_id=row.brand_id,
        purpose_id=row.purpose_id,
        audience_id=row.audience_id,
        exclude_id=row.exclude_id,
        template_id=row.template_id,
        plan=plan,
        actor=actor,
    )


def get(session: Session, campaign_id: int) -> Campaign:
    row = session.get(Campaign, campaign_id)
    if row is None:
        raise NotFound("there is no such campaign")
    return row


def locked(session: Session, campaign_id: int) -> Campaign:
    """Return a campaign under an exclusive lock, so that two people cannot launch it together."""
    row = rows.locked(session, campaign_id)
    if row is None:
        raise NotFound("there is no such campaign")
    return row


def check_ready(session: Session, row: Campaign, *, now: datetime) -> Plan:
    """Return the plan if everything a launch needs is there. Raises InvalidInput or Conflict naming what is not."""
    plan = plan_of(row.plan)
    for field, value in (("audience", row.audience_id), ("template", row.template_id), ("channels", plan.channels)):
        if not value:
            raise InvalidInput(f"the campaign has no {field} yet", field=field, code="required")
    start = plan.schedule.start
    if plan.schedule.repeat:
        if not plan.schedule.ahead(now):
            raise InvalidInput("the rule has no date ahead", field="plan.schedule.repeat", code="no_date")
        _check_content(session, row, plan)
        return plan
    if start is not None and not plan.schedule.local and start < now:
        raise InvalidInput("the start lies in the past", field="plan.schedule.start", code="in_the_past")
    if start is not None and start.year > now.year + 2:
        raise InvalidInput("the start is more than two years away", field="plan.schedule.start", code="too_far")
    if plan.schedule.not_after is not None and plan.schedule.not_after <= now:
        raise InvalidInput("'not after' lies in the past", field="plan.schedule.not_after", code="in_the_past")
    _check_content(session, row, plan)
    return plan


def _check_content(session: Session, row: Campaign, plan: Plan) -> None:
    assert row.template_id is not None
    template = session.get_one(Template, row.template_id)
    if session.get_one(Audience, row.audience_id).archived_at is not None or template.archived_at is not None:
        raise Conflict("the audience or the template has been archived", code="archived")
    purpose = session.get_one(Purpose, row.purpose_id)
    spoken = Words.load(session, template.id, template.version).channels()
    for choice in plan.channels:
        account = session.get(Account, choice.account_id)
        if account is None or account.channel != choice.channel:
            raise InvalidInput(f"choose an account for {choice.channel}", field="plan.channels", code="no_account")
        if account.state != "active":
            raise Conflict(f"the account {account.name!r} is {account.state}", code="channel_not_ready")
        lawful.check_sender(session, account, purpose)
        if choice.channel not in spoken:
            raise InvalidInput(f"the template says nothing for {choice.channel}", field="template", code="no_template")


def _leaf(session: Session, purpose_id: int) -> int:
    row = session.get(Purpose, purpose_id)
    if row is None or not row.leaf or row.archived_at is not None:
        raise InvalidInput("choose a purpose people can agree to", field="purpose", code="purpose")
    return row.id


def _transition(
    runtime: Runtime,
    campaign_id: int,
    after: CampaignState,
    actor: str,
    *,
    only_from: CampaignState | None = None,
) -> None:
    with runtime.db.transaction(actor) as session:
        row = locked(session, campaign_id)
        require_move(row.state, after, only_from=only_from)
        _move(session, row, after, runtime.db.now(session))


def _move(session: Session, row: Campaign, after: CampaignState, now: datetime) -> None:
    row.state, row.state_changed_at = after.value, now
    session.add(row)
    log.record(session, CampaignMoved(campaign_id=row.id, verb=after.value), at=now)


def sweep_cancelled(runtime: Runtime, *, most: int = 20) -> int:
    """Close what a cancelled campaign had planned, some batches at a time; return how many were closed."""
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        found = rows.batches_of_cancelled(session, now=now, most=most)
        for batch_id in found:
            batches.cancel_batch(session, batch_id, now=now)
    return len(found)
