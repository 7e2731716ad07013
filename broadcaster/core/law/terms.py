"""What the rows come to for one country, with the organisation's own stricter ones, and whom they keep us from."""

from __future__ import annotations

import calendar
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from broadcaster.core.consent import Basis
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law.own import Own
from broadcaster.core.law.rows import EVERYWHERE, BasisRow, Months, Part, rules


@dataclass(frozen=True, slots=True)
class Person:
    """What the law asks about a contact. ``birth_year`` None: not known, and then no minor."""

    kind: str
    country: str | None
    birth_year: int | None = None
    profession: str | None = None
    last_contact_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The law of one place. Months of 0: no end."""

    place: str
    bases: tuple[BasisRow, ...]
    age: int
    inactive_months: int

    def life(self, basis: str, *, kind: str, channel: str) -> int | None:
        """Return for how many months a basis holds, 0 until it is taken back, None where it does not hold at all."""
        found = [row.months for row in self.bases if row.basis == basis and row.fits(kind, channel)]
        return found[0] if found else None


@dataclass(frozen=True)
class Law:
    """The rows with what the organisation asks beyond them.

    ``own`` by country; ``roles`` are the professions a purpose is relevant to, in small letters: without any, no
    business interest holds. *applies* False: not for messages that are no marketing.
    """

    own: Mapping[str, Own] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    applies: bool = True

    @cached_property
    def places(self) -> Mapping[str, Terms]:
        """Return the terms of every country with rows of its own or of its group, and of everywhere else (``*``)."""
        told = rules()
        named = {row.place for row in (*told.basis, *told.age, *told.inactivity)} | set(self.own)
        countries = {name for name in named if name not in told.groups}
        countries.update(*(told.members(group) for group in told.groups))
        return {one: _terms(one, self.own.get(one, Own())) for one in sorted(countries | {EVERYWHERE})}

    def of(self, country: str | None) -> Terms:
        return self.places.get(country or EVERYWHERE) or self.places[EVERYWHERE]

    def refusal(self, person: Person, *, channel: str, basis: str, since: datetime, now: datetime) -> Reason | None:
        """Say why a consent that stands since *since* does not hold for this person at *now*, None if it does."""
        if not self.applies:
            return None
        terms = self.of(person.country)
        if person.birth_year is not None and now.year - person.birth_year <= terms.age:
            return Reason.MINOR
        months = terms.life(basis, kind=person.kind, channel=channel)
        if months is None or not self.relevant(basis, person):
            return Reason.NO_BASIS
        if months and since <= months_before(now, months):
            return Reason.EXPIRED
        last = since if person.last_contact_at is None else max(since, person.last_contact_at)
        if terms.inactive_months and last <= months_before(now, terms.inactive_months):
            return Reason.EXPIRED
        return None

    def relevant(self, basis: str, person: Person) -> bool:
        """Say whether a business interest is one: a professional in a role the purpose concerns."""
        if basis != Basis.B2B_INTEREST:
            return True
        return person.kind == "professional" and (person.profession or "").strip().lower() in self.roles

    def footer(self, countries: Collection[str], channel: str) -> frozenset[Part]:
        """Return the parts that a message on *channel* to these countries must hold."""
        told = rules()
        found: set[Part] = set()
        for country in countries:
            rows = {row.place: row for row in told.footer if row.on(channel)}
            found.update(next((rows[place].parts for place in told.reach(country) if place in rows), ()))
            found.update(self.own.get(country, Own()).parts)
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a soft opt-in rests on: what was bought, of which family, and that a refusal was offered at that moment."""

    order: str
    family: str
    refusal_offered: bool

    def evidence(self) -> dict[str, Any]:
        return {"order": self.order, "product_family": self.family, "refusal_offered": self.refusal_offered}


def check_recordable(law: Law, person: Person, *, channel: str, basis: Basis, offer: Offer | None) -> None:
    """Raise InvalidInput, naming the field and the rule's source, unless *basis* may be recorded for this person.

    Code ``basis_closed``: not here; ``basis_role``: no professional in a relevant role; ``basis_offer``: a soft opt-in
    without what it rests on.
    """
    if not law.applies:
        return
    terms = law.of(person.country)
    if terms.life(basis, kind=person.kind, channel=channel) is None:
        source = next((row.source for row in terms.bases if row.basis == basis), terms.bases[0].source)
        raise InvalidInput(
            f"this ground may not be recorded for this person on this channel: {source}",
            field="basis",
            code="basis_closed",
        )
    source = next(row.source for row in terms.bases if row.basis == basis)
    if not law.relevant(basis, person):
        raise InvalidInput(
            f"only for a professional in a role the purpose concerns: {source}", field="basis", code="basis_role"
        )
    if basis is not Basis.SOFT_OPT_IN:
        return
    missing = {
        "order": offer is None or not offer.order.strip(),
        "family": offer is None or not offer.family.strip(),
        "refusal_offered": offer is None or not offer.refusal_offered,
    }
    for name, lacks in missing.items():
        if lacks:
            raise InvalidInput(f"a soft opt-in rests on a sale: {source}", field=name, code="basis_offer")


def _terms(country: str, own: Own) -> Terms:
    """Gather a country's rows: of each kind those of the nearest place that has some; consent holds everywhere."""
    told, reach = rules(), rules().reach(None if country == EVERYWHERE else country)
    nearest = next(place for place in reach if any(row.place == place for row in told.basis))
    bases = [row for row in told.basis if row.place in (nearest, EVERYWHERE) and row.basis not in own.without]
    age = next(row.years for place in reach for row in told.age if row.place == place)
    inactive = next((row.months for place in reach for row in told.inactivity if row.place == place), 0)
    return Terms(
        country,
        tuple(_limited(row, own) for row in bases),
        max(age, own.age or 0),
        _shorter(inactive, own.inactive_months),
    )


def _limited(row: BasisRow, own: Own) -> BasisRow:
    return row.model_copy(update={"months": _shorter(row.months, own.consent_months)})


def _shorter(months: Months, own: int | None) -> int:
    return months if own is None else min(months or own, own)


@lru_cache(maxsize=256)
def months_before(moment: datetime, months: int) -> datetime:
    """Return the moment so many calendar months earlier; the last day of a shorter month stands for those beyond it."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def months_after(moment: datetime, months: int) -> datetime:
    return months_before(moment, -months)
