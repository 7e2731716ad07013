"""How a campaign goes, and what became of it: states that add up to the audience, reasons, receipts, answers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlmodel import Session

from broadcaster.actions import campaigns
from broadcaster.actions.forecast_result import plain
from broadcaster.actions.organisation import time_zone
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.core import estimate
from broadcaster.core.deliveries import OPEN, State
from broadcaster.core.errors import NotFound
from broadcaster.core.warmup import Day
from broadcaster.storage import clicks, warmups
from broadcaster.storage import reports as rows
from broadcaster.storage.database import Database
from broadcaster.storage.tables import Account, Run

#: The rate shown is that of the last minute.
_LATELY = timedelta(seconds=60)
#: A count that took longer than this is shown again for twenty times as long, so that watching a run of a million
#: deliveries (about a second each) costs a twentieth of a core and not all of it.
_CHEAP_SECONDS = 0.2
_KEPT_TIMES, _KEPT_SECONDS = 20.0, 30.0
_kept: WeakKeyDictionary[Database, dict[int, tuple[float, Progress]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Progress:
    """A campaign while it goes out. ``audience`` is a guess until ``planned_all``; the end is one always."""

    campaign_id: int
    campaign_state: str
    run_id: int | None
    states: Mapping[str, int]
    planned: int
    audience: int
    planned_all: bool
    open: int
    per_second: float
    next_at: datetime | None
    ends_at: datetime | None

    def told(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        told: dict[str, Any] = plain(asdict(self))
        return told


def progress(runtime: Runtime, campaign_id: int) -> Progress:
    """Count the newest run of a campaign by state; before it has started everything is nought. Raises NotFound.

    Of a very large run the counts may be up to half a minute old; the campaign's state never is.
    """
    with runtime.db.reading() as session:
        campaign = campaigns.get(session, campaign_id)
        found = rows.runs(session, campaign_id)
        if not found:
            return Progress(campaign_id, campaign.state, None, {}, 0, 0, False, 0, 0.0, campaign.scheduled_for, None)
        return _kept_or_new(runtime, session, campaign.state, found[0])


def _kept_or_new(runtime: Runtime, session: Session, state: str, run: Run) -> Progress:
    kept = _kept.setdefault(runtime.db, {})
    until, known = kept.get(run.id, (0.0, None))
    began = time.monotonic()
    if known is not None and began < until and known.campaign_state == state:
        return known
    new = _progress(runtime, session, state, run)
    took = time.monotonic() - began
    if took > _CHEAP_SECONDS:
        kept[run.id] = (began + took + min(took * _KEPT_TIMES, _KEPT_SECONDS), new)
    return new


def _progress(runtime: Runtime, session: Session, state: str, run: Run) -> Progress:
    now = runtime.db.now(session)
    counts = rows.counts(session, run.id, since=now - _LATELY)
    planned = sum(counts.states.values())
    share = 1.0 if run.planned_at is not None else run.watermark / max(run.last_contact_id, 1)
    audience = round(planned / share) if share else 0
    waiting = sum(counts.states.get(one.value, 0) for one in OPEN) + audience - planned
    elapsed = min(_LATELY, max(now - run.started_at, timedelta(seconds=1))).total_seconds()
    rate = counts.settled / elapsed
    return Progress(
        campaign_id=run.campaign_id,
        campaign_state=state,
        run_id=run.id,
        states={one.value: counts.states.get(one.value, 0) for one in State},
        planned=planned,
        audience=audience,
        planned_all=run.planned_at is not None,
        open=waiting,
        per_second=round(rate, 2),
        next_at=counts.first_due,
        ends_at=_end(session, run, waiting, rate, counts.last_due, now) if state == "running" else None,
    )


def _end(
    session: Session, run: Run, waiting: int, rate: float, last_due: datetime | None, now: datetime
) -> datetime | None:
    """Guess the end from the last minute, else from what the accounts are allowed.

    Respects the send times of the plan, and the warm-up where there is one account; ignores hours that close meanwhile.
    """
    if not waiting:
        return None
    open_accounts = rows.open_accounts(session, run.id)
    speed = rate or sum(
        allowed or registry.get(provider).capabilities.rate_per_second for _, provider, allowed in open_accounts
    )
    alone = session.get_one(Account, open_accounts[0][0]) if len(open_accounts) == 1 else None
    end = now
    if speed:
        end = estimate.finish(
            {now: waiting},
            speed,
            hours=estimate.always,
            warm_up=[] if alone is None else alone.warm_up,
            last_day=Day() if alone is None else warmups.last_day(session, alone.id),
            zone_name=time_zone(session),
        )
    return end if last_due is None else max(end, last_due)


@dataclass(frozen=True, slots=True)
class Check:
    """Whether everybody is accounted for: ``sentence`` says the sum."""

    audience: int
    accounted: int

    @property
    def holds(self) -> bool:
        return self.audience == self.accounted

    def sentence(self, states: Mapping[str, int]) -> str:
        parts = " + ".join(f"{count} {state}" for state, count in states.items() if count) or "0"
        return f"{self.audience} {'=' if self.holds else '≠'} {parts}"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run. Every table counts deliveries; a reply or an opt-out counts once per person or address."""

    campaign_id: int
    run_id: int
    runs: tuple[int, ...]
    state: str
    started_at: datetime
    finished_at: datetime | None
    planned_all: bool
    audience: int
    states: Mapping[str, int]
    check: Check
    reasons: Mapping[str, int]
    receipts: Mapping[str, int]
    replies: int
    clicks: int
    links: Mapping[str, int]
    opt_outs: int
    by_channel: Mapping[str, Mapping[str, int]]
    by_country: Mapping[str, Mapping[str, int]]

    def told(self) -> dict[str, Any]:
        """Return it as plain JSON, with the check in words."""
        told: dict[str, Any] = plain(asdict(self))
        sentence = self.check.sentence(self.states)
        return {**told, "check": {**asdict(self.check), "holds": self.check.holds, "sentence": sentence}}


def report(runtime: Runtime, campaign_id: int, *, run_id: int | None = None) -> Report:
    """Give the account of a run, the newest unless told. Raises NotFound, also ``not_started``."""
    with runtime.db.reading() as session:
        campaigns.get(session, campaign_id)
        found = rows.runs(session, campaign_id)
        run = next((one for one in found if run_id in (None, one.id)), None)
        if run is None:
            raise NotFound("this campaign has not started; make a dry run", code="not_started")
        return _report(session, run, tuple(one.id for one in found))


def _report(session: Session, run: Run, run_ids: tuple[int, ...]) -> Report:
    groups = rows.groups(session, run.id)
    states = {one.value: sum(g.deliveries for g in groups if g.state == one) for one in State}
    audience = rows.audience(session, run.id)
    return Report(
        campaign_id=run.campaign_id,
        run_id=run.id,
        runs=run_ids,
        state=run.state,
        started_at=run.started_at,
        finished_at=run.finished_at,
        planned_all=run.planned_at is not None,
        audience=audience,
        states=states,
        check=Check(audience, sum(states.values())),
        reasons=_counted((g.reason, g.deliveries) for g in groups),
        receipts=_counted((g.receipt, g.deliveries) for g in groups),
        replies=sum(g.replied for g in groups),
        clicks=sum(g.clicked for g in groups),
        links=clicks.counts(session, run.id),
        opt_outs=rows.opt_outs(session, run.id),
        by_channel=_table(groups, "channel"),
        by_country=_table(groups, "country"),
    )


def _counted(pairs: Any) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for key, count in pairs:
        if key:
            counter[key] += count
    return dict(counter.most_common())


def _table(groups: list[rows.Group], name: str) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = {}
    for group in groups:
        table.setdefault(getattr(group, name), Counter())[group.state] += group.deliveries
    return {key: dict(table[key]) for key in sorted(table, key=lambda key: (-table[key].total(), key))}
