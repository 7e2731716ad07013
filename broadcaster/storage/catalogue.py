"""Brands, purposes and wordings in SQL."""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from broadcaster.storage.tables import Brand, Purpose, Wording


def key_taken(session: Session, table: type[Brand] | type[Purpose], key: str) -> bool:
    return session.exec(select(table.id).where(table.key == key)).first() is not None


def purpose_by_key(session: Session, key: str) -> Purpose | None:
    return session.exec(select(Purpose).where(Purpose.key == key)).first()


def newest_version(session: Session, purpose_id: int, language: str) -> int:
    """Return the newest version of a purpose's wording in a language, 0 if there is none."""
    same = (Wording.purpose_id == purpose_id, Wording.language == language)
    return session.exec(select(func.coalesce(func.max(Wording.version), 0)).where(*same)).one()


def purposes(session: Session) -> list[Purpose]:
    """Return the purposes people can agree to."""
    query = select(Purpose).where(col(Purpose.leaf), col(Purpose.archived_at).is_(None)).order_by(col(Purpose.key))
    return list(session.exec(query).all())


def wordings(session: Session, purpose_id: int | None = None) -> list[Wording]:
    """Return wordings, the newest version of each language first."""
    query = select(Wording)
    if purpose_id is not None:
        query = query.where(Wording.purpose_id == purpose_id)
    order = (col(Wording.purpose_id), col(Wording.language), col(Wording.version).desc())
    return list(session.exec(query.order_by(*order)).all())
