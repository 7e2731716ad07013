"""A pause: nothing until its day, then all as before; nobody else ends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import text

from broadcaster.actions import contact_story, dispatch, optin, pausing, planning
from broadcaster.actions.choosing import Done
from broadcaster.actions.runtime import Runtime
from broadcaster.core.deliveries import Reason
from broadcaster.storage.database import Database, sql
from tests import factories
from tests.actions.behind import SHOWN, Behind
from tests.factories import ACTOR


@pytest.fixture
def behind(runtime: Runtime) -> Behind:
    return Behind(runtime)


def _in(days: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=days)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the database's clock on by days."""
    real = Database.now

    def move(days: float) -> None:
        monkeypatch.setattr(Database, "now", lambda self, session: real(self, session) + timedelta(days=days))

    return move


def test_a_pause_holds_every_address_until_its_day_and_then_all_is_as_before(
    behind: Behind, later: Callable[[float], None]
) -> None:
    assert pausing.pause(behind.runtime, behind.token, _in(30), evidence=SHOWN) is Done.PAUSED
    assert (behind.standing(behind.mail), behind.standing(behind.phone)) == ("restricted", "restricted")
    assert behind.standing(behind.other_mail) == "granted"
    assert pausing.end_pauses(behind.runtime) == 0
    later(31)
    assert pausing.end_pauses(behind.runtime) == 2
    assert (behind.standing(behind.mail), behind.standing(behind.phone)) == ("granted", None)
    assert pausing.end_pauses(behind.runtime) == 0


def test_the_person_ends_their_pause_when_they_like(behind: Behind) -> None:
    pausing.pause(behind.runtime, behind.token, _in(30), evidence=SHOWN)
    assert pausing.pause(behind.runtime, behind.token, None, evidence=SHOWN) is Done.RESUMED
    assert behind.standing(behind.mail) == "granted"


def test_the_last_day_chosen_counts(behind: Behind, later: Callable[[float], None]) -> None:
    for days in (30, 5, 5):
        pausing.pause(behind.runtime, behind.token, _in(days), evidence=SHOWN)
    later(6)
    pausing.end_pauses(behind.runtime)
    assert behind.standing(behind.mail) == "granted"


def test_a_yes_after_a_stop_within_the_pause_waits_for_its_end_and_no_longer(
    behind: Behind, later: Callable[[float], None]
) -> None:
    pausing.pause(behind.runtime, behind.token, _in(30), evidence=SHOWN)
    behind.stop(behind.mail, None)
    behind.agree(behind.mail, behind.wording)
    assert behind.standing(behind.mail) == "restricted"
    later(31)
    pausing.end_pauses(behind.runtime)
    assert behind.standing(behind.mail) == "granted"


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_a_day_that_is_over_or_far_away_pauses_nothing(behind: Behind, days: int) -> None:
    before = behind.events()
    assert pausing.pause(behind.runtime, behind.token, _in(days), evidence=SHOWN) is Done.BAD_DATE
    assert behind.events() == before


def test_staff_do_not_end_a_persons_pause_and_its_end_ends_no_hold_of_ours(behind: Behind) -> None:
    pausing.pause(behind.runtime, behind.token, _in(30), evidence=SHOWN)
    optin.release(behind.runtime, address_id=behind.mail, reason="a mistake", actor=ACTOR)
    assert behind.standing(behind.mail) == "restricted"
    optin.restrict(behind.runtime, address_id=behind.mail, reason="a dispute", actor=ACTOR)
    pausing.pause(behind.runtime, behind.token, None, evidence=SHOWN)
    assert behind.standing(behind.mail) == "restricted"


def test_a_pause_skips_what_would_go_out_before_its_end_and_nothing_else(behind: Behind) -> None:
    account = factories.account(behind.runtime, behind.brand, "sandbox", channel="email")
    for days in (2, 20):
        factories.campaign(behind.runtime, brand_id=behind.brand, purpose_id=behind.purpose, lanes=[("email", account)])
        [run] = planning.start_due(behind.runtime)
        while planning.plan_range(behind.runtime, run):
            pass
        move = sql("UPDATE step SET due_at = :due WHERE run_id = :run", "due")
        with behind.runtime.db.engine.connect() as connection:
            connection.execute(move, {"due": datetime.now(UTC) + timedelta(days=days), "run": run})
            connection.commit()
    pausing.pause(behind.runtime, behind.token, _in(10), evidence=SHOWN)
    with behind.runtime.db.reading() as session:
        query = text("SELECT state, reason FROM step WHERE address_id = :mail ORDER BY due_at")
        found = session.connection().execute(query, {"mail": behind.mail}).all()
    assert [tuple(row) for row in found] == [("skipped", "restricted"), ("planned", None)]


def _planned(behind: Behind, account: int, **schedule: object) -> list[tuple[object, ...]]:
    """Plan a campaign; return (state, reason) of its deliveries to the paused person and to another."""
    lanes = [("email", account)]
    factories.campaign(
        behind.runtime, brand_id=behind.brand, purpose_id=behind.purpose, lanes=lanes, schedule=dict(schedule)
    )
    [run] = planning.start_due(behind.runtime)
    while planning.plan_range(behind.runtime, run):
        pass
    return _outcomes(behind, run)


def _outcomes(behind: Behind, run: int) -> list[tuple[object, ...]]:
    query = text(
        "SELECT coalesce(s.state, 'skipped'), coalesce(s.reason, d.reason) FROM delivery d "
        "LEFT JOIN step s ON s.delivery_id = d.id WHERE d.run_id = :run ORDER BY d.contact_id"
    )
    with behind.runtime.db.reading() as session:
        return [tuple(row) for row in session.connection().execute(query, {"run": run})]


def _verdict(behind: Behind) -> Reason | None:
    lines = contact_story.may_we(behind.runtime, behind.contact)
    [line] = [one for one in lines if one.purpose.id == behind.purpose]
    return next(one.reason for one in line.verdicts if one.address_id == behind.mail)


def test_what_is_due_after_a_pause_goes_out_before_anybody_has_written_that_it_is_over(
    behind: Behind, later: Callable[[float], None]
) -> None:
    account = factories.account(behind.runtime, behind.brand, "sandbox", channel="email")
    assert pausing.pause(behind.runtime, behind.token, _in(2), evidence=SHOWN) is Done.PAUSED
    assert _planned(behind, account) == [("skipped", "restricted"), ("planned", None)]
    assert _verdict(behind) is Reason.RESTRICTED
    later(3)
    assert _verdict(behind) is None
    assert _planned(behind, account) == [("planned", None), ("planned", None)]
    assert dispatch.drain(behind.runtime, account, seconds=20).outcomes == {"accepted": 3}
    assert behind.page().paused_until is None
    assert pausing.end_pauses(behind.runtime) == 2, "nobody had until now"


@pytest.mark.parametrize("day,expected", [(2, ("planned", None)), (3, ("skipped", "restricted"))])
def test_the_plan_asks_whether_the_pause_is_over_at_the_time_of_sending(
    behind: Behind, later: Callable[[float], None], day: int, expected: tuple[object, ...]
) -> None:
    """A run in everybody's own time is planned half a day before most of its messages are due."""
    account = factories.account(behind.runtime, behind.brand, "sandbox", channel="email")
    start = datetime.combine(_in(2), time(9), tzinfo=UTC)
    assert pausing.pause(behind.runtime, behind.token, _in(day), evidence=SHOWN) is Done.PAUSED
    later((start - timedelta(hours=13) - datetime.now(UTC)) / timedelta(days=1))
    planned = _planned(behind, account, start=start.isoformat(), local=True, zone="UTC")
    assert planned == [expected, ("planned", None)]
    later(4)
    dispatch.drain(behind.runtime, account, seconds=20)
    sent = ("accepted", None)
    assert _outcomes(behind, 1) == [sent if expected == ("planned", None) else expected, sent]


def test_a_step_that_falls_into_a_pause_is_skipped_and_a_no_beneath_it_stays_a_no(
    behind: Behind, later: Callable[[float], None]
) -> None:
    account = factories.account(behind.runtime, behind.brand, "sandbox", channel="email")
    pausing.pause(behind.runtime, behind.token, _in(2), evidence=SHOWN)
    behind.stop(behind.mail, behind.purpose)
    later(3)
    [first, _] = _planned(behind, account)
    assert first[0] == "skipped"
    assert dispatch.drain(behind.runtime, account, seconds=20).outcomes == {"accepted": 1}
