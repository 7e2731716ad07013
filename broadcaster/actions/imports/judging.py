"""Decide what becomes of each consent a file tells: recorded, recorded without effect, or nothing new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from broadcaster.actions.imports.plan import Act, Place
from broadcaster.actions.imports.report import Reject, Report
from broadcaster.core import consent
from broadcaster.core.addresses import phone_facts
from broadcaster.core.consent import Action, Actor, ConsentEvent, Source, Standing, State
from broadcaster.core.import_known import keys_of
from broadcaster.core.law.ends import Ends

CLOCK = "import"


@dataclass(slots=True)
class Judge:
    """Says what becomes of each consent of a chunk. *told* holds the events of the addresses we know."""

    told: Mapping[int, list[ConsentEvent]]
    paths: Mapping[int, Sequence[int]]
    import_id: int
    now: datetime
    report: Report
    rejects: list[Reject]
    ends: Ends = field(default_factory=Ends)
    _events: dict[int, list[ConsentEvent]] = field(default_factory=dict)
    _states: dict[int, dict[int, State]] = field(default_factory=dict)
    _number: int = 0

    def judge(self, act: Act) -> tuple[ConsentEvent, bool] | None:
        """Return the event to record and whether it is ineffective; None if there is nothing to record."""
        place, said = act.place, act.said
        where = "consent"
        if said.yes and place.suppressed:
            # in the ledger it would open as soon as the person lifts the suppression for something else
            self._count(act, "kept_suppressed", where)
            return None
        events = self._events.setdefault(id(place), list(self.told.get(place.id or 0, ())))
        self._number -= 1
        event = event_of(act, self._number, self.now, self.ends)
        if any(_same(event, one) for one in events):
            self.report.consent["already"] += 1
            return None
        self._opposite(act, event, events)
        events.append(event)
        self._states.pop(id(place), None)
        if not said.yes:
            self.report.consent["withdrawn"] += 1
            return event, False
        state = self.states(place).get(said.purpose_id)
        if state is not None and state.standing is Standing.GRANTED:
            self.report.consent["granted"] += 1
            return event, False
        self._count(act, _why(state), where)
        return event, True

    def states(self, place: Place) -> dict[int, State]:
        """Return where consent stands at an address after what was judged so far."""
        known = self._states.get(id(place))
        if known is None:
            known = consent.fold(self._events.get(id(place), ()), paths=self.paths)
            self._states[id(place)] = known
        return known

    def _count(self, act: Act, code: str, where: str) -> None:
        self.report.consent[code] += 1
        self.report.consent["ineffective"] += code != "ineffective"
        self.rejects.append(Reject(act.line, where, code, False))

    def _opposite(self, act: Act, event: ConsentEvent, events: Sequence[ConsentEvent]) -> None:
        if not events:
            return
        mine = keys_of(self.import_id)[0].hex()
        for other in events:
            same = other.purpose_id == event.purpose_id and other.key.startswith(mine)
            if same and (other.action in consent.GRANTS) != (event.action in consent.GRANTS):
                self.report.notes["consent_opposite"] += 1
                self.rejects.append(Reject(act.line, "consent", "consent_opposite", False))
                return


def _why(state: State | None) -> str:
    refused = state is not None and state.standing in (Standing.WITHDRAWN, Standing.OBJECTED)
    return "kept_withdrawn" if refused else "ineffective"


def _same(event: ConsentEvent, other: ConsentEvent) -> bool:
    """Say whether an earlier import told this already."""
    told = (event.action, event.purpose_id, event.source)
    if told != (other.action, other.purpose_id, other.source):
        return False
    return event.occurred_at == other.occurred_at or event.action is Action.WITHDRAWN


def event_of(act: Act, number: int, now: datetime, ends: Ends) -> ConsentEvent:
    """Return the consent event an act amounts to; staff says so, not the person.

    Of an address we know, the ledger itself computes the end when it records.
    """
    at = consent.effective_time(act.said.at, now)
    fresh = ends.months and act.said.yes and act.place.id is None
    return ConsentEvent(
        id=number,
        key=act.key.hex(),
        action=Action.GRANTED if act.said.yes else Action.WITHDRAWN,
        purpose_id=act.said.purpose_id,
        occurred_at=at,
        received_at=now,
        clock=CLOCK,
        actor=Actor.STAFF,
        source=Source.IMPORT,
        expires_at=_end(act, at, ends) if fresh else None,
    )


def _end(act: Act, at: datetime, ends: Ends) -> datetime | None:
    """Return when a consent at a new address runs out, by the row of whoever uses it."""
    found = act.place.found
    told = [(one.fields.get("kind"), one.fields.get("country")) for one in act.place.people] or [(None, None)]
    users = [
        (kind or "consumer", country or (phone_facts(found.value)[0] if found.kind == "phone" else None))
        for kind, country in told
    ]
    return ends.end(at, purpose_id=act.said.purpose_id, channel=found.channel, people=users)
