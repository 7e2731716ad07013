"""The rules of an import: what one row of a file says, what of it counts, and why the rest does not.

A *note* drops one value and keeps the row; a *refusal* drops the row. Neither quotes a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from broadcaster.core import contacts
from broadcaster.core.addresses import Kind, normalise
from broadcaster.core.contacts import Attribute
from broadcaster.core.errors import InvalidInput
from broadcaster.core.import_codes import Problem
from broadcaster.core.import_columns import Cell, ConsentRule, answer
from broadcaster.core.import_columns import Mapping as Columns
from broadcaster.core.import_dates import parse_moment

MAX_EVIDENCE = 1000
_LATE = timedelta(minutes=5)  #: clocks differ
_OLDEST = 1970


class FoundAddress(NamedTuple):
    channel: str
    kind: Kind
    value: str


class FoundConsent(NamedTuple):
    """What a row says of consent. ``wording_id`` and ``origin`` belong to a yes; a no has neither."""

    purpose_id: int
    channel: str
    yes: bool
    at: datetime | None
    wording_id: int | None
    origin: str
    evidence: str


class Row(NamedTuple):
    """One row of a file: ``number`` counts records from 1, ``line`` is where it begins in the file."""

    number: int
    line: int
    fields: dict[str, Any]
    addresses: tuple[FoundAddress, ...]
    consents: tuple[FoundConsent, ...]
    notes: tuple[Problem, ...]
    refused: Problem | None


@dataclass(frozen=True, slots=True)
class PurposeFacts:
    """A purpose as an import needs it: *wordings* is (version, language) -> id."""

    id: int
    leaf: bool
    wordings: Mapping[tuple[int, str], int]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a file may refer to, by the keys people write: attributes, purposes, groups and interests with their ids."""

    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    purposes: Mapping[str, PurposeFacts] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    interests: Mapping[str, int] = field(default_factory=dict)


def check_mapping(mapping: Columns, catalogue: Catalogue) -> None:
    """Raise InvalidInput unless everything the mapping refers to exists, and a yes can be recorded where it is asked.

    Codes: ``unknown_attribute``, ``unknown_group``, ``unknown_purpose``, ``purpose_not_leaf``.
    """
    for target in mapping.columns:
        if target.startswith("attribute:") and target.removeprefix("attribute:") not in catalogue.attributes:
            raise InvalidInput("There is no such field of contacts.", code="unknown_attribute", field=target)
    for group in mapping.groups:
        if group not in catalogue.groups:
            raise InvalidInput("There is no such group.", code="unknown_group", field="groups")
    for rule in mapping.consents:
        purpose = catalogue.purposes.get(rule.purpose)
        if purpose is None:
            raise InvalidInput("There is no such purpose.", code="unknown_purpose", field=rule.purpose[:60])
        if not purpose.leaf and not rule.refuses_only:
            message = "Consent is given for one purpose, not for a family of them."
            raise InvalidInput(message, code="purpose_not_leaf", field=rule.purpose)


class RowReader:
    """Reads the rows of one file; *places* says where each column is (``import_columns.check_header``)."""

    def __init__(self, places: Mapping[str, int], width: int, mapping: Columns, catalogue: Catalogue, now: datetime):
        self.width, self.mapping, self.catalogue, self.now = width, mapping, catalogue, now
        self._zone = ZoneInfo(mapping.time_zone)
        self._today = now.date()
        columns = {target: places[name] for target, name in sorted(mapping.columns.items())}  # stored, it has no order
        self._country = columns.pop("country", None)
        self._addresses = [
            (target.removeprefix("address:").partition("#")[0], place)
            for target, place in columns.items()
            if target.startswith("address:")
        ]
        self._kinds = {channel: contacts.address_kind(channel) for channel, _ in self._addresses}
        self._columns = [(target, place) for target, place in columns.items() if not target.startswith("address:")]
        self._rules = [
            (rule, purpose := catalogue.purposes[rule.purpose], _ConsentCells.of(rule, purpose, places))
            for rule in mapping.consents
        ]

    def read(self, number: int, line: int, cells: Sequence[str]) -> Row:
        """Return what the row says. Never raises: what is wrong is in its notes or its refusal."""
        notes: list[Problem] = []
        if len(cells) != self.width:
            return Row(number, line, {}, (), (), (), Problem("row", "row_width"))
        fields = self._fields(cells, notes)
        addresses = self._found_addresses(cells, fields.get("country"), notes)
        if not addresses and "external_id" not in fields:
            first = next(
                (note for note in notes if note.field.startswith("address:")), Problem("address", "no_address")
            )
            return Row(number, line, {}, (), (), (), first)
        consents = tuple(
            found
            for rule, purpose, at in self._rules
            if (found := self._consent(rule, purpose, at, cells, fields, addresses, notes)) is not None
        )
        return Row(number, line, fields, addresses, consents, tuple(notes), None)

    def _fields(self, cells: Sequence[str], notes: list[Problem]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        country = cells[self._country] if self._country is not None else ""
        if country.strip():
            _try(notes, "country", lambda: fields.__setitem__("country", contacts.clean_country(country)))
        elif self.mapping.country is not None:
            fields["country"] = self.mapping.country
        for target, place in self._columns:
            text = cells[place]
            if text and not text.isspace():
                self._field(fields, target, text, notes)
        if self.mapping.language is not None:
            fields.setdefault("language", self.mapping.language)
        if self.mapping.groups:
            fields["groups"] = tuple(dict.fromkeys((*fields.get("groups", ()), *self.mapping.groups)))
        return fields

    def _field(self, fields: dict[str, Any], target: str, text: str, notes: list[Problem]) -> None:
        try:
            if target in contacts.FIELDS:
                fields[target] = contacts.clean_field(target, text, self._today)
            elif target == "name":
                first, _, last = contacts.clean_text(text, name="name", most=contacts.MAX_NAME).partition(" ")
                fields.setdefault("first_name", first)
                if last:
                    fields.setdefault("last_name", last.strip())
            elif target in ("groups", "interests"):
                self._keys(fields, target, text, notes)
            else:
                key = target.removeprefix("attribute:")
                value = contacts.clean_attribute(self.catalogue.attributes[key], text)
                fields.setdefault("attributes", {})[key] = value
        except InvalidInput as problem:
            notes.append(Problem(target, problem.code))

    def _keys(self, fields: dict[str, Any], target: str, text: str, notes: list[Problem]) -> None:
        known = self.catalogue.groups if target == "groups" else self.catalogue.interests
        told = [one.strip() for one in re.split(r"[;,|]", text) if one.strip()][:50]
        if any(one not in known for one in told):
            notes.append(Problem(target, f"unknown_{target.removesuffix('s')}"))
        fields[target] = tuple(dict.fromkeys(one for one in told if one in known))

    def _found_addresses(
        self, cells: Sequence[str], country: str | None, notes: list[Problem]
    ) -> tuple[FoundAddress, ...]:
        found: list[FoundAddress] = []
        for channel, place in self._addresses:
            text = cells[place]
            if not text or text.isspace():
                continue
            try:
                kind = self._kinds[channel]
                one = FoundAddress(channel, kind, normalise(kind, text, region=country or self.mapping.region))
            except InvalidInput as problem:
                notes.append(Problem(f"address:{channel}", problem.code))
            else:
                if one not in found:
                    found.append(one)
        return tuple(found)

    def _consent(
        self,
        rule: ConsentRule,
        purpose: PurposeFacts,
        at: _ConsentCells,
        cells: Sequence[str],
        fields: Mapping[str, Any],
        addresses: Sequence[FoundAddress],
        notes: list[Problem],
    ) -> FoundConsent | None:
        said = at.answer(cells)
        evidence = at.evidence(cells).strip()
        yes = (True if evidence else None) if not rule.answer.given else answer(said)
        where = f"consent:{rule.purpose}"
        if yes is None:
            notes.append(Problem(where, "consent_unclear" if said.strip() else "consent_empty"))
            return None
        if all(address.channel != rule.channel for address in addresses):
            notes.append(Problem(where, "consent_no_address"))
            return None
        yes = yes is not rule.inverted
        told = at.date(cells).strip()
        moment = parse_moment(told, yes, self._zone, self.mapping.date_order) if told else None
        if not yes:
            return FoundConsent(purpose.id, rule.channel, False, moment, None, at.source(cells)[:200], evidence[:1000])
        wording = at.wordings(at.wording(cells).strip(), fields.get("language"))
        origin = at.source(cells).strip()
        missing = self._missing(told, moment, wording, origin, evidence, fields.get("birth_year"))
        if missing:
            notes.extend(Problem(where, code) for code in missing)
            return None
        return FoundConsent(purpose.id, rule.channel, True, moment, wording, origin[:200], evidence)

    def _missing(
        self, told: str, at: datetime | None, wording: int | None, origin: str, evidence: str, born: int | None
    ) -> list[str]:
        """Return why a yes does not count; nothing if it does."""
        found = []
        if at is None:
            found.append("consent_date" if told else "consent_no_date")
        elif at > self.now + _LATE:
            found.append("consent_future")
        elif at.year < _OLDEST or (born is not None and at.year <= born):
            found.append("consent_before_birth" if born is not None and at.year <= born else "consent_date")
        if wording is None:
            found.append("consent_no_wording")
        if not origin:
            found.append("consent_no_source")
        if not evidence or len(evidence) > MAX_EVIDENCE or not _storable(evidence):
            found.append("consent_evidence" if evidence else "consent_no_evidence")
        return found


def _storable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _try(notes: list[Problem], target: str, act: Callable[[], None]) -> None:
    try:
        act()
    except InvalidInput as problem:
        notes.append(Problem(target, problem.code))


@dataclass(frozen=True, slots=True)
class _ConsentCells:
    answer: Callable[[Sequence[str]], str]
    date: Callable[[Sequence[str]], str]
    wording: Callable[[Sequence[str]], str]
    source: Callable[[Sequence[str]], str]
    evidence: Callable[[Sequence[str]], str]
    wordings: Callable[[str, str | None], int | None]  #: (what a row says, its language) -> id of the wording

    @classmethod
    def of(cls, rule: ConsentRule, purpose: PurposeFacts, places: Mapping[str, int]) -> _ConsentCells:
        return cls(
            answer=_getter(rule.answer, places),
            date=_getter(rule.date, places),
            wording=_getter(rule.wording, places),
            source=_getter(rule.source, places),
            evidence=_getter(rule.evidence, places),
            wordings=lru_cache(maxsize=256)(partial(_wording, purpose)),
        )


def _getter(cell: Cell, places: Mapping[str, int]) -> Callable[[Sequence[str]], str]:
    if not cell.column:
        return lambda _cells: cell.value
    place = places[cell.column]
    return lambda cells: cells[place] or cell.value


def _wording(purpose: PurposeFacts, text: str, language: str | None) -> int | None:
    """Return the id of the wording a row names: ``id:12``, ``3/fr``, or ``3`` in the row's language or the only one."""
    if text.startswith("id:"):
        wanted = text.removeprefix("id:")
        return next((one for one in purpose.wordings.values() if str(one) == wanted), None)
    version, _, named = text.removeprefix("v").partition("/")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        return None
    number = int(version)
    if named:
        return purpose.wordings.get((number, named))
    candidates = {lang: one for (v, lang), one in purpose.wordings.items() if v == number}
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    return candidates.get(language or "") or candidates.get((language or "").partition("-")[0])
