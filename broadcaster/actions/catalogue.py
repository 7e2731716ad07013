"""What the organisation is and why it writes: brands, purposes, wordings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Basis
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import Changed
from broadcaster.storage import catalogue as rows
from broadcaster.storage import log
from broadcaster.storage.tables import Brand, Purpose, Wording

#: What there is, for doors that offer a choice.
purposes, wordings = rows.purposes, rows.wordings

_KEY = re.compile(r"\A[a-z][a-z0-9_]{0,49}\Z")
WORDING_MOST = 10_000


def create_brand(
    runtime: Runtime, *, key: str, name: str, contact: str = "", postal_address: str = "", website: str = "", actor: str
) -> int:
    """Add a brand. *contact* says how a person reaches us; it is the answer to HELP."""
    _check_key(key)
    with runtime.db.transaction(actor) as session:
        _free(session, Brand, key)
        row = Brand(key=key, name=_words(name, "name", 200), contact=contact, website=website)
        row.postal_address = postal_address
        session.add(row)
        session.flush()
        log.record(session, Changed(what="brand", id=row.id, verb="created"), at=runtime.db.now(session))
        return row.id


def create_purpose(
    runtime: Runtime,
    *,
    key: str,
    parent: str,
    brand_id: int | None,
    label: Mapping[str, str],
    basis: Basis = Basis.CONSENT,
    double_opt_in: bool = False,
    actor: str,
) -> int:
    """Add a purpose people can agree to under *parent* (``marketing``, ``service`` ...).

    Older grants of the parent do not open it. A leaf that already has consent cannot become a parent.
    """
    _check_key(key)
    if not any(text.strip() for text in label.values()):
        raise InvalidInput("name the purpose in words a customer understands", field="label", code="required")
    with runtime.db.transaction(actor) as session:
        _free(session, Purpose, key)
        above = rows.purpose_by_key(session, parent)
        if above is None or above.leaf:
            raise InvalidInput(f"there is no group of purposes {parent!r}", field="parent", code="parent")
        row = Purpose(
            parent_id=above.id,
            brand_id=brand_id,
            key=key,
            kind=above.kind,
            label=dict(label),
            basis=basis.value,
            double_opt_in=double_opt_in,
        )
        session.add(row)
        session.flush()
        log.record(session, Changed(what="purpose", id=row.id, verb="created"), at=runtime.db.now(session))
        return row.id


def add_wording(runtime: Runtime, *, purpose_id: int, language: str, text: str, actor: str) -> int:
    """Add the words a person agrees to, as the next version in that language; they can never be changed."""
    words = _words(text, "text", WORDING_MOST)
    with runtime.db.transaction(actor) as session:
        if session.get(Purpose, purpose_id) is None:
            raise NotFound("there is no such purpose")
        newest = rows.newest_version(session, purpose_id, language)
        now = runtime.db.now(session)
        row = Wording(
            purpose_id=purpose_id,
            version=newest + 1,
            language=language,
            text=words,
            sha256=hashlib.sha256(words.encode()).hexdigest(),
            created_at=now,
        )
        session.add(row)
        session.flush()
        event = Changed(what="wording", id=row.id, verb="created", fields=(f"sha256:{row.sha256}",))
        log.record(session, event, at=now)
        return row.id


def _free(session: Session, table: type[Brand] | type[Purpose], key: str) -> None:
    if rows.key_taken(session, table, key):
        raise Conflict(f"{key!r} exists already", code="key_taken")


def _check_key(key: str) -> None:
    if not _KEY.match(key):
        raise InvalidInput("a key is made of small letters, digits and _, at most 50", field="key", code="key")


def _words(text: str, field: str, most: int) -> str:
    words = text.strip()
    if not words or len(words) > most:
        raise InvalidInput(f"{field}: between 1 and {most} characters", field=field, code="length")
    return words
