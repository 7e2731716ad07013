"""The menu: one line a page, shown to whom it opens, once the page exists."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, request

from web.access import Area, may
from web.context import anybody
from web.language import _l


@dataclass(frozen=True, slots=True)
class Item:
    """A page in the menu. ``icon`` is a symbol of ``static/vendor/icons.svg``."""

    area: Area
    endpoint: str
    label: str
    icon: str


MENU: tuple[tuple[str, tuple[Item, ...]], ...] = (
    ("", (Item(Area.HOME, "home.index", _l("Dashboard"), "home"),)),
    (
        _l("People"),
        (
            Item(Area.CONTACTS, "contacts.index", _l("Contacts"), "users"),
            Item(Area.CONSENT, "consent.index", _l("Consent"), "shield-check"),
            Item(Area.CONSENT, "consent_desk.index", _l("Consent desk"), "list-check"),
            Item(Area.IMPORTS, "imports.index", _l("Import"), "file-import"),
            Item(Area.AUDIENCES, "audiences.index", _l("Audiences"), "users-group"),
        ),
    ),
    (
        _l("Messages"),
        (
            Item(Area.TEMPLATES, "templates.index", _l("Templates"), "template"),
            Item(Area.CAMPAIGNS, "campaigns.index", _l("Campaigns"), "send"),
            Item(Area.INBOX, "inbox.index", _l("Inbox"), "messages"),
            Item(Area.OUTBOX, "outbox.index", _l("Outbox"), "mailbox"),
        ),
    ),
    (
        _l("Organisation"),
        (
            Item(Area.PURPOSES, "purposes.index", _l("Purposes"), "target"),
            Item(Area.PURPOSES, "signup_forms.index", _l("Sign-up forms"), "user-plus"),
            Item(Area.ACCOUNTS, "accounts.index", _l("Accounts"), "plug-connected"),
            Item(Area.STAFF, "staff.index", _l("Staff"), "user-cog"),
            Item(Area.SETTINGS, "settings.index", _l("Settings"), "settings"),
            Item(Area.ERASURE, "privacy.index", _l("Privacy"), "lock"),
            Item(Area.EXPORT, "audit.index", _l("Audit"), "report-analytics"),
            Item(Area.LOG, "log.index", _l("Activity log"), "history"),
        ),
    ),
)


#: Pages that have no line of their own in the menu, and the one they are reached by.
_WITHIN = {"closed_days": "settings", "law": "settings", "own_law": "settings", "own_words": "settings"}


def menu() -> list[tuple[str, list[Item]]]:
    """Return the groups of the menu for who is signed in, without empty ones."""
    person = anybody()
    if person is None:
        return []
    groups = ((title, [item for item in items if _open(person.role, item)]) for title, items in MENU)
    return [(title, items) for title, items in groups if items]


def here(item: Item) -> bool:
    """Say whether the reader is in that part of the work."""
    part = request.blueprint or ""
    return _WITHIN.get(part, part) == item.endpoint.partition(".")[0]


def exists(endpoint: str) -> bool:
    """Say whether this version has that page."""
    return endpoint in current_app.view_functions


def _open(role: str, item: Item) -> bool:
    return exists(item.endpoint) and may(role, item.area)
