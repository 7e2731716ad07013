"""What a person likes, told on the page behind a link: channel, language, part of the day, how often, interests.

A preference chooses among what they agreed to; it never opens anything. Each change stays in their preference history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from broadcaster.actions import choices, contact_views, contacts
from broadcaster.actions.choosing import Done
from broadcaster.actions.contact_views import PreferenceView
from broadcaster.actions.organisation import setting
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Source
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.schedule import PARTS
from broadcaster.storage import choices as rows
from broadcaster.storage import contacts as contact_rows
from broadcaster.storage.tables import Contact, Interest

#: Days between two marketing messages that can be asked for on the page.
RESTS = (7, 14, 30)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What somebody likes, and what they can choose from; ``told`` is what they said on the page, newest first."""

    chosen: Mapping[str, Any]
    languages: tuple[str, ...]
    channels: tuple[str, ...]
    interests: tuple[Interest, ...]
    told: tuple[PreferenceView, ...]

    @property
    def options(self) -> Mapping[str, tuple[str, ...]]:
        """Return what can be chosen for each field of one value: none, what is offered, what stands there now."""
        offered = {
            "language": self.languages,
            "preferred_channel": self.channels,
            "part_of_day": tuple(PARTS),
            "rest_days": tuple(str(days) for days in RESTS),
        }
        return {field: tuple(dict.fromkeys(("", *some, self.chosen[field]))) for field, some in offered.items()}


def read(runtime: Runtime, token: str) -> Preferences | None:
    """Return the preferences of the one person behind a link; None where several, nobody or somebody frozen is."""
    with runtime.db.reading() as session:
        contact = _contact(runtime, session, token)
        return None if contact is None else _preferences(runtime, session, contact)


def prefer(runtime: Runtime, token: str, said: Mapping[str, Any]) -> Done | None:
    """Keep what somebody likes; "" takes a value away. None where the link says nothing, or for no choice of the page.

    *said* holds any of the fields of ``Preferences.options`` and ``interests``, a list of keys.
    """
    with runtime.db.reading() as session:
        contact = _contact(runtime, session, token)
        if contact is None:
            return None
        options = _preferences(runtime, session, contact).options
        contact_id = contact.id
    if any(said[field] not in options.get(field, ()) for field in said if field != "interests"):
        return None
    try:
        contacts.edit(runtime, contact_id, said, seen=None, actor="person", source=Source.PREFERENCE_PAGE.value)
    except (InvalidInput, NotFound):
        return None
    return Done.KEPT


def _contact(runtime: Runtime, session: Session, token: str) -> Contact | None:
    found = choices.reach(runtime, session, token)
    if found is None or found.contact is None or found.contact.state != "active":
        return None
    return found.contact


def _preferences(runtime: Runtime, session: Session, contact: Contact) -> Preferences:
    _groups, interests = contact_rows.keys_in_use(session, contact.id)
    key = contact_rows.key_of(session, runtime.keys, contact)
    history = contact_views.preferences(session, contact, key)
    return Preferences(
        chosen={
            "language": contact.language or "",
            "preferred_channel": contact.preferred_channel or "",
            "part_of_day": contact.part_of_day or "",
            "rest_days": str(contact.rest_days or ""),
            "interests": interests,
        },
        languages=tuple(str(one) for one in setting(session, "languages")),
        channels=tuple(sorted({address.channel for address in rows.addresses_alone(session, contact.id)})),
        interests=tuple(rows.interests(session)),
        told=tuple(one for one in history if one.source == Source.PREFERENCE_PAGE),
    )
