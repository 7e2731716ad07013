"""The organisation's own settings: one JSON value per key, every change in the log."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core import pacing
from broadcaster.core.errors import InvalidInput
from broadcaster.core.event_types import Changed
from broadcaster.core.law.own import Own, own_rules
from broadcaster.core.law.rows import Part
from broadcaster.core.law.terms import Law
from broadcaster.core.schedule import country_zones
from broadcaster.storage import log
from broadcaster.storage.tables import Setting

#: Every setting with its default.
DEFAULTS: dict[str, Any] = {
    "name": "",
    "default_region": "FR",  #: country of phone numbers written without a prefix
    "time_zone": "",  #: whose days the calendar shows; empty: the first zone of the default region
    "default_language": "en",
    "languages": ["en", "fr"],
    "currency": "EUR",
    "windows": {},  #: country -> {"opens": "09:00", "closes": "19:00", "days": [0, 1, 2, 3, 4]}
    "frequency": {"messages": 0, "days": 0, "hours": 0},  #: marketing to one contact over all campaigns; 0: no limit
    "legal": {},  #: country -> what is asked beyond the law (``core/law/terms.Own``)
    "roles": {},  #: purpose -> professions it is relevant to; without any, no business interest holds
    "demo": False,  #: a demonstration installation: invented people, local fakes, sending windows open
}


def setting(session: Session, key: str) -> Any:
    """Return one setting, its default if it was never set."""
    row = session.get(Setting, key)
    return DEFAULTS[key] if row is None else json.loads(row.value)


def time_zone(session: Session) -> str:
    """Return the zone on whose clocks the organisation counts its days."""
    return str(setting(session, "time_zone")) or next(iter(country_zones(setting(session, "default_region"))), "UTC")


def frequency_limits(session: Session) -> tuple[pacing.Limit, ...]:
    """Return how often one contact may get marketing, over all campaigns; empty: no limit."""
    return pacing.limits(setting(session, "frequency"))


def law(session: Session, *, purpose: str, marketing: bool) -> Law:
    """Return the law with what the organisation asks beyond it; of no weight for messages that are no marketing."""
    roles = setting(session, "roles").get(purpose, ())
    known = frozenset(str(one).strip().lower() for one in roles)
    return Law(own=own_law(session), roles=known, applies=marketing)


def own_law(session: Session) -> dict[str, Own]:
    """Return what the organisation asks beyond the law, by country."""
    return own_rules(setting(session, "legal"))


def footer_parts(session: Session, channel: str) -> frozenset[Part]:
    """Return what messages must hold: in the organisation's country and in those it has rules of its own for."""
    return Law(own=own_law(session)).footer({setting(session, "default_region"), *setting(session, "legal")}, channel)


def set_settings(runtime: Runtime, values: dict[str, Any], *, actor: str) -> None:
    """Change settings. Raises InvalidInput for a key that does not exist."""
    unknown = sorted(set(values) - set(DEFAULTS))
    if unknown:
        raise InvalidInput(f"there is no setting {unknown[0]!r}", field=unknown[0], code="unknown_field")
    pacing.limits(values.get("frequency", {}))
    own_rules(values.get("legal", {}))
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        for key, value in values.items():
            put_setting(session, key, value, now=now)
        log.record(session, Changed(what="setting", id="", verb="changed", fields=tuple(sorted(values))), at=now)


def put_setting(session: Session, key: str, value: Any, *, now: datetime) -> None:
    """Write one setting within the caller's transaction, who also logs it."""
    row = session.get(Setting, key) or Setting(key=key, value="", changed_at=now)
    row.value, row.changed_at = json.dumps(value), now
    session.add(row)
