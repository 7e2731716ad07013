"""Turn a due campaign into a run, and a run into deliveries and steps, range by range."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import clicks, lawful
from broadcaster.actions.organisation import frequency_limits, law
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.windows import Place, Windows
from broadcaster.core.audiences import parse_rule
from broadcaster.core.campaigns import CampaignState, Plan, Schedule
from broadcaster.core.deliveries import Reason
from broadcaster.core.event_types import CampaignMoved
from broadcaster.core.law.terms import Law
from broadcaster.storage import audiences, consent, log, pacing, planning
from broadcaster.storage import campaigns as rows
from broadcaster.storage.planning import Lane
from broadcaster.storage.tables import Account, Audience, Campaign, Purpose, Run, Template

#: Contacts a range aims at: one short transaction each (SQLite: about 50 ms).
RANGE_CONTACTS = 4000
#: SQLite compares each member of a range with each candidate address of it, so that half a range costs a quarter.
RANGE_CONTACTS_SQLITE = 500


def start_due(runtime: Runtime) -> list[int]:
    """Start a run for every campaign whose time has come; return the runs' ids."""
    started = []
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        for campaign in rows.due(session, now):
            started.append(_start(session, campaign, now))
    return started


def _start(session: Session, campaign: Campaign, now: datetime) -> int:
    """Freeze what the run needs: rules, template version, how far the audience reaches."""
    assert campaign.audience_id is not None, "launch has checked"
    assert campaign.template_id is not None, "launch has checked"
    plan = Plan.model_validate(campaign.plan)
    times = _next_date(session, campaign, plan, now)
    exclude = session.get(Audience, campaign.exclude_id) if campaign.exclude_id else None
    run = Run(
        campaign_id=campaign.id,
        ordinal=rows.run_count(session, campaign.id) + 1,
        purpose_id=campaign.purpose_id,
        template_version=session.get_one(Template, campaign.template_id).version,
        rule=session.get_one(Audience, campaign.audience_id).rule,
        exclude_rule=None if exclude is None else exclude.rule,
        not_before=times.start or now,
        not_after=times.not_after,
        watermark=0,
        last_contact_id=rows.last_contact_id(session),
        started_at=now,
    )
    session.add(run)
    session.flush()
    if plan.count_clicks:
        clicks.keep_links(session, run, campaign.template_id)
    campaign.state, campaign.state_changed_at = CampaignState.RUNNING, now
    session.add(campaign)
    log.record(session, CampaignMoved(campaign_id=campaign.id, verb="started", run_id=run.id), at=now)
    return run.id


def _next_date(session: Session, campaign: Campaign, plan: Plan, now: datetime) -> Schedule:
    """Return the times of the run that is due, and set the date after it.

    Of dates that were missed while nothing ran only the latest goes out; the others are noted.
    """
    if not plan.schedule.repeat:
        return plan.schedule
    assert campaign.scheduled_for is not None, "launch has set it"
    date = plan.date_of(campaign.scheduled_for)
    while (later := plan.schedule.following(date)) and plan.planned_at(later[0]) <= now:
        log.record(session, CampaignMoved(campaign_id=campaign.id, verb="missed"), at=now)
        [date] = later
    campaign.scheduled_for = plan.planned_at(later[0]) if later else None
    return plan.schedule.on(date)


def plan_range(runtime: Runtime, run_id: int, *, width: int | None = None) -> bool:
    """Plan the next range of a run; return False when there is nothing left to plan."""
    if width is None:
        width = RANGE_CONTACTS_SQLITE if runtime.db.sqlite else RANGE_CONTACTS
    with runtime.db.transaction() as session:
        run = rows.lock_run(session, run_id)
        if run is None or run.planned_at is not None:
            return False
        campaign = session.get_one(Campaign, run.campaign_id)
        plan = Plan.model_validate(campaign.plan).on(run.not_before)
        now = runtime.db.now(session)
        high = planning.next_bound(session, low=run.watermark, high=run.last_contact_id, width=width)
        choice = choice_for(session, plan, run.rule, run.exclude_rule, run.purpose_id, now)
        planning.stage(session, choice, low=run.watermark, high=high)
        if campaign.state == CampaignState.CANCELLED:
            planning.override(session, Reason.CANCELLED.value)
        set_times(session, plan, run.purpose_id, now)
        planning.mark_duplicates(session, run.id)  # after the times: who gets nothing must not stand in another's way
        planning.write(session, run_id=run.id, purpose_id=run.purpose_id, now=now)
        complete = high >= run.last_contact_id
        planning.advance(session, run.id, watermark=high, planned_at=now if complete else None)
    return not complete


def choice_for(
    session: Session,
    plan: Plan,
    rule: dict[str, object],
    exclude: dict[str, object] | None,
    purpose_id: int,
    now: datetime,
) -> planning.Choice:
    """Return the query that gives every member of an audience a channel or exactly one reason."""
    return planning.choose(
        where(session, rule, now),
        None if exclude is None else where(session, exclude, now),
        lanes=lanes(session, plan, session.get_one(Purpose, purpose_id)),
        purpose_id=purpose_id,
        above=consent.above(session, purpose_id),
        law=law_for(session, purpose_id),
        now=now,
    )


def law_for(session: Session, purpose_id: int) -> Law:
    """Return the law that a purpose's messages are under."""
    purpose = session.get_one(Purpose, purpose_id)
    return law(session, purpose=purpose.key, marketing=purpose.kind == "marketing")


def where(session: Session, rule: dict[str, object], now: datetime) -> audiences.Condition:
    """Return a stored rule as a condition on contacts."""
    return audiences.where(session, parse_rule(rule), now=now)


def lanes(session: Session, plan: Plan, purpose: Purpose) -> list[Lane]:
    """Return the plan's channels in order, each with whether its account can and may send for the purpose."""
    found = []
    for rank, choice in enumerate(plan.channels):
        account = session.get(Account, choice.account_id)
        usable = (
            account is not None
            and account.channel == choice.channel
            and account.state != "disabled"
            and lawful.barred_sender(session, account, purpose) is None
        )
        found.append(Lane(rank, choice.channel, choice.account_id, usable))
    return found


def set_times(session: Session, plan: Plan, purpose_id: int, now: datetime) -> None:
    """Give everybody in the stage their send time, or the reason why there is none.

    A handful of places stand for all of them.
    """
    marketing = consent.is_marketing(session, purpose_id)
    windows = Windows.load(session, marketing=marketing)
    due: dict[str, datetime | str] = {}
    for key in planning.zone_keys(session):
        found = windows.due(Place.of_key(key), plan.schedule, now=now)
        due[key] = found.value if isinstance(found, Reason) else found
    planning.set_due(session, due)
    planning.mark_paused(session)
    if marketing:
        times = {at for at in due.values() if isinstance(at, datetime)}
        pacing.mark_reached(session, frequency_limits(session), times)


def finish_runs(runtime: Runtime) -> list[int]:
    """Close the runs in which nothing is open any more; "finished" is this query, the state only repeats it."""
    finished = []
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        for run in rows.settled_runs(session):
            campaign = session.get_one(Campaign, run.campaign_id)
            if campaign.state == CampaignState.PAUSED:
                continue  # finished with it when it goes on; a resumed campaign without a run would never end
            cancelled = campaign.state == CampaignState.CANCELLED
            run.state, run.finished_at = ("cancelled" if cancelled else "finished"), now
            session.add(run)
            if campaign.state == CampaignState.RUNNING:
                again = Plan.model_validate(campaign.plan).schedule.repeat and campaign.scheduled_for is not None
                campaign.state = CampaignState.SCHEDULED if again else CampaignState.FINISHED
                campaign.state_changed_at = now
                session.add(campaign)
            log.record(session, CampaignMoved(campaign_id=campaign.id, verb=run.state, run_id=run.id), at=now)
            finished.append(run.id)
    return finished
