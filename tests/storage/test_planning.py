"""Every member of an audience ends with exactly one state and one reason, however the plan is cut and interrupted."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from broadcaster.actions import planning
from broadcaster.actions.runtime import Runtime
from broadcaster.storage import planning as rows
from tests import factories
from tests.actions.scene import Scene, scene

SHARED = (
    "INSERT INTO contact_address (contact_id, address_id, preferred, created_at) "
    "SELECT :c, :a, :no, created_at FROM contact WHERE id = :c"
)


@pytest.fixture
def s(runtime: Runtime) -> Scene:
    """24 people: some without an address, without consent, restricted, excluded, and three who share one number."""
    made = scene(runtime, None, 20)
    more = factories.contacts(runtime, 4, purpose_id=made.purpose, channel="email", consenting=False, start=500)
    made.people += more
    contacts = [contact for contact, _ in made.people]
    made.change("DELETE FROM contact_address WHERE contact_id IN (:a, :b)", a=contacts[0], b=contacts[1])
    made.change("UPDATE contact SET state = 'restricted' WHERE id = :c", c=contacts[2])
    made.change("UPDATE contact SET profession = 'out' WHERE id IN (:a, :b)", a=contacts[3], b=contacts[0])
    for sharing in (contacts[6], contacts[19]):
        made.change("DELETE FROM contact_address WHERE contact_id = :c", c=sharing)
        made.change(SHARED, c=sharing, a=made.people[5][1], no=False)
    made.stop(made.people[8][1])
    made.change("UPDATE address SET suppressed = :yes WHERE id = :a", yes=True, a=made.people[9][1])
    made.change("UPDATE address SET status = 'invalid' WHERE id = :a", a=made.people[10][1])
    return made


def start(s: Scene) -> int:
    lanes = [(s.channel, s.account)]
    s.campaign = factories.campaign(s.runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes)
    out = '{"type": "profession", "values": ["out"]}'
    [run] = planning.start_due(s.runtime)
    cast = ":r" if s.runtime.db.sqlite else "CAST(:r AS jsonb)"
    s.change(f"UPDATE run SET exclude_rule = {cast} WHERE id = :id", r=out, id=run)
    return run


def plan(s: Scene, run: int, width: int = 4000) -> None:
    while planning.plan_range(s.runtime, run, width=width):
        pass


def told(s: Scene, run: int) -> dict[int, tuple[str | None, int | None, str | None]]:
    """Return (reason, address, state of the step) by contact."""
    query = (
        "SELECT d.contact_id, d.reason, t.address_id, t.state FROM delivery d "
        "LEFT JOIN step t ON t.delivery_id = d.id WHERE d.run_id = :run"
    )
    found = s.rows(query, run=run)
    assert len({row[0] for row in found}) == len(found), "one delivery for each, with one step at most"
    return {row[0]: row[1:] for row in found}


def test_everybody_has_exactly_one_state_and_one_reason(s: Scene) -> None:
    run = start(s)
    plan(s, run)
    found = told(s, run)
    assert set(found) == {contact for contact, _ in s.people}
    assert all((reason is None) == (state == "planned") for reason, _, state in found.values())
    assert Counter(reason for reason, _, _ in found.values()) == {
        None: 11,
        "no_address": 1,
        "excluded": 2,
        "restricted": 1,
        "duplicate_address": 2,
        "objected": 1,
        "suppressed": 1,
        "address_invalid": 1,
        "no_consent": 4,
    }


def test_of_those_who_share_an_address_the_first_gets_it(s: Scene) -> None:
    run = start(s)
    plan(s, run)
    found = told(s, run)
    contacts = [contact for contact, _ in s.people]
    assert found[contacts[5]][2] == "planned"
    assert {found[contacts[n]][0] for n in (6, 19)} == {"duplicate_address"}


def test_ranges_of_any_width_come_to_the_same(s: Scene) -> None:
    results = []
    for width in (1, 3, 7, 4000):
        run = start(s)
        plan(s, run, width)
        results.append(told(s, run))
        s.change("UPDATE run SET state = 'finished'")
    assert all(one == results[0] for one in results)


def test_a_plan_that_died_between_ranges_goes_on_where_it_was(s: Scene) -> None:
    """Each range and its watermark are one transaction; whoever comes next begins there."""
    run = start(s)
    for _ in range(3):
        assert planning.plan_range(s.runtime, run, width=5)
    assert s.rows("SELECT planned_at FROM run WHERE id = :r", r=run) == [(None,)]
    assert run in rows_unplanned(s)
    plan(s, run, 5)
    assert len(told(s, run)) == len(s.people)
    assert run not in rows_unplanned(s)
    assert not planning.plan_range(s.runtime, run)


def rows_unplanned(s: Scene) -> list[int]:
    return [row[0] for row in s.rows("SELECT id FROM run WHERE planned_at IS NULL")]


def test_two_planners_at_once_plan_everybody_once(s: Scene) -> None:
    run = start(s)
    threads = [threading.Thread(target=plan, args=(s, run, 2)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plan(s, run)
    assert len(told(s, run)) == len(s.people)


def test_a_stop_between_two_ranges_counts_for_both(s: Scene) -> None:
    run = start(s)
    assert planning.plan_range(s.runtime, run, width=14)
    early, late = s.people[12], s.people[18]
    for _, address in (early, late):
        s.stop(address)
    plan(s, run)
    found = told(s, run)
    assert found[early[0]][2] == "skipped"
    assert found[late[0]] == ("objected", None, None)
    s.drain()
    assert s.states()["planned"] == 0
    assert {address for address, (state, _) in s.steps().items() if state == "accepted"}.isdisjoint({early[1], late[1]})


def test_a_cancelled_run_still_accounts_for_everybody(s: Scene) -> None:
    run = start(s)
    s.change("UPDATE campaign SET state = 'cancelled'")
    plan(s, run, 5)
    assert {reason for reason, _, _ in told(s, run).values()} == {"cancelled"}


def test_who_has_refused_one_address_is_reached_on_another(s: Scene) -> None:
    contact, address = s.people[15]
    [(_, other)] = factories.contacts(s.runtime, 1, purpose_id=s.purpose, channel="email", start=800)
    s.change("DELETE FROM contact_address WHERE address_id = :a", a=other)
    s.change(SHARED, c=contact, a=other, no=False)
    s.stop(address)
    run = start(s)
    plan(s, run)
    assert told(s, run)[contact] == (None, other, "planned")


def test_each_batch_has_one_account_and_one_time_and_not_too_many_steps(s: Scene) -> None:
    run = start(s)
    plan(s, run)
    counts = "count(*), count(DISTINCT account_id), count(DISTINCT due_at)"
    found = s.rows(f"SELECT batch_id, {counts} FROM step GROUP BY batch_id")
    assert all(count <= rows.BATCH_STEPS and (accounts, times) == (1, 1) for _, count, accounts, times in found)


def test_an_expired_consent_is_a_reason(s: Scene) -> None:
    contact, address = s.people[16]
    s.change("UPDATE consent_state SET expires_at = '2020-01-01 00:00:00.000000' WHERE address_id = :a", a=address)
    run = start(s)
    plan(s, run)
    assert told(s, run)[contact][0] == "expired"


def rows_read(runtime: Runtime) -> int:
    """Return how many rows of the run's own tables this connection has read so far (PostgreSQL counts them)."""
    query = (
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables "
        "WHERE relname IN ('step', 'delivery')"
    )
    with runtime.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        return int(connection.exec_driver_sql(query).scalar_one())


def test_a_range_reads_no_more_of_the_run_than_its_own_people(runtime: Runtime) -> None:
    """Whatever the statistics say: those of a run before this one know nothing of it."""
    if runtime.db.sqlite:
        return  # there a step has an id to be found by; PostgreSQL chooses its plans by what it has counted
    s, width = scene(runtime, None, 1200), 100
    plan(s, start(s))
    with runtime.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    run, read = start(s), []
    more = True
    while more:
        before = rows_read(runtime)
        more = planning.plan_range(s.runtime, run, width=width)
        read.append(rows_read(runtime) - before)
    assert len(read) >= 12
    assert max(read) <= 4 * width, read
