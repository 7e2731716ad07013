"""What the screens read about one contact: consent states, consent events with their evidence, merges, history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, or_, select

from broadcaster.core.consent import Source
from broadcaster.core.contacts import WISHES
from broadcaster.storage.database import any_id, id_list
from broadcaster.storage.tables import (
    ConsentEvidence,
    ConsentRecord,
    ConsentStanding,
    ContactMerge,
    PreferenceEvent,
    Purpose,
    Wording,
)


def standings(session: Session, address_ids: Sequence[int]) -> Sequence[tuple[ConsentStanding, Purpose]]:
    """Return the consent states of addresses with their purposes."""
    query = select(ConsentStanding, Purpose).join(Purpose, col(Purpose.id) == col(ConsentStanding.purpose_id))
    query = query.where(col(ConsentStanding.address_id).in_(address_ids))
    return session.exec(query.order_by(col(ConsentStanding.address_id), col(Purpose.id))).all()


def consent_events(
    session: Session, address_ids: Sequence[int], *, limit: int
) -> Sequence[tuple[ConsentRecord, Purpose, Wording | None, ConsentEvidence | None]]:
    """Return consent events newest first, with purpose, wording and (unless erased) sealed evidence."""
    query: Any = (
        select(ConsentRecord, Purpose, Wording, ConsentEvidence)
        .join(Purpose, col(Purpose.id) == col(ConsentRecord.purpose_id))
        .outerjoin(Wording, col(Wording.id) == col(ConsentRecord.wording_id))
        .outerjoin(ConsentEvidence, col(ConsentEvidence.event_id) == col(ConsentRecord.id))
        .where(col(ConsentRecord.address_id).in_(address_ids))
        .order_by(col(ConsentRecord.occurred_at).desc(), col(ConsentRecord.id).desc())
    )
    found: Sequence[tuple[ConsentRecord, Purpose, Wording | None, ConsentEvidence | None]]
    found = session.exec(query.limit(limit)).all()
    return found


def preference_events(session: Session, contact_id: int, *, limit: int) -> Sequence[PreferenceEvent]:
    """Return the preference history, newest first."""
    query = select(PreferenceEvent).where(PreferenceEvent.contact_id == contact_id)
    return session.exec(query.order_by(col(PreferenceEvent.id).desc()).limit(limit)).all()


def wishes(session: Session, contact_id: int) -> dict[str, datetime]:
    """Return which of ``WISHES`` stand as the person last set them on their own page, and since when."""
    query = select(PreferenceEvent.field, PreferenceEvent.source, PreferenceEvent.at)
    query = query.where(PreferenceEvent.contact_id == contact_id, col(PreferenceEvent.field).in_(WISHES))
    newest = {field: (source, at) for field, source, at in session.exec(query.order_by(col(PreferenceEvent.id)))}
    return {field: at for field, (source, at) in newest.items() if source == Source.PREFERENCE_PAGE}


def merges(session: Session, contact_id: int) -> Sequence[ContactMerge]:
    """Return the merges a contact took part in, newest first."""
    either = or_(ContactMerge.kept_id == contact_id, ContactMerge.merged_id == contact_id)
    return session.exec(select(ContactMerge).where(either).order_by(col(ContactMerge.id).desc())).all()


def sharing(session: Session, address_ids: Sequence[int]) -> dict[int, int]:
    """Return how many contacts use each address."""
    query = text(
        "SELECT ca.address_id, count(*) FROM contact_address ca JOIN contact c ON c.id = ca.contact_id "
        f"WHERE ca.address_id {any_id(session)} AND ca.valid_to IS NULL AND c.merged_into IS NULL GROUP BY 1"
    )
    rows = session.connection().execute(query, {"ids": id_list(session, address_ids)})
    return {row[0]: row[1] for row in rows}
