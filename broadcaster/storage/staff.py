"""Staff and their signed-in browsers: queries. Changes of staff need a log event, changes of sessions do not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, text, update
from sqlmodel import Session, col
from sqlmodel import select as model_select

from broadcaster.storage.tables import Staff, StaffSession


def by_id(session: Session, staff_id: int, *, locked: bool = False) -> Staff | None:
    """Return a row; *locked*: nobody else changes it until the transaction ends."""
    return session.get(Staff, staff_id, with_for_update={"key_share": True} if locked else None)


def by_digest(session: Session, digest: bytes) -> Staff | None:
    """Find the row of an e-mail address by its keyed hash."""
    return session.exec(model_select(Staff).where(col(Staff.email_digest) == digest)).first()


def everyone(session: Session, *, ids: Sequence[int] | None = None) -> Sequence[Staff]:
    """Return all staff, the active ones first, oldest first; only *ids* where given."""
    query = model_select(Staff).order_by(col(Staff.active).desc(), col(Staff.id))
    if ids is not None:
        query = query.where(col(Staff.id).in_(ids))
    return session.exec(query).all()


def anybody(session: Session) -> bool:
    """Say whether the first administrator has been created."""
    return session.connection().execute(select(col(Staff.id)).limit(1)).first() is not None


def active_admins(session: Session) -> int:
    """Return how many administrators can sign in: active, with a password."""
    query = select(func.count()).select_from(Staff)
    query = query.where(col(Staff.role) == "admin", col(Staff.active).is_(True), col(Staff.password_hash) != "")
    return int(session.connection().execute(query).scalar_one())


def lock(session: Session) -> None:
    """Let one transaction at a time decide on who is staff. SQLite's transactions already are one at a time."""
    if session.connection().dialect.name == "postgresql":
        session.connection().execute(text("LOCK TABLE staff IN SHARE ROW EXCLUSIVE MODE"))


def open_session(session: Session, row: StaffSession) -> None:
    """Store a signed-in browser."""
    session.add(row)
    session.flush()


def signed_in(session: Session, token_sha256: str) -> tuple[StaffSession, Staff] | None:
    """Return the browser's session and whose it is."""
    query = model_select(StaffSession, Staff).join(Staff, col(Staff.id) == col(StaffSession.staff_id))
    return session.exec(query.where(col(StaffSession.token_sha256) == token_sha256)).first()


def sessions_of(session: Session, staff_id: int) -> Sequence[StaffSession]:
    """Return a person's open sessions, the last used first."""
    query = model_select(StaffSession).where(col(StaffSession.staff_id) == staff_id)
    return session.exec(query.order_by(col(StaffSession.seen_at).desc())).all()


def touch(session: Session, token_sha256: str, now: datetime) -> None:
    """Note that the browser was seen."""
    statement = update(StaffSession).where(col(StaffSession.token_sha256) == token_sha256).values(seen_at=now)
    session.connection().execute(statement)


def close_session(session: Session, token_sha256: str) -> None:
    session.connection().execute(delete(StaffSession).where(col(StaffSession.token_sha256) == token_sha256))


def close_sessions(session: Session, staff_id: int, *, except_sha256: str = "") -> int:
    """Sign a person out everywhere but in *except_sha256*; return in how many browsers."""
    statement = delete(StaffSession).where(
        col(StaffSession.staff_id) == staff_id, col(StaffSession.token_sha256) != except_sha256
    )
    return session.connection().execute(statement).rowcount


def drop_expired(session: Session, now: datetime, idle_before: datetime) -> int:
    """Delete sessions past their end or not used since *idle_before*; return how many."""
    past = (col(StaffSession.expires_at) <= now) | (col(StaffSession.seen_at) <= idle_before)
    return session.connection().execute(delete(StaffSession).where(past)).rowcount
