"""What a person of ours changes about themselves: name, language, time zone, password."""

from __future__ import annotations

from broadcaster.actions import passwords, staff, staff_secrets
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import InvalidInput
from broadcaster.core.event_types import Changed
from broadcaster.storage import log
from broadcaster.storage import staff as rows


def set_profile(runtime: Runtime, staff_id: int, *, name: str, language: str, time_zone: str) -> None:
    """Change what a person says of themselves. Raises InvalidInput."""
    cleaned = staff_secrets.name(name)
    staff.check_place(language, time_zone)
    with runtime.db.transaction(staff.actor(staff_id)) as session:
        row = staff.row_of(session, staff_id)
        row.language, row.time_zone = language, time_zone
        row.name_ct = staff_secrets.hide(runtime.keys, cleaned, staff_id=row.id, field="name")
        event = Changed("staff", row.id, "changed", ("name", "language", "time_zone"))
        log.record(session, event, at=runtime.db.now(session))


def set_password(runtime: Runtime, staff_id: int, *, current: str, new: str, keep_token: str = "") -> None:
    """Change one's own password; all other browsers are signed out. Raises InvalidInput for a wrong *current* one."""
    with runtime.db.reading() as session:
        row = staff.row_of(session, staff_id)
        email = staff.member(runtime, row).email
    if not passwords.fits(current) or not passwords.matches(row.password_hash, current):
        raise InvalidInput("this is not your password", code="password_wrong", field="current")
    passwords.check(new, email=email)
    hashed = passwords.hash_password(new)
    with runtime.db.transaction(staff.actor(staff_id)) as session:
        staff.row_of(session, staff_id).password_hash = hashed
        rows.close_sessions(session, staff_id, except_sha256=staff_secrets.token_hash(keep_token))
        log.record(session, Changed("staff", staff_id, "password", ("password",)), at=runtime.db.now(session))
