"""Consent of everybody, for whoever answers for it: how it stood, how it grows and shrinks, what runs out soon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlmodel import Session

from broadcaster.actions import campaigns, content
from broadcaster.actions.optin import ROOTS
from broadcaster.actions.organisation import time_zone
from broadcaster.actions.runtime import Runtime
from broadcaster.core import consent as rules
from broadcaster.core import schedule
from broadcaster.core.consent import Standing
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.periods import Period, Step, periods
from broadcaster.storage import consent as ledger
from broadcaster.storage import consent_desk as rows
from broadcaster.storage import consent_history
from broadcaster.storage import consent_tally as tally
from broadcaster.storage.consent_desk import Change, Ending, Totals
from broadcaster.storage.tables import Purpose, Wording

#: How far ahead one looks for consents that run out.
DAYS_AHEAD = (30, 60, 90)
#: So long after its end nothing of a day is still being committed.
SETTLED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Count:
    """How many addresses stood where for one purpose; the node above all marketing counts those who refused it all."""

    purpose: Purpose
    standings: Mapping[str, int]


def totals(runtime: Runtime, *, moment: datetime | None = None) -> tuple[datetime, list[Count]]:
    """Return the moment (now) and where every address stood by what we knew then, as the gate would have judged it."""
    with runtime.db.reading() as session:
        at = moment or runtime.db.now(session)
        found = rows.totals_unchanged(session, at)
        for address_ids in rows.changed_since(session, at):
            found += _folded(session, address_ids, at)
        known = consent_history.purposes(session)
    by_purpose: dict[int, dict[str, int]] = {}
    for (purpose_id, standing), count in sorted(found.items()):
        by_purpose.setdefault(purpose_id, {})[standing] = count
    shown = sorted(by_purpose, key=lambda one: (known[one].key not in ROOTS, known[one].kind, known[one].key))
    return at, [Count(known[one], by_purpose[one]) for one in shown]


def _folded(session: Session, address_ids: Sequence[int], at: datetime) -> Totals:
    paths = ledger.paths(session)
    found: Totals = Counter()
    for told in ledger.events_of(session, address_ids).values():
        for state in rules.fold([one for one in told if one.received_at <= at], paths=paths).values():
            over = state.standing is Standing.GRANTED and state.expires_at is not None and state.expires_at <= at
            found[state.purpose_id, (Standing.EXPIRED if over else state.standing).value] += 1
    return found


@dataclass(frozen=True, slots=True)
class Growth:
    """What was gained and lost in each period, by cause."""

    zone: str
    periods: tuple[Period, ...]
    changes: tuple[tuple[Change, ...], ...]  #: in the order of ``periods``
    purposes: Mapping[int, Purpose]


def growth(runtime: Runtime, *, first: date, last: date, by: Step = "month", purpose_id: int | None = None) -> Growth:
    """Return gains and losses from *first* to *last* on the organisation's clocks, by months or weeks.

    Raises InvalidInput ``period``.
    """
    with runtime.db.reading() as session:
        zone, now = time_zone(session), runtime.db.now(session)
        cut = periods(first, last, by=by, zone_name=zone)
        known = consent_history.purposes(session)
        paths = ledger.paths(session)
        leaves = {one: path for one, path in paths.items() if known[one].leaf and purpose_id in (None, one)}
        until = tally.until(session, zone)
        found = [_changes(session, one, leaves, zone=zone, until=until) for one in cut]
        over = [rows.ran_out(session, one.opens, one.closes, now=now) for one in cut]
    expired = [[one for one in some if one.purpose_id in leaves] for some in over]
    return Growth(zone, tuple(cut), tuple(tuple(a + b) for a, b in zip(found, expired, strict=True)), known)


def _changes(
    session: Session, period: Period, leaves: Mapping[int, Sequence[int]], *, zone: str, until: date | None
) -> list[Change]:
    """Return what was gained and lost in a period: days before *until* as counted, the rest from the ledger."""
    told: list[Change] = []
    opens = period.opens
    if until is not None and until > period.first:
        told += tally.changes(session, period.first, min(period.last, until - timedelta(days=1)))
        rest = until <= period.last
        opens = periods(until, period.last, by="month", zone_name=zone)[0].opens if rest else period.closes
    if opens < period.closes:
        told += rows.changes(session, opens, period.closes, leaves=leaves)
    found = Counter[Change]()
    for one in told:
        found[replace(one, count=0)] += one.count
    return [replace(cause, count=count) for cause, count in found.items() if cause.purpose_id in leaves]


def count_days(runtime: Runtime, *, most: int = 31) -> int:
    """Count gains and losses of days that are over and were not counted yet, and return how many days.

    What happened on a day can change no more once all that was received on it is committed (``SETTLED``); so years are
    read in milliseconds. In another zone days are others, and are counted anew.
    """
    with runtime.db.reading() as session:
        zone, now = time_zone(session), runtime.db.now(session)
        before = tally.until(session, zone)
        begin = before or tally.first_day(session, zone)
        over = (now - SETTLED).astimezone(schedule.zone(zone)).date()
        if begin is None or begin >= over:
            return 0
        days = [begin + timedelta(days=n) for n in range(min(most, (over - begin).days))]
        known = consent_history.purposes(session)
        leaves = {one: path for one, path in ledger.paths(session).items() if known[one].leaf}
        cut = [periods(day, day, by="month", zone_name=zone)[0] for day in days]
        found = {one.first: rows.changes(session, one.opens, one.closes, leaves=leaves) for one in cut}
    with runtime.db.transaction() as session:
        if tally.until(session, zone, lock=True) != before:
            return 0  # somebody else has counted them
        tally.keep(session, zone, found, afresh=before is None)
    return len(days)


def ending(runtime: Runtime) -> list[tuple[Purpose, dict[int, int]]]:
    """Return for each purpose how many valid consents run out within 30, 60 and 90 days, the longer counting all."""
    with runtime.db.reading() as session:
        found = rows.ending(session, runtime.db.now(session), within=DAYS_AHEAD)
        known = consent_history.purposes(session)
    purposes = sorted({one.purpose_id for one in found}, key=lambda one: known[one].key)
    return [(known[one], {days: _within(found, one, days) for days in DAYS_AHEAD}) for one in purposes]


def _within(found: Sequence[Ending], purpose_id: int, days: int) -> int:
    return sum(one.count for one in found if one.purpose_id == purpose_id and one.days <= days)


def ask_again(
    runtime: Runtime, *, purpose_id: int, days: int, name: str, staff_id: int | None = None, actor: str
) -> int:
    """Draft a campaign to those whose consent still holds and runs out within *days*; return its id.

    Whoever's consent has run out is not in it, nor becomes reachable by it. *name* is that of the campaign and of its
    audience. Raises InvalidInput, NotFound, Conflict ``no_brand`` for a purpose without a brand.
    """
    if days not in DAYS_AHEAD:
        raise InvalidInput("choose 30, 60 or 90 days", field="days", code="unknown_choice")
    with runtime.db.reading() as session:
        purpose = consent_history.purposes(session).get(purpose_id)
    if purpose is None or not purpose.leaf:
        raise NotFound("There is no such purpose.")
    if purpose.brand_id is None:
        raise Conflict("This purpose has no brand to write for.", code="no_brand")
    rule = {"type": "consent", "purpose": purpose.key, "state": "granted", "ends_within_days": days}
    audience = content.save_audience(runtime, name=name, rule=rule, actor=actor)
    return campaigns.create(
        runtime,
        name=name,
        brand_id=purpose.brand_id,
        purpose_id=purpose.id,
        audience_id=audience,
        staff_id=staff_id,
        actor=actor,
    )


@dataclass(frozen=True, slots=True)
class ByWords:
    """A wording and what happened by it."""

    wording: Wording
    purpose: Purpose
    actions: Mapping[str, int]


def by_words(runtime: Runtime, wording_id: int) -> ByWords:
    """Return a wording and how often people did what by it. Raises NotFound."""
    with runtime.db.reading() as session:
        wording = consent_history.wordings(session, [wording_id]).get(wording_id)
        if wording is None:
            raise NotFound("There is no such wording.")
        purpose = consent_history.purposes(session)[wording.purpose_id]
        return ByWords(wording, purpose, rows.by_action(session, wording_id))
