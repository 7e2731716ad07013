"""What a person gets who asks for their data: which rows are theirs, and what is left out, and why.

``personal`` is the declaration: every table that holds something of a person is here, and every column of it is given
unless ``WITHHELD`` says why not. A test compares the two, so that nothing new can be forgotten.

A row belongs to somebody by their contact, or by an address that nobody else has ever used: what stands at a shared
address may be another person's, and only the messages sent to this very contact there are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, literal_column, select, text
from sqlmodel import Session

from broadcaster.storage.database import any_id, id_list
from broadcaster.storage.privacy import Scope, ids_of, theirs
from broadcaster.storage.tables import metadata

#: Tables no row of which is given -> why.
WHOLE: Mapping[str, str] = {"person_key": "secret", "contact_word": "lookup", "log_payload": "proof"}
#: Columns of any table that are not given -> why.
WITHHELD: Mapping[str, str] = {
    **dict.fromkeys(("key_id", "salt", "token_sha256"), "secret"),
    **dict.fromkeys(("digest", "external_digest"), "lookup"),
    **dict.fromkeys(("key", "commitment", "entry_id"), "proof"),
    **dict.fromkeys(("staff_id", "test_staff_id"), "staff"),
    "note_ct": "staff_note",
}


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one table: for which *where* holds; *key*: whose key opens them; *more*: columns that explain ids."""

    where: str
    key: str = "NULL"
    more: Mapping[str, str] = field(default_factory=dict)


_MINE = "IN (SELECT s.id FROM step s WHERE {theirs})"
_CONTACT_KEY = "(SELECT c.key_id FROM contact c WHERE c.id = {table}.contact_id)"
_ADDRESS_KEY = "(SELECT a.key_id FROM address a WHERE a.id = {table}.address_id)"
_PURPOSE = {"purpose": "(SELECT p.key FROM purpose p WHERE p.id = {table}.purpose_id)"}
_WORDING = {"wording": "(SELECT w.text FROM wording w WHERE w.id = {table}.wording_id)"}
_CHANNEL = {"channel": "(SELECT a.channel FROM address a WHERE a.id = {table}.address_id)"}
_CAMPAIGN = {
    "campaign": "(SELECT c.name FROM run r JOIN campaign c ON c.id = r.campaign_id WHERE r.id = {table}.run_id)"
}

PARTS: Mapping[str, Part] = {
    "contact": Part("id {contacts}", "contact.key_id"),
    "address": Part("id {own}", "address.key_id"),
    "contact_address": Part(
        "contact_id {contacts}",
        _ADDRESS_KEY,
        {**_CHANNEL, "value_ct": "(SELECT a.value_ct FROM address a WHERE a.id = {table}.address_id)"},
    ),
    "contact_merge": Part("kept_id {contacts} OR merged_id {contacts}"),
    "contact_interest": Part(
        "contact_id {contacts}", more={"interest": "(SELECT i.key FROM interest i WHERE i.id = {table}.interest_id)"}
    ),
    "group_member": Part(
        "contact_id {contacts}", more={"name": "(SELECT g.name FROM contact_group g WHERE g.id = {table}.group_id)"}
    ),
    "audience_member": Part(
        "contact_id {contacts}", more={"name": "(SELECT a.name FROM audience a WHERE a.id = {table}.audience_id)"}
    ),
    "preference_event": Part("contact_id {contacts} AND field <> 'note'", _CONTACT_KEY),
    "consent_event": Part("address_id {own}", more={**_PURPOSE, **_WORDING, **_CHANNEL}),
    "consent_evidence": Part(
        "event_id IN (SELECT e.id FROM consent_event e WHERE e.address_id {own})",
        "(SELECT a.key_id FROM consent_event e JOIN address a ON a.id = e.address_id WHERE e.id = {table}.event_id)",
    ),
    "consent_state": Part("address_id {own}", more=_PURPOSE),
    "optin_request": Part("address_id {own}", more={**_PURPOSE, **_WORDING}),
    "delivery": Part("contact_id {contacts}", more=_CAMPAIGN),
    "step": Part(f"id {_MINE}", more={**_CAMPAIGN, **_CHANNEL}),
    "step_attempt": Part(f"step_id {_MINE}"),
    "template_variant": Part("id IN (SELECT s.variant_id FROM step s WHERE {theirs})"),
    "click": Part(f"step_id {_MINE}", more={"url": "(SELECT k.url FROM tracked_link k WHERE k.id = {table}.link_id)"}),
    "receipt": Part(
        f"step_id {_MINE} OR message_id IN (SELECT m.id FROM message m WHERE m.address_id {{own}}) "
        "OR EXISTS (SELECT 1 FROM step s WHERE s.provider_id = receipt.provider_id "
        "AND s.account_id = receipt.account_id AND {theirs})"
    ),
    "message": Part("address_id {own}", _ADDRESS_KEY, _CHANNEL),
    "conversation": Part("address_id {own}", more=_CHANNEL),
    "inbox_event": Part("address_id {own}", _ADDRESS_KEY),
    "outbox_item": Part(f"address_id {{own}} OR step_id {_MINE}", _ADDRESS_KEY),
    "privacy_request": Part("contact_id {contacts}"),
}

_OTHERS = (
    "SELECT address_id FROM contact_address WHERE address_id {ids} AND NOT (contact_id {contacts}) "
    "UNION SELECT address_id FROM contact_address WHERE address_id {ids} "
    "GROUP BY address_id HAVING count(*) = count(valid_to)"
)


def alone(session: Session, scope: Scope) -> Scope:
    """Return a scope without the addresses that another contact has ever used, or this one no longer uses."""
    parts = {name: any_id(session, name) for name in ("ids", "contacts")}
    values = {"ids": id_list(session, scope.own), "contacts": id_list(session, scope.contacts)}
    others = set(session.connection().execute(text(_OTHERS.format(**parts)), values).scalars())
    own = tuple(one for one in scope.own if one not in others)
    return Scope(scope.contacts, own, tuple(sorted({*scope.shared, *others})), scope.keys)


def columns(table: str) -> list[str]:
    """Return the columns of a table that are given, in their order."""
    return [column.name for column in metadata.tables[table].columns if column.name not in WITHHELD]


def rows(session: Session, table: str, scope: Scope) -> Iterator[tuple[int | None, dict[str, Any]]]:
    """Yield (id of the key that opens it, columns as stored) of each of somebody's rows, in the order of their ids."""
    part, known = PARTS[table], metadata.tables[table]
    names = {name: any_id(session, name) for name in ("contacts", "own")}
    chosen: list[ColumnElement[Any]] = [known.c[name] for name in columns(table)]
    chosen += [literal_column(f"({said.format(table=table)})").label(name) for name, said in part.more.items()]
    query = select(literal_column(part.key.format(table=table)).label("_key"), *chosen)
    query = query.where(text(f"({part.where.format(**names, theirs=theirs(session))})"))
    query = query.order_by(*known.primary_key.columns)
    for row in session.connection().execute(query, ids_of(session, scope)).mappings():
        yield row["_key"], {name: value for name, value in row.items() if name != "_key"}
