"""The ledger in SQL: its projection can be dropped and made again, the gate's rule reads the same in both languages."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, text
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.actions import catalogue
from broadcaster.actions import consent as actions
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Actor, Basis, Source, Standing, fold, refusal
from broadcaster.core.event_types import Changed
from broadcaster.storage import consent, log, people
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address, ConsentStanding
from tests import factories
from tests.storage import rows

STATE = text("SELECT * FROM consent_state ORDER BY address_id, purpose_id")


def random_history(runtime: Runtime, people_count: int, acts: int, seed: int) -> None:
    _, offers, _ = factories.brand_and_purpose(runtime)
    news = catalogue.create_purpose(
        runtime, key="news", parent="marketing", brand_id=None, label={"en": "News"}, actor=factories.ACTOR
    )
    made = factories.contacts(runtime, people_count, purpose_id=offers, consenting=False)
    dice = random.Random(seed)
    now = datetime.now(UTC)
    with runtime.db.reading() as session:
        marketing = consent.purpose_id(session, "marketing")
    told = []
    for number in range(acts):
        at = now - timedelta(seconds=dice.choice([0, 1, 200, 400, 86400, 90000]))
        told.append(
            NewConsent(
                key=b"fact%d" % number,
                address_id=dice.choice(made)[1],
                purpose_id=dice.choice([offers, offers, news, marketing]),
                action=dice.choice(list(Action)),
                actor=dice.choice(list(Actor)),
                source=dice.choice(list(Source)),
                occurred_at=at,
                clock=dice.choice(["here", "account:1"]),
                evidence={"n": number},
                basis=dice.choice(list(Basis)),
                expires_at=dice.choice([None, now + timedelta(days=9)]),
            )
        )
    for start in range(0, acts, 20):
        with runtime.db.transaction() as session:
            actions.record_in(runtime, session, told[start : start + 20])


def test_the_state_is_made_again_from_the_ledger_byte_for_byte(runtime: Runtime) -> None:
    """T-C3."""
    random_history(runtime, 25, 240, seed=7)
    with runtime.db.transaction() as session:
        before = session.connection().execute(STATE).all()
        assert len({row.standing for row in before}) >= 4, "the history must reach many standings"
        session.connection().execute(text("DELETE FROM consent_state"))
        assert consent.rebuild(session, page=7) == len({row.address_id for row in before})
        assert session.connection().execute(STATE).all() == before


def test_the_state_is_what_the_rule_says_of_the_events(runtime: Runtime) -> None:
    random_history(runtime, 10, 120, seed=8)
    with runtime.db.reading() as session:
        addresses = [row[0] for row in session.connection().execute(text("SELECT id FROM address"))]
        told = consent.events_of(session, addresses)
        for address in addresses:
            expected = fold(told.get(address, []), paths=consent.paths(session))
            found = consent.state_of(session, address)
            assert {p: (s.standing, s.event_id) for p, s in found.items()} == {
                p: (s.standing.value, s.event_id) for p, s in expected.items()
            }


def test_the_gates_rule_is_the_same_in_sql_and_in_python(runtime: Runtime) -> None:
    """Every standing x the parent's standing x the root's x expiry x address x suppression, at one instant."""
    _, purpose, _ = factories.brand_and_purpose(runtime)
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    standings: list[str | None] = [None, *Standing]
    expiries = [None, now - timedelta(microseconds=1), now, now + timedelta(microseconds=1)]
    cases = list(
        itertools.product(standings, standings, standings, expiries, ("ok", "invalid", "erased"), (False, True))
    )
    addresses, states = [], []
    with runtime.db.transaction() as session:
        above = consent.above(session, purpose)
        root, parent = above
        connection = session.connection()
        event = rows.add(connection, "consent_event", purpose_id=purpose)["id"]
        for number, (own, up, top, expiry, status, suppressed) in enumerate(cases, start=1000):
            opaque = {"digest": b"case%d" % number, "value_ct": b"x", "created_at": now}
            addresses.append({"id": number, "channel": "sms", "status": status, "suppressed": suppressed, **opaque})
            for node, standing in ((purpose, own), (parent, up), (root, top)):
                if standing is not None:
                    state = {"address_id": number, "purpose_id": node, "standing": str(standing), "event_id": event}
                    ends = expiry if node == purpose else None
                    states.append({**state, "basis": "consent", "since": now, "expires_at": ends})
        connection.execute(insert(Address), addresses)
        connection.execute(insert(ConsentStanding), states)
        query = text(
            f"SELECT a.id, {consent.refusal_case(above)} AS reason, {consent.wider(above)} AS wider FROM address a "
            "LEFT JOIN consent_state s ON s.address_id = a.id AND s.purpose_id = :purpose WHERE a.id >= 1000"
        ).bindparams(bindparam("now", type_=UTCDateTime()))
        found = {row.id: row for row in connection.execute(query, {"purpose": purpose, "now": now})}
        log.record(session, Changed(what="address", id=0, verb="tried"), at=now)
    for number, (own, up, top, expiry, status, suppressed) in enumerate(cases, start=1000):
        row = found[number]
        assert row.wider == (top or up), "a refusal nearer to the root speaks first"
        said = refusal(own, wider=row.wider, expires_at=expiry, address_status=status, suppressed=suppressed, now=now)
        assert row.reason == (None if said is None else said.value), cases[number - 1000]


def test_known_keys_are_recognised_in_any_number(runtime: Runtime) -> None:
    _, purpose, _ = factories.brand_and_purpose(runtime)
    [(_, address)] = factories.contacts(runtime, 1, purpose_id=purpose, consenting=False)
    acts = [factories.grant(address, purpose, datetime.now(UTC), key=b"k%d" % n) for n in range(3)]
    actions.record(runtime, acts, actor="person")
    with runtime.db.reading() as session:
        wanted = [b"k%d" % n for n in range(1200)]
        assert consent.known_keys(session, wanted) == {b"k0", b"k1", b"k2"}


def test_evidence_is_readable_only_with_the_persons_key(runtime: Runtime) -> None:
    _, purpose, _ = factories.brand_and_purpose(runtime)
    [(_, address)] = factories.contacts(runtime, 1, purpose_id=purpose, consenting=False)
    words = "I would like to hear from you"
    actions.record(
        runtime, [factories.grant(address, purpose, datetime.now(UTC), evidence={"words": words})], actor="person"
    )
    with runtime.db.reading() as session:
        body = session.connection().execute(text("SELECT body_ct FROM consent_evidence")).scalar_one()
        assert words.encode() not in bytes(body)
        key_id = session.get_one(Address, address).key_id
        assert people.person_keys(session, runtime.keys, [key_id or 0])


@pytest.mark.parametrize("count", [0, 1, 501])
def test_append_gives_ids_in_order(runtime: Runtime, count: int) -> None:
    _, purpose, _ = factories.brand_and_purpose(runtime)
    [(_, address)] = factories.contacts(runtime, 1, purpose_id=purpose, consenting=False)
    with runtime.db.transaction() as session:
        row: Any = session.get_one(Address, address)
        keys = {address: people.person_keys(session, runtime.keys, [row.key_id])[row.key_id]}
        now = runtime.db.now(session)
        told = [factories.grant(address, purpose, now) for _ in range(count)]
        ids = consent.append(session, told, person_keys=keys, at=now)
        assert ids == sorted(ids)
        assert len(set(ids)) == count
        assert [event.key for event in consent.events_of(session, [address])[address]] == [t.key.hex() for t in told]
