"""The dry run: what a campaign would come to, counted and person by person; nothing is written.

The whole audience goes through the plan's own query, times and duplicates, range by range, and is thrown away. What the
plan leaves to the moment of sending (words that fail for a missing field) is judged here already. Consent may change
until a message leaves: the gate asks again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions import campaigns, planning
from broadcaster.actions.forecast_result import Fallback, Forecast, Load, Missing, splits
from broadcaster.actions.forecast_words import Judge, content_problems, facts_of
from broadcaster.actions.organisation import setting, time_zone
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.windows import Place, Windows
from broadcaster.core import estimate, schedule
from broadcaster.core.campaigns import CampaignState, Plan
from broadcaster.core.closed import EVERYWHERE, Closed, between
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.estimate import Hours
from broadcaster.core.schedule import country_zones
from broadcaster.core.templates_lint import Problem
from broadcaster.storage import closed_days, consent, warmups
from broadcaster.storage import forecast as rows
from broadcaster.storage import planning as stage
from broadcaster.storage.forecast import Tally
from broadcaster.storage.tables import Account, Audience, Campaign

#: Contacts a range aims at. A wider one is slower: PostgreSQL then reads all addresses for every range.
RANGE_CONTACTS = planning.RANGE_CONTACTS
PLANNABLE = frozenset({CampaignState.DRAFT, CampaignState.SCHEDULED})

Progress = Callable[[int, int], None]  #: told the contact id reached and the last one


@dataclass(frozen=True)
class Draft:
    """A campaign that can be dry-run, with everything the plan would freeze."""

    campaign: Campaign
    plan: Plan
    choice: Any
    judge: Judge
    last_id: int
    now: datetime

    @classmethod
    def load(cls, runtime: Runtime, session: Session, campaign: Campaign) -> Draft | None:
        """Read a campaign; None as long as it has no audience or no channels."""
        if campaign.state not in PLANNABLE:
            raise Conflict("this campaign has started; look at its report", code=f"campaign_{campaign.state}")
        plan, now = campaigns.plan_of(campaign.plan), runtime.db.now(session)
        plan = plan.on(next(iter(plan.schedule.ahead(now)), now))
        if campaign.audience_id is None or not plan.channels:
            return None
        exclude = None if campaign.exclude_id is None else session.get_one(Audience, campaign.exclude_id).rule
        rule = session.get_one(Audience, campaign.audience_id).rule
        choice = planning.choice_for(session, plan, rule, exclude, campaign.purpose_id, now)
        return cls(campaign, plan, choice, Judge(runtime, session, campaign), rows.last_contact(session), now)

    def fill(self, session: Session, *, low: int, width: int) -> int:
        """Stage the range after *low* with its send times, duplicates not marked; return where it ends."""
        high = stage.next_bound(session, low=low, high=self.last_id, width=width)
        stage.stage(session, self.choice, low=low, high=high)
        planning.set_times(session, self.plan, self.campaign.purpose_id, self.now)
        return high

    def ranges(self, session: Session, *, width: int) -> Iterator[int]:
        """Stage the whole audience range by range, duplicates marked; yield each range's end."""
        rows.open_shared(session)
        low = 0
        while low < self.last_id:
            low = self.fill(session, low=low, width=width)
            rows.mark_duplicates(session)
            yield low


@dataclass
class _Totals:
    judge: Judge
    reasons: Counter[str] = field(default_factory=Counter)
    channels: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    countries: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    due: dict[int, Counter[datetime]] = field(default_factory=lambda: defaultdict(Counter))
    words: Counter[tuple[int, str, str]] = field(default_factory=Counter)  #: account, channel, language
    missing: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    fallbacks: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, one: Tally) -> None:
        reason: str | None = one.reason
        if reason is None:
            assert one.channel is not None, "who gets it has an address"
            fit = self.judge.fit(one.channel, one.language, one.present)
            reason = None if fit.reason is None else fit.reason.value
            self.missing.update({(name, one.channel, fit.used): one.people for name in fit.missing})
            if fit.falls_back:
                self.fallbacks[one.channel, fit.wanted or "", fit.used] += one.people
            if reason is None:
                assert one.account_id is not None, "who gets it has a sender"
                assert one.due_at is not None, "who gets it has a time"
                self.due[one.account_id][one.due_at] += one.people
                self.words[one.account_id, one.channel, fit.used] += one.people
        if reason is not None:
            self.reasons[reason] += one.people
        side = 0 if reason is None else 1
        self.channels[side][one.channel or ""] += one.people
        self.countries[side][one.country or ""] += one.people

    def loads(self, session: Session, hours: Hours) -> list[Load]:
        return [self._load(session, one, hours) for one in sorted(self.due)]

    def _load(self, session: Session, account_id: int, hours: Hours) -> Load:
        account, due = session.get_one(Account, account_id), self.due[account_id]
        spoken = [(*self.judge.parts(c, used), n) for (a, c, used), n in self.words.items() if a == account.id]
        usual, most = (sum(one[place] * one[2] for one in spoken) for place in (0, 1))
        rate = account.rate_per_second or facts_of(account.channel, account.provider).rate_per_second
        return Load(
            account_id=account.id,
            name=account.name,
            channel=account.channel,
            messages=due.total(),
            parts=usual,
            cost_micros=usual * account.cost_micros,
            cost_most_micros=most * account.cost_micros,
            rate_per_second=rate,
            first_at=min(due),
            last_at=max(due),
            finish_at=estimate.finish(
                due,
                rate,
                hours=hours,
                warm_up=account.warm_up,
                last_day=warmups.last_day(session, account_id),
                zone_name=time_zone(session),
            ),
        )


def forecast(
    runtime: Runtime, campaign_id: int, *, progress: Progress | None = None, width: int = RANGE_CONTACTS
) -> Forecast:
    """Dry-run a draft or scheduled campaign over its whole audience.

    A draft that lacks something still gets an answer: its problems. Raises NotFound, Conflict once it has started.
    """
    with runtime.db.reading() as session:
        campaign = campaigns.get(session, campaign_id)
        draft = Draft.load(runtime, session, campaign)
        totals = _Totals(Judge(runtime, session, campaign) if draft is None else draft.judge)
        if draft is not None:
            for high in draft.ranges(session, width=width):
                for one in rows.tally(session, totals.judge.fields):
                    totals.add(one)
                if progress is not None:
                    progress(high, draft.last_id)
        now = runtime.db.now(session) if draft is None else draft.now
        found = launch_problems(session, campaign, now=now)
        begins = now if draft is None else max(draft.plan.schedule.start or now, now)
        return _result(session, campaign, totals, found, now=now, begins=begins)


def _result(
    session: Session, campaign: Campaign, totals: _Totals, found: list[Problem], *, now: datetime, begins: datetime
) -> Forecast:
    windows = Windows.load(session, marketing=consent.is_marketing(session, campaign.purpose_id))
    loads = totals.loads(session, _hours(session, windows, totals))
    will, wont = sum(one.messages for one in loads), totals.reasons.total()
    ends = max((one.finish_at for one in loads), default=None)
    found += _remarks(campaign, totals, will, ends)
    return Forecast(
        campaign_id=campaign.id,
        made_at=now,
        audience=will + wont,
        will_get=will,
        will_not=wont,
        by_reason=dict(totals.reasons.most_common()),
        by_channel=splits(*totals.channels),
        by_country=splits(*totals.countries),
        accounts=tuple(loads),
        missing=tuple(Missing(*key, people) for key, people in totals.missing.most_common()),
        fallbacks=tuple(Fallback(*key, people) for key, people in totals.fallbacks.most_common()),
        currency=str(setting(session, "currency")),
        cost_micros=sum(one.cost_micros for one in loads),
        cost_most_micros=sum(one.cost_most_micros for one in loads),
        first_at=min((one.first_at for one in loads), default=None),
        last_at=max((one.last_at for one in loads), default=None),
        finish_at=ends,
        closed=_closed(session, totals, begins, ends) if windows.apply and ends is not None else (),
        problems=tuple(sorted(found, key=lambda one: not one.blocking)),
    )


def _closed(session: Session, totals: _Totals, begins: datetime, ends: datetime) -> tuple[Closed, ...]:
    """Return the organisation's closed days in the way of those who get it."""
    where = schedule.zone(time_zone(session))
    found = between(closed_days.every(session), begins.astimezone(where).date(), ends.astimezone(where).date())
    return tuple(one for one in found if one.country == EVERYWHERE or totals.countries[0][one.country])


def _hours(session: Session, windows: Windows, totals: _Totals) -> Hours:
    """Return the hours of the country most people who get it live in: they stand for those of all the others."""
    known = [(people, country) for country, people in totals.countries[1].items() if country_zones(country)]
    country = max(known)[1] if known else str(setting(session, "default_region"))
    own = time_zone(session)
    zone = own if own in country_zones(country) else country_zones(country)[0]
    return windows.hours(Place(zone, None, country))


def _remarks(campaign: Campaign, totals: _Totals, will: int, ends: datetime | None) -> list[Problem]:
    """Say what the counts mean for a launch; only "nobody" is in its way."""
    found = []
    plan = campaigns.plan_of(campaign.plan)
    if campaign.audience_id is not None and plan.channels and not will:
        found.append(Problem("nobody_to_send", "audience", "Nobody would get this message."))
    lost = totals.reasons[Reason.MISSING_FIELD]
    if lost:
        words = f"{lost} people lack a value the template prints; give it a default, or they are left out."
        found.append(Problem("missing_field", "template", words, blocking=False))
    if totals.fallbacks:
        words = f"{totals.fallbacks.total()} people get it in another language than theirs."
        found.append(Problem("language_fallback", "template", words, blocking=False))
    until = plan.schedule.not_after
    if until is not None and ends is not None and ends > until:
        words = "The accounts are too slow to send everything before 'not after'; the rest would expire."
        found.append(Problem("not_after_too_early", "plan.schedule.not_after", words, blocking=False))
    return found


def launch_problems(session: Session, campaign: Campaign, *, now: datetime) -> list[Problem]:
    """Return what is in the way of a launch, and what is only worth a look, without looking at people."""
    found: list[Problem] = []
    try:
        campaigns.check_ready(session, campaign, now=now)
    except (InvalidInput, Conflict) as problem:
        found.append(Problem(problem.code, getattr(problem, "field", None) or "", problem.message))
    return found + content_problems(session, campaign, campaigns.plan_of(campaign.plan))


def launch(runtime: Runtime, campaign_id: int, *, revision: int | None = None, actor: str) -> None:
    """Launch a campaign, unless its words are wrong or nobody would get it. *revision*: the one that was looked at.

    Raises InvalidInput with the first blocking problem's code and field, Conflict ``nobody_to_send``, and whatever
    ``campaigns.launch`` raises.
    """
    with runtime.db.reading() as session:
        campaign = campaigns.get(session, campaign_id)
        if campaign.state == CampaignState.DRAFT:
            plan = campaigns.check_ready(session, campaign, now=runtime.db.now(session))
            for problem in content_problems(session, campaign, plan):
                if problem.blocking:
                    raise InvalidInput(problem.message, code=problem.code, field=problem.field)
            if not _anybody(runtime, session, campaign):
                raise Conflict("nobody would get this message; a dry run says why", code="nobody_to_send")
    campaigns.launch(runtime, campaign_id, revision=revision, actor=actor)


def _anybody(runtime: Runtime, session: Session, campaign: Campaign) -> bool:
    draft = Draft.load(runtime, session, campaign)
    if draft is None:
        return False
    for _ in draft.ranges(session, width=RANGE_CONTACTS):
        for one in rows.tally(session, draft.judge.fields):
            if one.reason is None and draft.judge.fit(one.channel or "", one.language, one.present).reason is None:
                return True
    return False


__all__ = ["Draft", "Forecast", "forecast", "launch", "launch_problems"]
