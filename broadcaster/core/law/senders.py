"""Senders that may not carry marketing, by how they begin: rows of the law, and the organisation's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broadcaster.core.addresses import normalise_phone
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law.own import Own
from broadcaster.core.law.rows import rules


@dataclass(frozen=True, slots=True)
class Barred:
    """Why a sender may not carry marketing. ``use`` says what may, where the row says so."""

    place: str
    begins: str
    source: str
    use: str = ""

    def __str__(self) -> str:
        use = f"; use: {self.use}" if self.use else ""
        return f"no marketing from numbers that begin with {self.begins} ({self.place}: {self.source}){use}"


def barred(own: Mapping[str, Own], *, channel: str, sender: str) -> Barred | None:
    """Return why *sender* may not carry marketing on *channel*, None if it may.

    The rows of all countries count: they speak of the number, and whom an audience will hold is not known before.
    """
    for row in rules().sender:
        if row.on(channel) and (begins := _begins(sender, row.refused, row.place)):
            return Barred(row.place, begins, row.source, row.use)
    for country, told in own.items():
        if begins := _begins(sender, told.senders, country):
            return Barred(country, begins, told.source)
    return None


def _begins(sender: str, starts: tuple[str, ...], country: str) -> str:
    forms = {"".join(sender.split()).lower(), _number(sender, country)}
    return next((one for one in starts if any(form.startswith(one.lower()) for form in forms)), "")


def _number(sender: str, country: str) -> str:
    """Return a number as it is dialled from anywhere: 06 12 ... is French in a row of France."""
    try:
        return normalise_phone(sender, region=country)
    except InvalidInput:
        return ""
