"""Who may do what. This table is the only place that says so; a view without a line here answers nobody.

Every view carries ``@require(Area.X)`` or ``@public()``. Reading (GET, HEAD) needs READ, everything else WRITE, unless
the view says that its POST only reads (a preview, a count).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, TypeVar

from flask import Flask

View = TypeVar("View", bound=Callable[..., Any])

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_MARK = "broadcaster_access"


class Level(IntEnum):
    NONE = 0
    READ = 1
    WRITE = 2


class Area(StrEnum):
    """A part of the work."""

    HOME = "home"
    CONTACTS = "contacts"
    CONSENT = "consent"  #: recording what a person said, reading histories
    PURPOSES = "purposes"  #: purposes and wordings
    IMPORTS = "imports"
    AUDIENCES = "audiences"
    TEMPLATES = "templates"
    CAMPAIGNS = "campaigns"
    INBOX = "inbox"
    OUTBOX = "outbox"
    ACCOUNTS = "accounts"
    ERASURE = "erasure"
    EXPORT = "export"  #: taking the consent log out; leaves a trace, changes nothing else
    LOG = "log"
    STAFF = "staff"
    SETTINGS = "settings"
    OWN = "own"  #: one's own profile


_NONE, _READ, _WRITE = Level
# fmt: off
TABLE: dict[Area, dict[str, Level]] = {
    #                admin            marketer            agent            auditor
    Area.HOME:      {"admin": _READ,  "marketer": _READ,  "agent": _READ,  "auditor": _READ},
    Area.CONTACTS:  {"admin": _WRITE, "marketer": _WRITE, "agent": _READ,  "auditor": _READ},
    Area.CONSENT:   {"admin": _WRITE, "marketer": _WRITE, "agent": _WRITE, "auditor": _READ},
    Area.PURPOSES:  {"admin": _WRITE, "marketer": _WRITE, "agent": _READ,  "auditor": _READ},
    Area.IMPORTS:   {"admin": _WRITE, "marketer": _WRITE, "agent": _NONE,  "auditor": _READ},
    Area.AUDIENCES: {"admin": _WRITE, "marketer": _WRITE, "agent": _NONE,  "auditor": _READ},
    Area.TEMPLATES: {"admin": _WRITE, "marketer": _WRITE, "agent": _READ,  "auditor": _READ},
    Area.CAMPAIGNS: {"admin": _WRITE, "marketer": _WRITE, "agent": _READ,  "auditor": _READ},
    Area.INBOX:     {"admin": _WRITE, "marketer": _WRITE, "agent": _WRITE, "auditor": _READ},
    Area.OUTBOX:    {"admin": _READ,  "marketer": _READ,  "agent": _READ,  "auditor": _READ},
    Area.ACCOUNTS:  {"admin": _WRITE, "marketer": _READ,  "agent": _NONE,  "auditor": _READ},
    Area.ERASURE:   {"admin": _WRITE, "marketer": _NONE,  "agent": _NONE,  "auditor": _READ},
    Area.EXPORT:    {"admin": _WRITE, "marketer": _NONE,  "agent": _NONE,  "auditor": _WRITE},
    Area.LOG:       {"admin": _READ,  "marketer": _READ,  "agent": _NONE,  "auditor": _READ},
    Area.STAFF:     {"admin": _WRITE, "marketer": _NONE,  "agent": _NONE,  "auditor": _READ},
    Area.SETTINGS:  {"admin": _WRITE, "marketer": _READ,  "agent": _NONE,  "auditor": _READ},
    Area.OWN:       {"admin": _WRITE, "marketer": _WRITE, "agent": _WRITE, "auditor": _WRITE},
}
# fmt: on


@dataclass(frozen=True, slots=True)
class Access:
    """What a view asks of its visitor. ``area`` None: nothing, everybody may come."""

    area: Area | None
    level: Level | None = None  #: None: by the method
    csrf: bool = True

    def wants(self, method: str) -> Level:
        if self.level is not None:
            return self.level
        return Level.READ if method in SAFE_METHODS else Level.WRITE


def require(area: Area, *, level: Level | None = None) -> Callable[[View], View]:
    """Open a view to the roles that may read or write *area*."""
    return _marked(Access(area, level))


def public(*, csrf: bool = True) -> Callable[[View], View]:
    """Open a view to everybody. *csrf* False: its caller is a machine and proves itself in another way."""
    return _marked(Access(None, csrf=csrf))


def _marked(access: Access) -> Callable[[View], View]:
    def mark(view: View) -> View:
        setattr(view, _MARK, access)
        return view

    return mark


def access_to(app: Flask, endpoint: str) -> Access | None:
    """Return what an endpoint asks for, None if nobody said."""
    found = getattr(app.view_functions.get(endpoint), _MARK, None)
    return found if isinstance(found, Access) else None


def may(role: str, area: Area, level: Level = Level.READ) -> bool:
    """Say whether *role* has *level* in *area*; an unknown role has nothing."""
    return TABLE[area].get(role, Level.NONE) >= level
