"""Turn a plan into rows: everything new in it gets its ids and keys, is sealed and committed to. No database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from broadcaster.actions.imports.judging import CLOCK, Judge
from broadcaster.actions.imports.plan import Act, ChunkPlan, Person, Place
from broadcaster.core.consent import ConsentEvent
from broadcaster.core.consent_rows import NewConsent, consent_rows, state_row
from broadcaster.core.events import SALT_BYTES, Json
from broadcaster.core.imports import Catalogue
from broadcaster.core.keys import KEY_BYTES, KeyRing
from broadcaster.core.sealing import NewAddress, Values, address_row, contact_row, key_row, stored

Tables = dict[str, list[Values]]
#: An act, the event it amounts to, and whether that is without effect.
Verdict = tuple[Act, ConsentEvent, bool]


class Stock(NamedTuple):
    """Ids that nobody else has, and the time that stands in the rows made with them."""

    keys: Sequence[int]
    addresses: Sequence[int]
    contacts: Sequence[int]
    events: Sequence[int]
    entry: int  #: of the leaf over the consent events
    at: datetime


@dataclass(frozen=True, slots=True)
class Sealer:
    """Makes the rows of one import."""

    ring: KeyRing
    catalogue: Catalogue
    import_id: int
    sha256: str
    staff_id: int | None
    chance: Callable[[int], bytes]  #: secrets.token_bytes

    def seal(self, plan: ChunkPlan, verdicts: Sequence[Verdict], judge: Judge, stock: Stock) -> Tables:
        """Return the rows of what is new: people, places, and the *verdicts*, which are about these places."""
        tables: Tables = {}
        keys = self._keys(len(plan.places) + len(plan.people), stock.keys, tables)
        of_place = self._places(plan.places, keys, stock, tables)
        self._people(plan.people, keys, stock, tables)
        self._consents(verdicts, of_place, judge, stock, tables)
        return tables

    def _keys(self, count: int, ids: Sequence[int], tables: Tables) -> Iterator[tuple[int, bytes]]:
        chance = self.chance(KEY_BYTES * count)
        made = [(ids[n], chance[KEY_BYTES * n : KEY_BYTES * (n + 1)]) for n in range(count)]
        tables["person_key"] = [key_row(self.ring, *one) for one in made]
        return iter(made)

    def _places(
        self, places: Sequence[Place], keys: Iterator[tuple[int, bytes]], stock: Stock, tables: Tables
    ) -> dict[int, bytes]:
        of_place: dict[int, bytes] = {}
        made, at = tables.setdefault("address", []), stored(stock.at)
        for place, address_id in zip(places, stock.addresses, strict=False):
            key, found = next(keys), place.found
            new = NewAddress(found.channel, None, found.kind, found.value)
            made.append(address_row(new, address_id, key, digest=place.digests[0], at=at, import_id=self.import_id))
            place.id, of_place[address_id] = address_id, key[1]
        return of_place

    def _people(
        self, people: Sequence[Person], keys: Iterator[tuple[int, bytes]], stock: Stock, tables: Tables
    ) -> None:
        made, words, at = tables.setdefault("contact", []), tables.setdefault("contact_word", []), stored(stock.at)
        for person, contact_id in zip(people, stock.contacts, strict=False):
            person.id = contact_id
            row = contact_row(
                person.fields, contact_id, next(keys), external=person.external, at=at, import_id=self.import_id
            )
            made.append(row)
            words.extend([(word, contact_id) for word in person.words])
        self.ties(people, tables, at=stock.at)

    def ties(self, people: Sequence[Person], tables: Tables, *, at: datetime) -> None:
        """Add the rows that tie people to places, groups and interests; all of them have ids by now."""
        links, when = tables.setdefault("contact_address", []), stored(at)
        groups, interests = tables.setdefault("group_member", []), tables.setdefault("contact_interest", [])
        for person in people:
            links.extend([(person.id, place.id, False, self.import_id, when) for place in person.places])
            if person.groups:
                known = self.catalogue.groups
                groups.extend([(known[key], person.id, self.import_id) for key in sorted(person.groups)])
            if person.interests:
                interests.extend([(self.catalogue.interests[key], person.id) for key in sorted(person.interests)])

    def _consents(
        self, verdicts: Sequence[Verdict], keys: Mapping[int, bytes], judge: Judge, stock: Stock, tables: Tables
    ) -> None:
        salts = self.chance(SALT_BYTES * len(verdicts))
        skeletons, evidence = tables.setdefault("consent_event", []), tables.setdefault("consent_evidence", [])
        numbers: dict[int, int] = {}
        for n, (verdict, event_id) in enumerate(zip(verdicts, stock.events, strict=False)):
            new = self.consent(*verdict, full=True)
            salt, key = salts[SALT_BYTES * n : SALT_BYTES * (n + 1)], keys[new.address_id]
            rows = consent_rows(event_id, new, at=stock.at, key=key, salt=salt, entry_id=stock.entry)
            skeletons.append(rows[0])
            evidence.append(rows[1])
            numbers[verdict[1].id] = event_id
        states = tables.setdefault("consent_state", [])
        for place in {id(act.place): act.place for act, _, _ in verdicts}.values():
            told = judge.states(place).values()
            states.extend([state_row(place.id or 0, state, numbers[state.event_id]) for state in told])

    def consent(self, act: Act, event: ConsentEvent, ineffective: bool, *, full: bool = False) -> NewConsent:
        """Return an act as the ledger takes it; *full*: with the address, which ``record_in`` adds by itself."""
        said, place = act.said, act.place
        evidence: dict[str, Json] = {
            "source": said.origin,
            "evidence": said.evidence,
            "file": self.sha256,
            "line": act.line,
        }
        if full:
            evidence |= {"address": place.found.value, "channel": place.found.channel}
        assert place.id is not None, "given before"
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
            expires_at=event.expires_at,
            wording_id=said.wording_id,
            staff_id=self.staff_id,
            import_id=self.import_id,
            ineffective=ineffective,
        )
