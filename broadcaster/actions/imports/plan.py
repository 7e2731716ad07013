"""Decide what a chunk of rows changes, given what the database knows: the same for a dry run and for the real one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from broadcaster.actions.imports.reading import Prepared
from broadcaster.actions.imports.report import Reject, Report
from broadcaster.core.finding import words_of
from broadcaster.core.import_codes import Problem
from broadcaster.core.import_known import Known, KnownContact, key_of_act
from broadcaster.core.imports import FoundAddress, FoundConsent, Row

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class Place:
    """An address of the file: one we know, or one to be made."""

    found: FoundAddress
    digests: tuple[bytes, ...]  #: under every index key, the current one first
    id: int | None
    line: int  #: of the row that named it first
    suppressed: bool = False
    people: list[Person] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Person:
    """A contact of the file: one we know, or one to be made. ``changes`` is field -> (before, after)."""

    fields: dict[str, Any]
    line: int  #: of the row that named them first
    known: KnownContact | None = None
    id: int | None = None
    words: tuple[int, ...] = ()
    external: bytes | None = None
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)
    interests: set[str] = field(default_factory=set)


class Act(NamedTuple):
    """A consent event to record."""

    place: Place
    said: FoundConsent
    key: bytes
    line: int


@dataclass(slots=True)
class ChunkPlan:
    """What to write for one chunk."""

    people: list[Person] = field(default_factory=list)  #: to be made
    edited: list[Person] = field(default_factory=list)  #: known, with something new
    places: list[Place] = field(default_factory=list)  #: to be made
    acts: list[Act] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class Planner:
    """Plans one chunk; *report* grows. *seen* says whether an earlier chunk of a dry run had this digest."""

    def __init__(
        self,
        known: Known,
        report: Report,
        *,
        import_id: int,
        existing: Literal["update", "fill", "keep"],
        seen: Any = (),
    ):
        self.known, self.report, self.import_id, self.existing = known, report, import_id, existing
        self.plan = ChunkPlan()
        self._seen = seen
        self._places: dict[bytes, Place] = {}
        self._externals: dict[bytes, Person] = {}
        self._people: dict[int, Person] = {}

    def add(self, prepared: Prepared) -> None:
        """Plan one row."""
        row = prepared.row
        self.report.rows += 1
        if row.refused is not None:
            self._refuse(row, row.refused)
            return
        places = [
            self._place(found, digests, row.line)
            for found, digests in zip(row.addresses, prepared.digests, strict=True)
        ]
        problem = self._forbidden(row, places)
        person = None if problem else self._match(prepared, places)
        if isinstance(person, Problem) or problem is not None:
            self._refuse(row, problem or person)  # type: ignore[arg-type]
            return
        self._note(row.line, row.notes)
        self._apply(prepared, person, places)
        for said in row.consents:
            for number, place in enumerate(places):
                if place.found.channel == said.channel:
                    key = key_of_act(self.import_id, row.number, said.purpose_id, number)
                    self.plan.acts.append(Act(place, said, key, row.line))

    def _refuse(self, row: Row, problem: Problem) -> None:
        self.report.refused += 1
        self.report.refusals[problem.code] += 1
        self.plan.rejects.append(Reject(row.line, problem.field, problem.code, True))
        for note in row.notes:
            self.plan.rejects.append(Reject(row.line, note.field, note.code, False))

    def _note(self, line: int, notes: Iterable[Problem]) -> None:
        for note in notes:
            self.report.notes[note.code] += 1
            self.plan.rejects.append(Reject(line, note.field, note.code, False))

    def _place(self, found: FoundAddress, digests: tuple[bytes, ...], line: int) -> Place:
        place = self._places.get(digests[0])
        if place is None:
            address = _first(self.known.addresses, digests)
            if address is None:
                place = Place(found, digests, None, line)
            else:
                users = self.known.users.get(address[0], ())
                place = Place(found, digests, address[0], line, address[1], [self._person(one, line) for one in users])
            self._places[digests[0]] = place
        return place

    def _person(self, contact_id: int, line: int) -> Person:
        person = self._people.get(contact_id)
        if person is None:
            known = self.known.contacts[contact_id]
            person = Person(known.fields, line, known, known.id)
            self._people[contact_id] = person
        return person

    def _forbidden(self, row: Row, places: Sequence[Place]) -> Problem | None:
        for place in places:
            if place.id is None and not self.known.barred.isdisjoint(place.digests):
                self.report.consent["kept_suppressed"] += sum(1 for said in row.consents if said.yes)
                return Problem(f"address:{place.found.channel}", "suppressed")
        return None

    def _match(self, prepared: Prepared, places: Sequence[Place]) -> Person | Problem | None:
        """Return whom a row is about, None for somebody new."""
        fields = prepared.row.fields
        mine = list({id(one): one for place in places for one in place.people}.values())
        if prepared.externals:
            known = self._by_number(prepared.externals, prepared.row.line)
            if known is not None:
                return self._usable(known)
            mine = [one for one in mine if not one.fields.get("external_id")]
        mine = [one for one in mine if _may_be(one.fields, fields)]
        if len(mine) > 1:
            return Problem("address", "ambiguous_contact")
        return self._usable(mine[0]) if mine else None

    def _by_number(self, externals: tuple[bytes, ...], line: int) -> Person | None:
        if externals[0] in self._externals:
            return self._externals[externals[0]]
        contact_id = _first(self.known.externals, externals)
        return None if contact_id is None else self._person(contact_id, line)

    def _usable(self, person: Person) -> Person | Problem:
        restricted = person.known is not None and person.known.restricted
        return Problem("contact", "contact_restricted") if restricted else person

    def _apply(self, prepared: Prepared, person: Person | None, places: Sequence[Place]) -> None:
        fields = prepared.row.fields
        if person is None:
            person = self._create(prepared, places)
        elif person.known is None or person.known.import_id == self.import_id:
            self.report.repeated += 1
            self._merge(person, fields, count=False)
        else:
            before = len(person.changes) + len(person.groups) + len(person.interests) + len(person.places)
            self._merge(person, fields, count=True)
            self._link(person, places)
            after = len(person.changes) + len(person.groups) + len(person.interests) + len(person.places)
            if after > before:
                self.report.changed += 1
            else:
                self.report.unchanged += 1
        self._link(person, places)
        if prepared.externals and (person.known is None or "external_id" in person.changes):
            person.external = prepared.externals[0]
            self._externals[prepared.externals[0]] = person

    def _create(self, prepared: Prepared, places: Sequence[Place]) -> Person:
        fields = prepared.row.fields
        plain = {name: value for name, value in fields.items() if name not in ("groups", "interests")}
        external = prepared.externals[0] if prepared.externals else None
        person = Person(plain, prepared.row.line, words=prepared.words, external=external)
        person.groups.update(fields.get("groups", ()))
        person.interests.update(fields.get("interests", ()))
        self.plan.people.append(person)
        if self._seen and any(place.digests[0] in self._seen for place in places):
            self.report.repeated += 1
        else:
            self.report.created += 1
        return person

    def _link(self, person: Person, places: Sequence[Place]) -> None:
        for place in places:
            if person in place.people:
                continue
            if person.known is not None and (person.known.id, place.id) in self.known.closed:
                continue  # taken away from this contact once: a file does not give it back
            place.people.append(person)
            person.places.append(place)
            if place.id is None and len(place.people) == 1:
                self.plan.places.append(place)
                if not (self._seen and place.digests[0] in self._seen):
                    self.report.addresses += 1
            if person.known is not None:
                self._edited(person)
                self.report.fields["addresses"] += 1

    def _merge(self, person: Person, fields: Mapping[str, Any], *, count: bool) -> None:
        if self.existing == "keep" and person.known is not None:
            return
        for name, value in fields.items():
            if name in ("groups", "interests"):
                self._join(person, name, value)
            elif name == "attributes":
                told = person.fields.get("attributes") or {}
                wanted = value if self.existing == "update" else {k: v for k, v in value.items() if told.get(k) is None}
                self._set(person, name, {**told, **wanted}, count=count)
            elif self.existing == "update" or person.fields.get(name) in (None, ""):
                self._set(person, name, value, count=count)

    def _set(self, person: Person, name: str, value: Any, *, count: bool) -> None:
        before = person.fields.get(name)
        if before == value or (name == "attributes" and not before and not value):
            return
        person.fields = {**person.fields, name: value}
        if person.known is None:
            return
        first = person.changes[name][0] if name in person.changes else before
        if count and name not in person.changes:
            self.report.fields[name] += 1
        person.changes[name] = (first, value)
        self._edited(person)

    def _join(self, person: Person, name: str, keys: Iterable[str]) -> None:
        known = person.known
        had = (known.groups if name == "groups" else known.interests) if known is not None else set()
        new = set(keys) - had - (person.groups if name == "groups" else person.interests)
        if not new:
            return
        (person.groups if name == "groups" else person.interests).update(new)
        if known is not None:
            self.report.fields[name] += 1
            self._edited(person)

    def _edited(self, person: Person) -> None:
        if person not in self.plan.edited:
            self.plan.edited.append(person)


def _first(known: Mapping[bytes, _T], digests: Iterable[bytes]) -> _T | None:
    return next((known[one] for one in digests if one in known), None)


def _may_be(known: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Say whether two names may be one person's: a shared mailbox has several people, and they are not overwritten."""
    ours, theirs = set(words_of(known)), set(words_of(told))
    return not ours or not theirs or bool(ours & theirs)
