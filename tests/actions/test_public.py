"""The verbs behind a stop link: what is credited, what is waited for, what is one fact; on both engines."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from broadcaster.actions import consent, consent_history, inbound, public, rendering
from broadcaster.actions.public import Scope
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Source
from broadcaster.core.event_types import ContactChanged
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.storage import log
from broadcaster.storage.tables import Address, ContactAddress
from tests import factories
from tests.actions.scene import scene
from tests.factories import ACTOR


class Sent:
    """Two people who agreed; the first has a link."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.brand, self.purpose, _ = factories.brand_and_purpose(runtime)
        (self.contact, self.address), (_, self.other) = factories.contacts(runtime, 2, purpose_id=self.purpose)

    def token(self, step_id: int = 0) -> str:
        with self.runtime.db.reading() as session:
            digest = session.get_one(Address, self.address).digest or b""
        return rendering.stop_link(self.runtime, digest, self.purpose, step_id).rpartition("/")[2]

    def press(self, token: str, scope: Scope = Scope.PURPOSE) -> consent.Recorded | None:
        return public.unsubscribe(self.runtime, token, scope, source=Source.ONE_CLICK, evidence={})

    def standing(self, address_id: int) -> str | None:
        found = consent_history.standings(self.runtime, address_id)
        return next(one.standing for one in found if one.purpose.id == self.purpose)


@pytest.fixture
def sent(runtime: Runtime) -> Sent:
    return Sent(runtime)


def test_a_press_stops_the_person_of_the_link_and_nobody_else(sent: Sent) -> None:
    assert sent.press(sent.token()) is not None
    assert sent.standing(sent.address) == "withdrawn"
    assert sent.standing(sent.other) == "granted"


def test_ten_presses_at_once_are_one_fact(sent: Sent) -> None:
    token, start = sent.token(), threading.Barrier(10)

    def press() -> consent.Recorded | None:
        start.wait()
        return sent.press(token)

    with ThreadPoolExecutor(10) as pool:
        told = [one.result() for one in [pool.submit(press) for _ in range(10)]]
    assert all(one is not None for one in told)
    found = consent_history.history(sent.runtime, [sent.address])
    assert [one.action for one in found] == ["granted", "withdrawn"]


def test_who_presses_again_waits_for_what_is_on_the_wire(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first press may still be waiting; the second must not answer before it."""
    waited: list[consent.Recorded] = []
    monkeypatch.setattr(consent, "wait_out", lambda _runtime, recorded: waited.append(recorded))
    for _ in range(2):
        sent.press(sent.token())
    assert [sent.purpose in one.closed[sent.address] for one in waited] == [True, True]


def test_everything_reaches_every_address_of_the_person(sent: Sent) -> None:
    with sent.runtime.db.transaction(ACTOR) as session:
        now = sent.runtime.db.now(session)
        session.add(ContactAddress(contact_id=sent.contact, address_id=sent.other, created_at=now))
        log.record(session, ContactChanged(contact_id=sent.contact, verb="changed"), at=now)
    sent.press(sent.token(), Scope.CHANNEL)
    assert sent.standing(sent.other) == "granted"
    sent.press(sent.token(), Scope.EVERYTHING)
    assert sent.standing(sent.other) == "objected"


def test_the_message_whose_link_was_used_is_credited(runtime: Runtime) -> None:
    """Only the step that went to this very address counts, and a link without one stops all the same."""
    with FakeTelegram() as fake:
        s = scene(runtime, fake, 3)
        s.launch()
        s.drain()
    steps = dict(s.rows("SELECT address_id, id FROM step"))
    first, second, third = (address for _, address in s.people)
    cases = {first: (steps[first], steps[first]), second: (steps[first], None), third: (999_999, None)}
    for address, (named, credited) in cases.items():
        with runtime.db.reading() as session:
            digest = session.get_one(Address, address).digest or b""
        token = rendering.stop_link(runtime, digest, s.purpose, named).rpartition("/")[2]
        told = public.unsubscribe(runtime, token, Scope.PURPOSE, source=Source.ONE_CLICK, evidence={})
        assert told is not None
        assert consent_history.history(runtime, [address])[-1].step_id == credited


def test_a_link_is_read_only_as_it_was_made(sent: Sent) -> None:
    token = sent.token()
    with sent.runtime.db.reading() as session:
        assert inbound.by_token(sent.runtime, session, token) is not None
    assert public.read(sent.runtime, token) is not None
    for spoilt in (token[:-1], token + "A", token.swapcase(), "", "A" * 101):
        assert public.read(sent.runtime, spoilt) is None
        assert sent.press(spoilt) is None


def test_the_page_knows_what_is_stopped(sent: Sent) -> None:
    page = public.read(sent.runtime, sent.token())
    assert page is not None
    assert page.stopped == frozenset()
    assert (page.brand, page.channel, page.masked, page.language) == ("Example", "email", "p***@e***.net", "en")
    sent.press(sent.token(), Scope.CHANNEL)
    page = public.read(sent.runtime, sent.token())
    assert page is not None
    assert page.stopped == {Scope.PURPOSE, Scope.CHANNEL}
