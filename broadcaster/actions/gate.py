"""The last look: who of those that could start now may be written to, asked under the locks of their addresses.

The rule is ``core.consent.refusal``. What passes is written ahead as ``dispatching`` with the consent event that allows
it, in the same transaction; everything else is skipped with its one reason, postponed, or no longer ours.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session

from broadcaster.actions.preparing import Item
from broadcaster.core import consent, pacing
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import InvalidInput
from broadcaster.core.event_types import milliseconds
from broadcaster.core.law.terms import Person
from broadcaster.storage import deliveries
from broadcaster.storage import gate as rows
from broadcaster.storage import pacing as lately
from broadcaster.storage.gate import GateFacts, Passed


@dataclass(slots=True)
class Flight:
    """A step that passed the gate."""

    item: Item
    attempt: int
    event_id: int
    gate_ms: int  #: when it passed the gate, as the log writes times
    day_ends: datetime | None = None  #: of the day of warming up for which it counts


@dataclass(slots=True)
class Look:
    """What one look came to. ``gone`` are the items a lane need not keep: refused, postponed, or not ours any more."""

    passed: list[Flight] = field(default_factory=list)
    gone: list[Item] = field(default_factory=list)
    refused: int = 0
    account_stopped: bool = False


def pass_through(session: Session, items: Sequence[Item], *, owner: str, now: datetime, spacing: float = 0.0) -> Look:
    """Judge *items*, whose addresses are locked, and write what becomes of them.

    *spacing*: seconds between two messages to one address; the locks then have to be ours alone.
    """
    if not items:
        return Look()
    apart = timedelta(seconds=spacing)
    look, facts = Look(), _facts(session, items, owner, now, now - apart if spacing else None)
    skipped: list[tuple[int, str]] = []
    postponed: list[tuple[int, datetime]] = []
    gate_ms, judge = milliseconds(now), _Judge(session, items, now, apart)
    for item in items:
        fact = facts.pop(item.step_id, None)  # once: a lane that lost a batch and got it back may hold a step twice
        if fact is None or fact.campaign_state != "running" or fact.account_state != "active":
            look.account_stopped = look.account_stopped or (fact is not None and fact.account_state != "active")
            look.gone.append(item)
            continue
        found = judge.against(item, fact)
        if found is None:
            assert fact.event_id is not None, "a standing that permits has its event"
            look.passed.append(Flight(item, fact.attempt + 1, fact.event_id, gate_ms))
            continue
        look.gone.append(item)
        if isinstance(found, Reason):
            skipped.append((item.step_id, found.value))
        else:
            postponed.append((item.step_id, found))
    deliveries.mark_skipped(session, skipped, now=now)
    rows.postpone(session, postponed)
    look.refused = len(skipped)
    _write_ahead(session, look, now)
    return look


def _facts(
    session: Session, items: Sequence[Item], owner: str, now: datetime, since: datetime | None
) -> dict[int, GateFacts]:
    facts: dict[int, GateFacts] = {}
    for above in {item.above for item in items}:
        ids = [item.step_id for item in items if item.above == above]
        found = rows.gate_facts(session, ids, above=above, owner=owner, now=now, since=since)
        facts |= {fact.step_id: fact for fact in found}
    return facts


def _write_ahead(session: Session, look: Look, now: datetime) -> None:
    marked = [Passed(one.item.step_id, one.event_id, one.item.variant_id, one.attempt > 1) for one in look.passed]
    ours = rows.mark_dispatching(session, marked, now=now)
    look.gone += [one.item for one in look.passed if one.item.step_id not in ours]
    look.passed = [one for one in look.passed if one.item.step_id in ours]


class _Judge:
    """Says what stands against a step at one moment: a reason, or the time at which it may go."""

    def __init__(self, session: Session, items: Iterable[Item], now: datetime, apart: timedelta) -> None:
        self._now = now
        self._apart = apart
        self._served: set[int] = set()
        self._had = _had_lately(session, items, now)
        self._closed = functools.cache(lambda windows, place: windows.closed_until(place, now))

    def against(self, item: Item, fact: GateFacts) -> Reason | datetime | None:
        """Return None where the step may go, which then counts for the limits of those after it."""
        reason = _refusal(fact, self._now) or _unlawful(item, fact, self._now)
        if reason is not None:
            return reason
        try:
            later: datetime | None = self._closed(item.windows, item.place)
        except InvalidInput:  # the contact was edited meanwhile: nothing says any more what time it is there
            return Reason.NO_TIME_ZONE
        if later is not None:
            return later
        last_at = self._now if item.address_id in self._served else fact.last_at
        if last_at is not None and last_at + self._apart > self._now:
            return last_at + self._apart
        if item.limits:
            had = self._had.setdefault(item.row.contact_id, [])
            if pacing.reached(item.limits, had, now=self._now):
                return Reason.FREQUENCY_CAP
            had.append(self._now)
        if self._apart:
            self._served.add(item.address_id)
        return None


def _refusal(fact: GateFacts, now: datetime) -> Reason | None:
    if fact.not_after is not None and now > fact.not_after:
        return Reason.WINDOW_PASSED
    return consent.refusal(
        fact.standing,
        wider=fact.wider,
        expires_at=fact.expires_at,
        address_status=fact.address_status,
        suppressed=fact.suppressed,
        now=now,
    )


def _unlawful(item: Item, fact: GateFacts, now: datetime) -> Reason | None:
    """Say whether the law as it reads now bars a consent that stands; what it asks of the person was read with them."""
    assert fact.basis is not None, "a standing has a basis"
    assert fact.since is not None, "and a beginning"
    row = item.row
    person = Person(row.kind, item.place.country, row.birth_year, row.profession, row.last_contact_at)
    return item.law.refusal(person, channel=item.channel, basis=fact.basis, since=fact.since, now=now)


def _had_lately(session: Session, items: Iterable[Item], now: datetime) -> dict[int, list[datetime]]:
    """Return when each contact of limited marketing was sent some; costs nothing where there is no limit."""
    limited = {item.row.contact_id: item.limits for item in items if item.limits}
    if not limited:
        return {}
    since = now - max(map(pacing.longest, set(limited.values())))
    return lately.handed_over(session, sorted(limited), since=since)
