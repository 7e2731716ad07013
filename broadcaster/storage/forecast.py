"""The dry run in SQL: a range is staged as for the plan, counted or read, and thrown away with its transaction.

Nothing here writes a table that stays: ``plan_chunk`` and ``forecast_shared`` are temporary, and a reading session ends
in a rollback. Judging, times and duplicates are the plan's own statements (``storage/planning``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, text
from sqlalchemy.sql import Select, select
from sqlmodel import Session

from broadcaster.core.merge import ATTRIBUTES
from broadcaster.storage.database import any_id, id_list
from broadcaster.storage.planning import CHOICE_COLUMNS, LATER_SHARERS, STAGE
from broadcaster.storage.tables import Contact

_contact: Any = Contact.__table__  # type: ignore[attr-defined]
_PLAIN = {"contact.language": "language", "contact.country": "country", "contact.profession": "profession"}


def last_contact(session: Session) -> int:
    """Return the highest contact id, 0 without contacts."""
    return int(session.connection().execute(text("SELECT coalesce(max(id), 0) FROM contact")).scalar_one())


_CREATE_SHARED = """CREATE TEMPORARY TABLE IF NOT EXISTS forecast_shared (
    address_id BIGINT PRIMARY KEY, taken BOOLEAN NOT NULL)"""
_FILL_SHARED = """INSERT INTO forecast_shared
    SELECT address_id, (1=0) FROM contact_address GROUP BY address_id HAVING count(*) > 1"""


def open_shared(session: Session) -> None:
    """Note the addresses that several contacts use: of those who would get one, the first does."""
    for statement in (_CREATE_SHARED, "DELETE FROM forecast_shared", _FILL_SHARED):
        session.connection().execute(text(statement))


_DUPLICATES = f"""UPDATE plan_chunk SET reason = 'duplicate_address'
    WHERE reason IS NULL AND address_id IN (SELECT address_id FROM forecast_shared) AND (
        address_id IN (SELECT address_id FROM forecast_shared WHERE taken) OR {LATER_SHARERS})"""
_TAKE = """UPDATE forecast_shared SET taken = (1=1)
    WHERE address_id IN (SELECT address_id FROM plan_chunk WHERE reason IS NULL) AND NOT taken"""


def mark_duplicates(session: Session) -> None:
    """Do what the plan does with its steps: an address that is taken, here or earlier, is not written to again."""
    session.connection().execute(text(_DUPLICATES))
    session.connection().execute(text(_TAKE))


@dataclass(frozen=True, slots=True)
class Tally:
    """How many people of a range are alike. ``present`` says which of the asked merge fields they have."""

    reason: str | None
    channel: str | None
    account_id: int | None
    country: str | None
    language: str | None
    due_at: datetime | None
    present: tuple[bool, ...]
    people: int


def tally(session: Session, fields: Sequence[str]) -> list[Tally]:
    """Count the staged range by everything the dry run tells; *fields* are merge fields of contacts."""
    stage = STAGE.c
    open_due = case((stage.reason.is_(None), stage.due_at), else_=None)
    keys = [stage.reason, stage.channel, stage.account_id, stage.country, _contact.c.language, open_due]
    keys += [_present(session, name) for name in fields]
    query = select(*(key.label(f"k{n}") for n, key in enumerate(keys)), func.count())
    query = query.select_from(STAGE.join(_contact, _contact.c.id == stage.contact_id))
    rows = session.connection().execute(query.group_by(*(text(f"k{n}") for n in range(len(keys)))))
    return [Tally(*row[:6], present=tuple(bool(one) for one in row[6:-1]), people=row[-1]) for row in rows]


def _present(session: Session, field: str) -> ColumnElement[int]:
    """Return 1 where a contact has a value for *field*. Names are encrypted together: one known counts for both."""
    if field.startswith(ATTRIBUTES):
        value: Any = _contact.c.attributes[field.removeprefix(ATTRIBUTES)].as_string()
    elif field in _PLAIN:
        value = _contact.c[_PLAIN[field]]
    else:
        return case((_contact.c.name_ct.is_not(None), 1), else_=0)
    return case((func.trim(func.coalesce(value, "")) != "", 1), else_=0)


@dataclass(frozen=True, slots=True)
class Staged:
    """One member of the staged range."""

    contact_id: int
    address_id: int | None
    channel: str | None
    reason: str | None
    due_at: datetime | None
    language: str | None
    present: tuple[bool, ...]


def rows(
    session: Session, fields: Sequence[str], *, reason: str | None = None, planned: bool = False, channel: str = ""
) -> list[Staged]:
    """Return the staged members by id: those with *reason*, those that are *planned*, on *channel*, or all."""
    stage = STAGE.c
    names = (stage.contact_id, stage.address_id, stage.channel, stage.reason, stage.due_at, _contact.c.language)
    query = select(*names, *(_present(session, name).label(f"f{n}") for n, name in enumerate(fields)))
    query = query.select_from(STAGE.join(_contact, _contact.c.id == stage.contact_id)).order_by(stage.contact_id)
    if planned:
        query = query.where(stage.reason.is_(None))
    if reason is not None:
        query = query.where(stage.reason == reason)
    if channel:
        query = query.where(stage.channel == channel)
    found = session.connection().execute(query)
    return [_staged(tuple(row)) for row in found]


def _staged(row: Sequence[Any]) -> Staged:
    contact_id, address_id, channel, reason, due_at, language, *present = row
    return Staged(contact_id, address_id, channel, reason, due_at, language, tuple(bool(one) for one in present))


_SHARERS = """
    SELECT p.contact_id, p.address_id, o.contact_id FROM plan_chunk p
        JOIN contact_address o ON o.address_id = p.address_id AND o.valid_to IS NULL AND o.contact_id <= :low
    WHERE p.reason IS NULL ORDER BY p.address_id, o.contact_id"""


def earlier_sharers(session: Session, *, low: int) -> dict[int, list[int]]:
    """Return for each planned address of the stage the contacts up to *low* that use it as well, by id."""
    found: dict[int, list[int]] = {}
    for _, address_id, other in session.connection().execute(text(_SHARERS), {"low": low}):
        others = found.setdefault(address_id, [])
        if not others or others[-1] != other:
            others.append(other)
    return found


def take(session: Session, address_ids: Sequence[int]) -> None:
    """Note addresses as taken by somebody before the range."""
    statement = text(f"UPDATE forecast_shared SET taken = (1=1) WHERE address_id {any_id(session)}")
    session.connection().execute(statement, {"ids": id_list(session, address_ids)})


_SHARED_IN_STAGE = """INSERT INTO forecast_shared SELECT DISTINCT address_id, (1=0) FROM plan_chunk
    WHERE reason IS NULL AND address_id IS NOT NULL"""


def open_shared_in_stage(session: Session) -> None:
    """Treat every planned address of the stage as shared; for one range this is quicker than to look at all."""
    for statement in (_CREATE_SHARED, "DELETE FROM forecast_shared", _SHARED_IN_STAGE):
        session.connection().execute(text(statement))


def choice_of(session: Session, choice: Select[Any], contact_id: int) -> dict[str, Any] | None:
    """Return what the plan would choose for one contact, None if they are not in the audience."""
    row = session.connection().execute(choice, {"low": contact_id - 1, "high": contact_id}).first()
    return None if row is None else dict(zip(CHOICE_COLUMNS, row, strict=True))


_ADDRESSES = """SELECT a.id, a.channel, a.value_ct, a.key_id, k.wrapping_key, k.wrapped
    FROM address a JOIN person_key k ON k.id = a.key_id WHERE a.value_ct IS NOT NULL AND a.id {ids}"""


def sealed_addresses(session: Session, address_ids: Sequence[int]) -> list[Any]:
    """Return (id, channel, value_ct, key_id, wrapping_key, wrapped) of those that can still be read."""
    statement = text(_ADDRESSES.format(ids=any_id(session)))
    return list(session.connection().execute(statement, {"ids": id_list(session, address_ids)}))


def attribute_types(session: Session) -> dict[str, str]:
    """Return the type of every defined attribute."""
    return {row[0]: row[1] for row in session.connection().execute(text("SELECT key, type FROM attribute_definition"))}
