"""Who works here: the first administrator, invitations, roles. Every change is logged, ids only.

Nobody gives a password to somebody else: an administrator hands over a link (``invite``), and the person chooses.
"""

from __future__ import annotations

import hmac
import os
import secrets
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from broadcaster.actions import passwords, staff_secrets
from broadcaster.actions.runtime import Runtime
from broadcaster.core.addresses import normalise_email
from broadcaster.core.errors import Conflict, InvalidInput, NotFound, Refused
from broadcaster.core.event_types import Changed
from broadcaster.storage import log
from broadcaster.storage import staff as rows
from broadcaster.storage.tables import Staff

ROLES = ("admin", "marketer", "agent", "auditor")
LANGUAGES = ("en", "fr")
TIME_ZONES = frozenset(zoneinfo.available_timezones())
INVITATION = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Member:
    """A staff row, readable. ``joined``: a password has been chosen."""

    id: int
    email: str = field(repr=False)
    name: str = field(repr=False)
    role: str
    language: str
    time_zone: str
    active: bool
    joined: bool
    created_at: datetime


def member(runtime: Runtime, row: Staff) -> Member:
    """Return a row with its address and name decrypted."""
    return Member(
        id=row.id,
        email=staff_secrets.show(runtime.keys, bytes(row.email_ct), staff_id=row.id, field="email"),
        name=staff_secrets.show(runtime.keys, bytes(row.name_ct), staff_id=row.id, field="name"),
        role=row.role,
        language=row.language,
        time_zone=row.time_zone,
        active=row.active,
        joined=bool(row.password_hash),
        created_at=row.created_at,
    )


def everyone(runtime: Runtime) -> list[Member]:
    """Return all staff, the active ones first."""
    with runtime.db.reading() as session:
        return [member(runtime, row) for row in rows.everyone(session)]


def names(runtime: Runtime, ids: Iterable[int]) -> dict[int, str]:
    """Return the names of *ids*, for screens that show who did something."""
    wanted = sorted(set(ids))
    with runtime.db.reading() as session:
        return {row.id: member(runtime, row).name for row in rows.everyone(session, ids=wanted)} if wanted else {}


def find(runtime: Runtime, staff_id: int) -> Member:
    """Return one person. Raises NotFound."""
    with runtime.db.reading() as session:
        return member(runtime, row_of(session, staff_id))


# The first administrator.


def anybody(runtime: Runtime) -> bool:
    """Say whether the first administrator has been created."""
    with runtime.db.reading() as session:
        return rows.anybody(session)


def setup_token(runtime: Runtime) -> str | None:
    """Return the token that creates the first administrator, None when there is one.

    It stands in ``setup-token`` in the home folder, readable by its owner only; who can read that file may set up.
    """
    path = _token_file(runtime)
    if anybody(runtime):
        path.unlink(missing_ok=True)
        return None
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip() or None
    token = secrets.token_urlsafe(24)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


def is_setup_token(runtime: Runtime, token: str) -> bool:
    """Say whether *token* may create the first administrator now."""
    expected = setup_token(runtime)
    return expected is not None and hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace"))


def create_first(
    runtime: Runtime, token: str, *, email: str, name: str, password: str, language: str = "en", time_zone: str = "UTC"
) -> int:
    """Create the first administrator; the token works once. Raises NotFound for a wrong token, Conflict if too late."""
    if not is_setup_token(runtime, token):
        raise NotFound("This set-up link is not valid.", code="bad_link")
    passwords.check(password, email=email)
    hashed = passwords.hash_password(password)
    with runtime.db.transaction() as session:
        rows.lock(session)
        if rows.anybody(session):
            raise Conflict("The first administrator exists already.", code="set_up")
        made = _insert(runtime, session, email=email, name=name, role="admin", language=language, time_zone=time_zone)
        made.password_hash = hashed
        session.flush()
    _token_file(runtime).unlink(missing_ok=True)
    return made.id


# The others.


def create(
    runtime: Runtime, *, email: str, name: str, role: str, by: int | None = None, language: str = "en",
    time_zone: str = "UTC",
) -> int:  # fmt: skip
    """Add a person who chooses a password by the link of ``invite``. Raises InvalidInput, Conflict if known."""
    with runtime.db.transaction(actor(by)) as session:
        rows.lock(session)
        made = _insert(runtime, session, email=email, name=name, role=role, language=language, time_zone=time_zone)
    return made.id


def invite(runtime: Runtime, staff_id: int, *, by: int | None = None) -> str:
    """Return the address of the page where the person chooses a password; good for three days, and once."""
    with runtime.db.transaction(actor(by)) as session:
        row = row_of(session, staff_id)
        if not row.active:
            raise Conflict("This person is switched off.", code="staff_inactive")
        now = runtime.db.now(session)
        log.record(session, Changed(what="staff", id=row.id, verb="invited"), at=now)
    until = now + INVITATION
    token = staff_secrets.invitation(runtime.keys, staff_id=row.id, password_hash=row.password_hash, until=until)
    return f"{runtime.public_url}/join/{token}"


def invited(runtime: Runtime, token: str) -> Member:
    """Return whom a link is for. Raises NotFound when it is used, too old, changed, or the person switched off."""
    with runtime.db.reading() as session:
        return member(runtime, _invited(runtime, session, token))


def join(runtime: Runtime, token: str, password: str) -> int:
    """Set the password of whom the link is for, and sign them out everywhere. Raises NotFound, InvalidInput."""
    who = invited(runtime, token)
    passwords.check(password, email=who.email)
    hashed = passwords.hash_password(password)
    with runtime.db.transaction(actor(who.id)) as session:
        rows.lock(session)
        row = _invited(runtime, session, token)
        row.password_hash, row.failed_logins, row.locked_until = hashed, 0, None
        rows.close_sessions(session, row.id)
        log.record(session, Changed("staff", row.id, "password", ("password",)), at=runtime.db.now(session))
    return who.id


def change_role(runtime: Runtime, staff_id: int, role: str, *, by: int | None = None) -> None:
    """Give a person another role; their open sessions end. Raises Refused for one's own or the last administrator."""
    _one_of(role, ROLES, "role")
    with runtime.db.transaction(actor(by)) as session:
        row = _editable(session, staff_id, by)
        if row.role == role:
            return
        row.role = role
        _left_with_an_admin(session)
        rows.close_sessions(session, row.id)
        log.record(session, Changed("staff", row.id, "changed", ("role",)), at=runtime.db.now(session))


def set_active(runtime: Runtime, staff_id: int, active: bool, *, by: int | None = None) -> None:
    """Switch a person off, which signs them out at once, or on again. Raises Refused as ``change_role`` does."""
    with runtime.db.transaction(actor(by)) as session:
        row = _editable(session, staff_id, by)
        if row.active == active:
            return
        row.active = active
        _left_with_an_admin(session)
        rows.close_sessions(session, row.id)
        verb = "enabled" if active else "disabled"
        log.record(session, Changed("staff", row.id, verb, ("active",)), at=runtime.db.now(session))


def _insert(
    runtime: Runtime, session: Session, *, email: str, name: str, role: str, language: str, time_zone: str
) -> Staff:
    canonical, cleaned = _email(email), staff_secrets.name(name)
    _one_of(role, ROLES, "role")
    check_place(language, time_zone)
    if any(rows.by_digest(session, one) for one in staff_secrets.digests(runtime.keys, canonical)):
        raise Conflict("Somebody with this e-mail address works here already.", code="staff_exists")
    row = Staff(
        email_digest=staff_secrets.digest(runtime.keys, canonical),
        email_ct=b"",
        name_ct=b"",
        password_hash="",
        role=role,
        language=language,
        time_zone=time_zone,
        created_at=runtime.db.now(session),
    )
    session.add(row)
    session.flush()
    row.email_ct = staff_secrets.hide(runtime.keys, canonical, staff_id=row.id, field="email")
    row.name_ct = staff_secrets.hide(runtime.keys, cleaned, staff_id=row.id, field="name")
    log.record(session, Changed("staff", row.id, "created", (role,)), at=row.created_at)
    return row


def row_of(session: Session, staff_id: int) -> Staff:
    """Return a row to change. Raises NotFound."""
    row = rows.by_id(session, staff_id)
    if row is None:
        raise NotFound("There is no such person.")
    return row


def _editable(session: Session, staff_id: int, by: int | None) -> Staff:
    rows.lock(session)
    if staff_id == by:
        raise Refused("Nobody changes their own role or switches themselves off.", code="own_role")
    return row_of(session, staff_id)


def _left_with_an_admin(session: Session) -> None:
    session.flush()
    if not rows.active_admins(session):
        raise Refused("There must always be an administrator who can sign in.", code="last_admin")


def _invited(runtime: Runtime, session: Session, token: str) -> Staff:
    staff_id, expires = staff_secrets.invited(token)
    row = rows.by_id(session, staff_id)
    staff_secrets.confirm(runtime.keys, token, password_hash="" if row is None else row.password_hash)
    if row is None or not row.active or runtime.db.now(session) > datetime.fromtimestamp(expires, UTC):
        raise NotFound("This link is incomplete, has been used, or is too old.", code="bad_link")
    return row


def _email(text: str) -> str:
    try:
        return normalise_email(text)
    except InvalidInput as problem:
        raise InvalidInput(problem.message, code=problem.code, field="email") from None


def check_place(language: str, time_zone: str) -> None:
    """Raise InvalidInput for a language we do not speak or a time zone nobody knows."""
    _one_of(language, LANGUAGES, "language")
    _one_of(time_zone, TIME_ZONES, "time_zone")


def _one_of(value: str, known: Iterable[str], field: str) -> None:
    if value not in known:
        raise InvalidInput("choose one of the list", code="unknown_choice", field=field)


def _token_file(runtime: Runtime) -> Path:
    return runtime.home / "setup-token"


def actor(by: int | None) -> str:
    """Return how the log calls a person of ours; nobody in particular is the system."""
    return "system" if by is None else f"staff:{by}"
