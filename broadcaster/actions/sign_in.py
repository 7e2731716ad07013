"""Signing in and out: sessions on the server, guessing made slow, the same answer and the same time for everybody.

After ``FREE_TRIES`` wrong passwords an account waits, longer each time, at most ``LONGEST_WAIT``: about
fourteen guesses in the first hour, six in each that follows. A browser the person has used before (``device``) does not
wait: nobody can lock somebody else out.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session

from broadcaster.actions import passwords, staff_secrets
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.staff import Member, member
from broadcaster.core.addresses import normalise_email
from broadcaster.core.errors import InvalidInput, Refused
from broadcaster.core.event_types import SignedIn
from broadcaster.storage import log
from broadcaster.storage import staff as rows
from broadcaster.storage.tables import Staff, StaffSession

IDLE = timedelta(hours=4)
LONGEST = timedelta(hours=16)
TOUCH_EVERY = timedelta(minutes=2)

FREE_TRIES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session: the browser's token, and what marks this browser as known to the person."""

    staff_id: int
    token: str = field(repr=False)
    device: str = field(repr=False)
    language: str = "en"


def sign_in(runtime: Runtime, *, email: str, password: str, device: str = "") -> Opened:
    """Open a session. Raises Refused with one text for whatever is wrong; InvalidInput for an oversized password."""
    if not passwords.fits(password):
        raise InvalidInput("this is too long to be a password", code="password_long", field="password")
    with runtime.db.reading() as session:
        found = _find(runtime, session, email)
        staff_id, stored = (None, None) if found is None else (found.id, found.password_hash)
    right = passwords.matches(stored, password)
    fresh = passwords.hash_password(password) if right and stored and passwords.outdated(stored) else None
    with runtime.db.transaction("system" if staff_id is None else f"staff:{staff_id}") as session:
        opened = _decide(runtime, session, staff_id, stored=stored, right=right, device=device, fresh=fresh)
        log.record(session, SignedIn(staff_id, success=opened is not None), at=runtime.db.now(session))
    if opened is None:
        raise Refused("E-mail address or password is wrong, or there were too many tries.", code="sign_in")
    return opened


def _decide(
    runtime: Runtime,
    session: Session,
    staff_id: int | None,
    *,
    stored: str | None,
    right: bool,
    device: str,
    fresh: str | None,
) -> Opened | None:
    row = None if staff_id is None else rows.by_id(session, staff_id, locked=True)
    if row is None:
        return None
    now = runtime.db.now(session)
    waiting = row.locked_until is not None and row.locked_until > now and not _knows(runtime, row.id, device)
    if right and not waiting and row.active and row.password_hash == stored:
        row.failed_logins, row.locked_until = 0, None
        row.password_hash = fresh or row.password_hash
        return _open(runtime, session, row, now)
    if not waiting:
        row.failed_logins += 1
        row.locked_until = _wait_until(now, row.failed_logins)
    return None


def _wait_until(now: datetime, failures: int) -> datetime | None:
    if failures < FREE_TRIES:
        return None
    doubled = FIRST_WAIT * (1 << min(failures - FREE_TRIES, 10))
    return now + min(doubled, LONGEST_WAIT)


def _open(runtime: Runtime, session: Session, row: Staff, now: datetime) -> Opened:
    rows.drop_expired(session, now, now - IDLE)
    token = secrets.token_urlsafe(32)
    hashed = staff_secrets.token_hash(token)
    made = StaffSession(token_sha256=hashed, staff_id=row.id, created_at=now, seen_at=now, expires_at=now + LONGEST)
    rows.open_session(session, made)
    return Opened(row.id, token, _device(runtime, row.id), row.language)


def open_for(runtime: Runtime, staff_id: int) -> Opened:
    """Open a session for a person who has just shown who they are by a set-up or invitation link."""
    with runtime.db.transaction(f"staff:{staff_id}") as session:
        row = rows.by_id(session, staff_id)
        if row is None or not row.active:
            raise Refused("This person cannot sign in.", code="sign_in")
        now = runtime.db.now(session)
        log.record(session, SignedIn(staff_id, success=True), at=now)
        return _open(runtime, session, row, now)


def who(runtime: Runtime, token: str) -> Member | None:
    """Return whose browser this is, None when it is signed out, idle for too long, too old, or the person is off."""
    hashed = staff_secrets.token_hash(token)
    with runtime.db.reading() as session:
        found = rows.signed_in(session, hashed)
        now = runtime.db.now(session)
        if found is None or not found[1].active or now >= found[0].expires_at or now - found[0].seen_at >= IDLE:
            return None
        stale = now - found[0].seen_at >= TOUCH_EVERY
        person = member(runtime, found[1])
    if stale:
        with runtime.db.transaction() as session:
            rows.touch(session, hashed, now)
    return person


def sign_out(runtime: Runtime, token: str) -> None:
    """End the browser's session; a copy of its cookie is worth nothing from now on."""
    with runtime.db.transaction() as session:
        rows.close_session(session, staff_secrets.token_hash(token))


def sign_out_others(runtime: Runtime, staff_id: int, *, keep_token: str) -> int:
    """End all of a person's sessions but this browser's; return how many."""
    with runtime.db.transaction(f"staff:{staff_id}") as session:
        return rows.close_sessions(session, staff_id, except_sha256=staff_secrets.token_hash(keep_token))


def open_sessions(runtime: Runtime, staff_id: int, *, token: str) -> list[tuple[datetime, datetime, bool]]:
    """Return (opened, last seen, this one) of a person's sessions that still work."""
    mine = staff_secrets.token_hash(token)
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
        found = rows.sessions_of(session, staff_id)
        alive = (row for row in found if now < row.expires_at and now - row.seen_at < IDLE)
        return [(row.created_at, row.seen_at, row.token_sha256 == mine) for row in alive]


def _find(runtime: Runtime, session: Session, email: str) -> Staff | None:
    try:
        canonical = normalise_email(email)
    except InvalidInput:
        return None
    found = (rows.by_digest(session, one) for one in staff_secrets.digests(runtime.keys, canonical))
    return next((row for row in found if row is not None), None)


def _device(runtime: Runtime, staff_id: int) -> str:
    return _device_mac(runtime.keys.session[0].secret, staff_id)


def _knows(runtime: Runtime, staff_id: int, device: str) -> bool:
    given = device.encode("utf-8", "replace")
    made = (_device_mac(key.secret, staff_id).encode() for key in runtime.keys.session)
    return any(hmac.compare_digest(one, given) for one in made)


def _device_mac(secret: bytes, staff_id: int) -> str:
    return urlsafe_b64encode(hmac.digest(secret, f"known browser|{staff_id}".encode(), "sha256")).decode()
