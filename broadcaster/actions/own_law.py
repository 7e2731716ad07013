"""What the organisation asks beyond the law, and the roles a purpose concerns: each change one act in the log.

A change binds the next message and the next stop, and upgrades nobody: consent keeps the ground and end it has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions.organisation import put_setting, setting
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import ROOTS
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.event_types import LawChanged
from broadcaster.core.law.own import NAMES, Own, check_stricter, own_rule
from broadcaster.storage import catalogue, log
from broadcaster.storage.tables import Purpose

ROLE_MOST, ROLES_MOST = 80, 200
CHANGES_SHOWN = 20
ROLES_OF = "roles of "  #: begins the name of a change of roles


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a country's or a purpose's own rules; ``actor`` as the log has it."""

    rule: str
    at: datetime
    actor: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def own(runtime: Runtime, country: str) -> Own:
    """Return what is asked beyond the law in a country."""
    with runtime.db.reading() as session:
        return own_rule(country, setting(session, "legal").get(country, {}))


def change(runtime: Runtime, country: str, values: Mapping[str, Any], *, actor: str) -> Own:
    """Set some of a country's own rules (``core/law/own.Own``); None ends one. Return what holds now.

    Raises InvalidInput naming the field; Looser (``looser``) with the row of the law that asks more.
    """
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        legal = dict(setting(session, "legal"))
        before = own_rule(country, legal.get(country, {}))
        given = {name: value for name, value in {**before.told(), **values}.items() if value is not None}
        after = own_rule(country, {**given, "changed": now.date()})
        check_stricter(country, after)
        if _facts(before) == _facts(after) and before.source == after.source:
            return before
        if not _facts(after):
            after = Own()
        legal[country] = after.told()
        legal = {code: told for code, told in legal.items() if told}
        put_setting(session, "legal", legal, now=now)
        log.record(session, LawChanged(country, _facts(before), _facts(after)), at=now)
        return after


def end(runtime: Runtime, country: str, names: Collection[str] = NAMES, *, actor: str) -> Own:
    """End some of a country's own rules, or all: the law's own rows hold again. Raises NotFound, InvalidInput."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise InvalidInput(f"there is no such rule: {unknown[0]}", field="rule", code="unknown_choice")
    told = own(runtime, country).told()
    if not any(name in told for name in names):
        raise NotFound("there is no such rule of your own", code="no_own_rule")
    return change(runtime, country, dict.fromkeys(names), actor=actor)


def _facts(rules: Own) -> tuple[str, ...]:
    """Return the rules as the log keeps them; the words of the source are staff's, and stay out of it."""
    told = rules.told()
    return tuple(f"{name} {_plain(told[name])}" for name in NAMES if name in told)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {'off' if one is None else one}" for key, one in sorted(value.items()))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def roles(runtime: Runtime) -> list[tuple[Purpose, list[str]]]:
    """Return the purposes that may rest on a business interest, each with the roles it concerns."""
    with runtime.db.reading() as session:
        told = setting(session, "roles")
        known = [one for one in catalogue.purposes(session) if one.kind == "marketing" and one.key not in ROOTS]
        return [(one, list(told.get(one.key, ()))) for one in known]


def change_roles(runtime: Runtime, purpose: str, told: Sequence[str], *, actor: str) -> list[str]:
    """Say which professions a purpose concerns; none: no business interest holds for it. Raises InvalidInput."""
    wanted = list(dict.fromkeys(cleaned for one in told if (cleaned := " ".join(one.split()).lower())))
    if len(wanted) > ROLES_MOST or any(len(one) > ROLE_MOST or not one.isprintable() for one in wanted):
        raise InvalidInput("at most 200 roles of 80 characters", field="roles", code="roles")
    with runtime.db.transaction(actor) as session:
        known = {one.key for one in catalogue.purposes(session) if one.kind == "marketing"}
        if purpose not in known - ROOTS:
            raise InvalidInput("choose a purpose of marketing", field="purpose", code="unknown_choice")
        every = dict(setting(session, "roles"))
        before = every.pop(purpose, [])
        if list(before) == wanted:
            return wanted
        now = runtime.db.now(session)
        put_setting(session, "roles", {**every, **({purpose: wanted} if wanted else {})}, now=now)
        log.record(session, LawChanged(f"{ROLES_OF}{purpose}", tuple(before), tuple(wanted)), at=now)
        return wanted


def words_of(text: str) -> list[str]:
    """Read a list as people type one: by commas, semicolons or lines."""
    return [one.strip() for one in re.split(r"[,;\n]", text) if one.strip()]


def changes(session: Session, limit: int = CHANGES_SHOWN) -> list[Change]:
    """Return the last changes of own rules, newest first."""
    return [
        Change(str(told["rule"]), at, str(told["actor"]), tuple(told["before"]), tuple(told["after"]))
        for at, told in log.law_changes(session, limit=limit)
    ]
