"""The forms of consent and what can be chosen in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import StringConstraints

from broadcaster.actions import optin, staff, whereabouts
from broadcaster.core.consent import Source
from broadcaster.core.errors import InvalidInput
from broadcaster.storage import catalogue as stored
from broadcaster.storage import consent_history
from broadcaster.storage.tables import Wording
from web import vocabulary
from web.consent_words import label
from web.context import runtime
from web.forms import FormModel, Line
from web.language import _

Typed = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Proved = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]


class Finder(FormModel):
    channel: Line
    address: Typed


class Record(FormModel):
    """A yes. ``known`` is the id of the address the form was opened for; otherwise channel and address are typed."""

    known: Typed = ""
    channel: Line = "email"
    address: Typed = ""
    wording: Line
    source: Line
    date: Line
    zone: Line
    proof: Proved
    ask: Typed = ""
    order: Typed = ""
    family: Typed = ""
    refusal_offered: Typed = ""


class Withdrawal(FormModel):
    known: Typed = ""
    channel: Line = "email"
    address: Typed = ""
    extent: Line
    source: Line
    date: Line
    zone: Line
    proof: Proved = ""


class Hold(FormModel):
    action: Line
    reason: Proved


class Decision(FormModel):
    """What an unclear message meant."""

    decision: Literal["stop", "go_on"]
    reason: Proved


@dataclass(frozen=True, slots=True)
class Group:
    """A purpose with its wordings, for a list to choose from."""

    name: str
    double_opt_in: bool
    wordings: Sequence[Wording]


def wordings() -> list[Group]:
    """Return what can be agreed to, the newest version of each language first."""
    with runtime().db.reading() as session:
        purposes, every = stored.purposes(session), stored.wordings(session)
        brands = {row.id: row.name for row in consent_history.brands(session)}
    groups = []
    for purpose in purposes:
        own = [one for one in every if one.purpose_id == purpose.id]
        brand = brands.get(purpose.brand_id or 0, "")
        name = f"{label(purpose.label)} ({brand})" if brand else label(purpose.label)
        if own:
            groups.append(Group(name, purpose.double_opt_in, own))
    return groups


def extents() -> list[tuple[str, str]]:
    """Return how much can stop, the widest first."""
    with runtime().db.reading() as session:
        purposes = stored.purposes(session)
    wide = [
        ("marketing", _("All offers and news at this address")),
        ("everywhere", _("All offers and news, at every address of this person")),
    ]
    return wide + [(str(one.id), _("Only “%(purpose)s”", purpose=label(one.label))) for one in purposes]


def place_choices() -> list[tuple[str, str]]:
    """Return where an address can be, named."""
    with runtime().db.reading() as session:
        known = whereabouts.places(session)
    names = [(one.key, vocabulary.said(vocabulary.CHANNELS, one.channel), one.account) for one in known]
    return [(key, f"{name} · {account}" if account else name) for key, name, account in names]


def source_of(said: str) -> Source:
    """Return how the person told us. Raises InvalidInput."""
    if said not in {one.value for one in optin.SOURCES}:
        raise InvalidInput("say how the person told us", field="source", code="unknown_choice")
    return Source(said)


def moment_of(text: str, zone: str) -> datetime:
    """Return a local time as it was typed, in its zone. Raises InvalidInput."""
    if zone not in staff.TIME_ZONES:
        raise InvalidInput("choose a time zone", field="zone", code="unknown_choice")
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("write the date as 2026-05-31T14:00", field="date", code="date_invalid") from None
    return read if read.tzinfo is not None else read.replace(tzinfo=ZoneInfo(zone))
