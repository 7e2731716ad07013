"""Who may sign in, and how: the verbs under the pages."""

from __future__ import annotations

import stat
from datetime import timedelta

import pytest
from sqlalchemy import text

from broadcaster.actions import passwords, profile, sequencer, sign_in, staff, staff_secrets
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import Conflict, IntegrityFailure, InvalidInput, NotFound, Refused
from broadcaster.storage import log
from tests.web.people import ADMIN, PASSWORD, add, first, wind_back


def test_first_administrator_needs_the_link_and_only_once(any_runtime: Runtime) -> None:
    """Nobody who merely reaches the server first may take it over."""
    token = staff.setup_token(any_runtime)
    assert token is not None
    with pytest.raises(NotFound):
        staff.create_first(any_runtime, "guess", email=ADMIN, name="Ada", password=PASSWORD)
    staff.create_first(any_runtime, token, email=ADMIN, name="Ada", password=PASSWORD)
    with pytest.raises(NotFound):
        staff.create_first(any_runtime, token, email="eve@example.org", name="Eve", password=PASSWORD)
    assert staff.setup_token(any_runtime) is None
    assert not (any_runtime.home / "setup-token").exists()


def test_setup_token_is_for_the_owner_of_the_files(runtime: Runtime) -> None:
    assert staff.setup_token(runtime) == staff.setup_token(runtime)
    assert stat.S_IMODE((runtime.home / "setup-token").stat().st_mode) == 0o600


def test_nobody_can_sign_in_before_the_set_up(runtime: Runtime) -> None:
    with pytest.raises(Refused):
        sign_in.sign_in(runtime, email="admin@example.org", password="admin")


def test_sign_in_opens_a_session_that_sign_out_ends(any_runtime: Runtime) -> None:
    first(any_runtime)
    opened = sign_in.sign_in(any_runtime, email=" ADA@example.org ", password=PASSWORD)
    person = sign_in.who(any_runtime, opened.token)
    assert person is not None
    assert (person.name, person.email, person.role) == ("Ada Admin", ADMIN, "admin")
    sign_in.sign_out(any_runtime, opened.token)
    assert sign_in.who(any_runtime, opened.token) is None


@pytest.mark.parametrize("column,minutes", [("seen_at", 4 * 60), ("expires_at", 16 * 60)])
def test_a_session_ends_by_idleness_and_by_age(any_runtime: Runtime, column: str, minutes: int) -> None:
    first(any_runtime)
    opened = sign_in.sign_in(any_runtime, email=ADMIN, password=PASSWORD)
    wind_back(any_runtime, "staff_session", column, timedelta(minutes=minutes))
    assert sign_in.who(any_runtime, opened.token) is None


def test_use_keeps_a_session_alive(any_runtime: Runtime) -> None:
    first(any_runtime)
    opened = sign_in.sign_in(any_runtime, email=ADMIN, password=PASSWORD)
    for _ in range(2):
        wind_back(any_runtime, "staff_session", "seen_at", timedelta(hours=3))
        assert sign_in.who(any_runtime, opened.token) is not None


def test_guessing_gets_slower_and_even_the_right_password_waits(any_runtime: Runtime) -> None:
    first(any_runtime)
    for _ in range(sign_in.FREE_TRIES):
        with pytest.raises(Refused):
            sign_in.sign_in(any_runtime, email=ADMIN, password="wrong password")
    with pytest.raises(Refused):
        sign_in.sign_in(any_runtime, email=ADMIN, password=PASSWORD)


def test_a_locked_account_opens_again_by_itself(any_runtime: Runtime) -> None:
    """No number of wrong passwords locks somebody out for good."""
    first(any_runtime)
    for _ in range(30):
        with pytest.raises(Refused):
            sign_in.sign_in(any_runtime, email=ADMIN, password="wrong password")
        wind_back(any_runtime, "staff", "locked_until", sign_in.LONGEST_WAIT)
    assert sign_in.sign_in(any_runtime, email=ADMIN, password=PASSWORD).token


def test_a_known_browser_does_not_wait(runtime: Runtime) -> None:
    """Whoever guesses at an account does not lock its owner out."""
    first(runtime)
    device = sign_in.sign_in(runtime, email=ADMIN, password=PASSWORD).device
    for _ in range(sign_in.FREE_TRIES):
        with pytest.raises(Refused):
            sign_in.sign_in(runtime, email=ADMIN, password="wrong password")
    with pytest.raises(Refused):
        sign_in.sign_in(runtime, email=ADMIN, password=PASSWORD, device=device[:-2] + "xx")
    assert sign_in.sign_in(runtime, email=ADMIN, password=PASSWORD, device=device).token


def test_unknown_and_known_people_get_the_same_refusal(runtime: Runtime) -> None:
    first(runtime)
    told = []
    for email in (ADMIN, "nobody@example.org", "no address"):
        with pytest.raises(Refused) as caught:
            sign_in.sign_in(runtime, email=email, password="wrong password")
        told.append((caught.value.message, caught.value.code))
    assert len(set(told)) == 1


def test_every_sign_in_is_in_the_log(any_runtime: Runtime) -> None:
    first(any_runtime)
    with pytest.raises(Refused):
        sign_in.sign_in(any_runtime, email="nobody@example.org", password="wrong password")
    with pytest.raises(Refused):
        sign_in.sign_in(any_runtime, email=ADMIN, password="wrong password")
    sign_in.sign_in(any_runtime, email=ADMIN, password=PASSWORD)
    with any_runtime.db.reading() as session:
        found = [bytes(row.body) for row in log.activity(session) if row.event == "SignedIn"]
    assert [b'"success":true' in body for body in found] == [True, False, False]
    assert all(b"example.org" not in body for body in found)
    sequencer.sequence(any_runtime)
    assert not sequencer.verify(any_runtime).problems


def test_no_address_or_name_of_staff_is_stored_in_clear(runtime: Runtime) -> None:
    first(runtime)
    runtime.close()
    stored = b"".join(path.read_bytes() for path in runtime.home.glob("test.sqlite3*"))
    assert b"ada@example.org" not in stored
    assert b"Ada Admin" not in stored


def test_one_persons_encrypted_name_is_not_anothers(runtime: Runtime) -> None:
    hidden = staff_secrets.hide(runtime.keys, "Ada", staff_id=1, field="name")
    assert staff_secrets.show(runtime.keys, hidden, staff_id=1, field="name") == "Ada"
    with pytest.raises(IntegrityFailure):
        staff_secrets.show(runtime.keys, hidden, staff_id=2, field="name")


def test_an_invitation_is_good_once(any_runtime: Runtime) -> None:
    admin = first(any_runtime)
    made = staff.create(any_runtime, email="mia@example.org", name="Mia", role="marketer", by=admin)
    token = staff.invite(any_runtime, made, by=admin).rpartition("/")[2]
    assert staff.invited(any_runtime, token).email == "mia@example.org"
    assert staff.join(any_runtime, token, "her own good words") == made
    with pytest.raises(NotFound):
        staff.join(any_runtime, token, "somebody else's words")
    assert sign_in.sign_in(any_runtime, email="mia@example.org", password="her own good words").token


@pytest.mark.parametrize(
    "token", ["", "1", "1.2", "1.9999999999.x", "1.9999999999.é", "٣.9999999999.x", "1.-1.x", "9" * 99]
)
def test_a_made_up_invitation_is_refused(runtime: Runtime, token: str) -> None:
    first(runtime)
    with pytest.raises(NotFound):
        staff.invited(runtime, token)


def test_an_invitation_gets_too_old(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = first(runtime)
    made = staff.create(runtime, email="mia@example.org", name="Mia", role="marketer", by=admin)
    monkeypatch.setattr(staff, "INVITATION", timedelta(seconds=-1))
    token = staff.invite(runtime, made, by=admin).rpartition("/")[2]
    with pytest.raises(NotFound):
        staff.invited(runtime, token)


def test_nobody_works_here_twice(any_runtime: Runtime) -> None:
    admin = first(any_runtime)
    with pytest.raises(Conflict):
        staff.create(any_runtime, email="Ada@EXAMPLE.org", name="Ada again", role="auditor", by=admin)


def test_switching_somebody_off_signs_them_out(any_runtime: Runtime) -> None:
    admin = first(any_runtime)
    made = add(any_runtime, "mia@example.org", "marketer", by=admin)
    opened = sign_in.sign_in(any_runtime, email="mia@example.org", password=PASSWORD)
    staff.set_active(any_runtime, made, False, by=admin)
    assert sign_in.who(any_runtime, opened.token) is None
    with pytest.raises(Refused):
        sign_in.sign_in(any_runtime, email="mia@example.org", password=PASSWORD)


def test_another_role_ends_the_sessions_of_the_old_one(any_runtime: Runtime) -> None:
    admin = first(any_runtime)
    made = add(any_runtime, "mia@example.org", "marketer", by=admin)
    opened = sign_in.sign_in(any_runtime, email="mia@example.org", password=PASSWORD)
    staff.change_role(any_runtime, made, "auditor", by=admin)
    assert sign_in.who(any_runtime, opened.token) is None


def test_an_administrator_remains(any_runtime: Runtime) -> None:
    admin = first(any_runtime)
    with pytest.raises(Refused):
        staff.change_role(any_runtime, admin, "marketer", by=admin)
    with pytest.raises(Refused):
        staff.set_active(any_runtime, admin, False, by=admin)
    with pytest.raises(Refused):
        staff.set_active(any_runtime, admin, False)
    staff.create(any_runtime, email="ben@example.org", name="Ben", role="admin", by=admin)  # has not joined yet
    with pytest.raises(Refused):
        staff.change_role(any_runtime, admin, "marketer")


def test_a_new_password_signs_the_other_browsers_out(any_runtime: Runtime) -> None:
    admin = first(any_runtime)
    mine, other = (sign_in.sign_in(any_runtime, email=ADMIN, password=PASSWORD).token for _ in range(2))
    with pytest.raises(InvalidInput):
        profile.set_password(any_runtime, admin, current="wrong", new="another good one", keep_token=mine)
    profile.set_password(any_runtime, admin, current=PASSWORD, new="another good one", keep_token=mine)
    assert sign_in.who(any_runtime, mine) is not None
    assert sign_in.who(any_runtime, other) is None


@pytest.mark.parametrize(
    "password,code",
    [
        ("", "password_short"),
        ("a", "password_short"),
        ("123456789", "password_short"),
        ("x" * 257, "password_long"),
        ("é" * 200, "password_long"),
        ("long enough\0but not a text", "password_long"),
        ("1234567890", "password_common"),
        ("Password2026!", "password_common"),
        ("P@ssw0rd!!", "password_common"),
        ("azertyuiop", "password_common"),
        ("aaaaaaaaaaaa", "password_common"),
        ("abc12abc12", "password_common"),
        ("margaret1987", "password_common"),
    ],
)
def test_a_bad_password_is_refused_with_its_reason(password: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        passwords.check(password, email="margaret@example.org")
    assert caught.value.code == code


@pytest.mark.parametrize(
    "password", ["x1y2z3" + "q" * 58, " leading space and more", "😀🎉🚀🌍💡🔥🍀🎈🐙🧩", "correct horse battery"]
)
def test_a_good_password_is_taken_as_it_is(password: str) -> None:
    passwords.check(password, email="margaret@example.org")
    assert passwords.matches(passwords.hash_password(password), password)
    assert not passwords.matches(passwords.hash_password(password), password.strip() + " ")


def test_stored_hashes_are_argon2id(runtime: Runtime) -> None:
    first(runtime)
    with runtime.db.reading() as session:
        assert str(session.connection().execute(text("SELECT password_hash FROM staff")).scalar_one()).startswith(
            "$argon2id$"
        )
