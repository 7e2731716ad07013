"""Write one planned chunk by bulk statements, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions import consent as consents
from broadcaster.actions.consent import Recorded
from broadcaster.actions.imports.judging import CLOCK, Judge
from broadcaster.actions.imports.plan import Act, ChunkPlan, Person, Place
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import ConsentEvent
from broadcaster.core.contacts import SECRET_FIELDS
from broadcaster.core.events import Json
from broadcaster.storage import consent as ledger
from broadcaster.storage import contacts, people
from broadcaster.storage import imports as rows
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.database import allocate
from broadcaster.storage.imports import KnownContact, NewContact
from broadcaster.storage.people import NewAddress


class Writer:
    """Writes a chunk: addresses, contacts, links, history, consent. The caller writes the log event and commits."""

    def __init__(self, runtime: Runtime, session: Session, *, import_id: int, sha256: str, now: datetime):
        self.runtime, self.session, self.now = runtime, session, now
        self.import_id, self.sha256 = import_id, sha256
        actor = str(session.info.get("actor", ""))
        self.staff_id = int(actor.removeprefix("staff:")) if actor.startswith("staff:") else None

    def write(self, plan: ChunkPlan, judge: Judge) -> Recorded:
        """Write everything; return what became of consent at addresses we knew (to be waited out after the commit)."""
        keys = self._addresses(plan.places)
        ids = self._contacts(plan.people)
        ids |= {id(person): person.known.id for person in plan.edited if person.known is not None}
        everyone = [*plan.people, *plan.edited]
        pairs = [(ids[id(person)], place.id) for person in everyone for place in person.places if place.id is not None]
        rows.insert_links(self.session, pairs, import_id=self.import_id, now=self.now)
        self._memberships(everyone, ids)
        self._edits([person for person in plan.edited if person.known is not None])
        recorded = self._consents(plan.acts, judge, keys)
        rows.insert_rejects(self.session, self.import_id, plan.rejects)
        return recorded

    def _addresses(self, places: Sequence[Place]) -> dict[int, bytes]:
        new = [NewAddress(place.found.channel, None, place.found.kind, place.found.value) for place in places]
        made = people.create_addresses(
            self.session,
            self.runtime.keys,
            new,
            now=self.now,
            import_id=self.import_id,
            digests=[place.digest for place in places],
        )
        for place, (address_id, _) in zip(places, made, strict=True):
            place.id = address_id
        return dict(made)

    def _contacts(self, new: Sequence[Person]) -> dict[int, int]:
        ids = allocate(self.session, "contact", len(new))
        made = [NewContact(person.fields, person.words, person.external) for person in new]
        rows.insert_contacts(self.session, self.runtime.keys, made, ids, import_id=self.import_id, now=self.now)
        return {id(person): contact_id for person, contact_id in zip(new, ids, strict=True)}

    def _memberships(self, everyone: Sequence[Person], ids: Mapping[int, int]) -> None:
        groups = {key for person in everyone for key in person.groups}
        if groups:
            known = contacts.group_ids(self.session)
            pairs = [(known[key], ids[id(person)]) for person in everyone for key in sorted(person.groups)]
            rows.insert_members(self.session, pairs, import_id=self.import_id)
        if any(person.interests for person in everyone):
            known = contacts.interest_ids(self.session)
            pairs = [(known[key], ids[id(person)]) for person in everyone for key in sorted(person.interests)]
            rows.insert_interests(self.session, pairs)

    def _edits(self, edited: Sequence[Person]) -> None:
        plain: list[tuple[int, dict[str, Any]]] = []
        history: list[tuple[KnownContact, str, Any, Any]] = []
        for person in edited:
            known = person.known
            assert known is not None, "only contacts we know are edited"
            changes = self._history(person, known)
            if changes and (known.key is None or any(name in SECRET_FIELDS for name in person.changes)):
                self._secrets(person, known)
            values = {name: after for name, (_, after) in person.changes.items() if name not in SECRET_FIELDS}
            if changes:
                plain.append((known.id, values))
            history.extend((known, *change) for change in changes)
        rows.update_plain(self.session, plain, now=self.now)
        rows.insert_history(self.session, self.runtime.keys, history, import_id=self.import_id, now=self.now)

    def _history(self, person: Person, known: KnownContact) -> list[tuple[str, Any, Any]]:
        changes = [(name, before, after) for name, (before, after) in person.changes.items()]
        if person.interests:
            changes.append(("interests", sorted(known.interests), sorted(known.interests | person.interests)))
        return changes

    def _secrets(self, person: Person, known: KnownContact) -> None:
        row = contacts.get(self.session, known.id, lock=True)
        contacts.put_secrets(
            self.session, self.runtime.keys, row, {name: person.fields.get(name) for name in SECRET_FIELDS}
        )
        self.session.flush()
        known.key = contacts.key_of(self.session, self.runtime.keys, row)

    def _consents(self, acts: Sequence[Act], judge: Judge, keys: Mapping[int, bytes]) -> Recorded:
        fresh: list[tuple[Act, ConsentEvent, bool]] = []
        known: list[NewConsent] = []
        for act in acts:
            verdict = judge.judge(act)
            if verdict is None:
                continue
            if act.place.id in keys:
                fresh.append((act, *verdict))
            else:
                known.append(self._new(act, *verdict))
        self._append(fresh, judge, keys)
        return consents.record_in(self.runtime, self.session, known) if known else Recorded()

    def _append(self, fresh: Sequence[tuple[Act, ConsentEvent, bool]], judge: Judge, keys: Mapping[int, bytes]) -> None:
        """Record consent at addresses this chunk made: their state needs no look at the ledger."""
        ids = ledger.append(self.session, [self._new(*one, full=True) for one in fresh], person_keys=keys, at=self.now)
        numbers = {event.id: event_id for (_, event, _), event_id in zip(fresh, ids, strict=True)}
        places = {id(act.place): act.place for act, _, _ in fresh}
        states = {
            place.id: {
                purpose: replace(state, event_id=numbers[state.event_id])
                for purpose, state in judge.states(place).items()
            }
            for place in places.values()
            if place.id is not None
        }
        ledger.write_states(self.session, states)

    def _new(self, act: Act, event: ConsentEvent, ineffective: bool, *, full: bool = False) -> NewConsent:
        said, place = act.said, act.place
        evidence: dict[str, Json] = {
            "source": said.origin,
            "evidence": said.evidence,
            "file": self.sha256,
            "line": act.line,
        }
        if full:  # ``record_in`` adds these itself
            evidence |= {"address": place.found.value, "channel": place.found.channel}
        assert place.id is not None, "written before"
        return NewConsent(
            key=act.key,
            address_id=place.id,
            purpose_id=event.purpose_id,
            action=event.action,
            actor=event.actor,
            source=event.source,
            occurred_at=event.occurred_at,
            clock=CLOCK,
            evidence=evidence,
            wording_id=said.wording_id,
            staff_id=self.staff_id,
            import_id=self.import_id,
            ineffective=ineffective,
        )
