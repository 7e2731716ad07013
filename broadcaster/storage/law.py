"""The law as SQL over candidates: ``core.law.terms.Law.refusal`` of columns; a test holds the two equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, false, func, literal, null, or_, text
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core.consent import Basis
from broadcaster.core.law.rows import EVERYWHERE
from broadcaster.core.law.terms import Law, Person, Terms, months_before
from broadcaster.storage.database import any_id, id_list


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the query holds what the law asks about."""

    kind: Any
    country: Any
    birth_year: Any
    profession: Any
    last_contact_at: Any
    channel: Any
    basis: Any
    since: Any


def refusal(law: Law, on: Columns, *, channels: list[str], now: datetime) -> ColumnElement[Any]:
    """Return the CASE that names why a standing consent does not hold for a person, NULL if it does."""
    if not law.applies:
        return null()
    alike: dict[Terms, list[str]] = {}
    for country, terms in law.places.items():
        if country != EVERYWHERE:
            alike.setdefault(_unnamed(terms), []).append(country)
    whens = [(on.country.in_(countries), _of(terms, law, on, channels, now)) for terms, countries in alike.items()]
    return case(*whens, else_=_of(law.places[EVERYWHERE], law, on, channels, now))


def _unnamed(terms: Terms) -> Terms:
    return Terms("", terms.bases, terms.age, terms.inactive_months)


def _of(terms: Terms, law: Law, on: Columns, channels: list[str], now: datetime) -> ColumnElement[Any]:
    professional = on.kind == "professional"
    holding, over = [], []
    for channel in channels:
        for basis in Basis:
            for kind, of_kind in (("professional", professional), ("consumer", ~professional)):
                months = terms.life(basis, kind=kind, channel=channel)
                if months is None:
                    continue
                here = and_(on.channel == channel, on.basis == basis.value, of_kind)
                holding.append(here)
                if months:
                    over.append(and_(here, on.since <= _time(months_before(now, months))))
    if terms.inactive_months:
        cut = _time(months_before(now, terms.inactive_months))
        over.append(and_(on.since <= cut, or_(on.last_contact_at.is_(None), on.last_contact_at <= cut)))
    role = func.trim(func.lower(func.coalesce(on.profession, ""))).in_(sorted(law.roles))
    idle = and_(on.basis == Basis.B2B_INTEREST.value, ~and_(professional, role))
    return case(
        (on.birth_year >= now.year - terms.age, "minor"),
        (or_(~or_(false(), *holding), idle), "no_basis"),
        *([(or_(*over), "expired")] if over else []),
        else_=None,
    )


def _time(moment: datetime) -> ColumnElement[Any]:
    return literal(moment, UTCDateTime())


_PEOPLE = """SELECT ca.address_id, c.kind, c.country, c.birth_year, c.profession
    FROM contact_address ca JOIN contact c ON c.id = ca.contact_id
    WHERE ca.valid_to IS NULL AND ca.address_id {ids}"""


def people_of(session: Session, address_ids: Sequence[int]) -> dict[int, list[Person]]:
    """Return who uses each address, by what the law asks of them."""
    found: dict[int, list[Person]] = defaultdict(list)
    statement = text(_PEOPLE.format(ids=any_id(session)))
    for row in session.connection().execute(statement, {"ids": id_list(session, address_ids)}):
        found[row.address_id].append(Person(row.kind, row.country, row.birth_year, row.profession))
    return found
