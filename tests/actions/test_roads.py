"""F21: whichever way a refusal comes, nothing starts after it counts: aimed at mail that is on the wire at that moment.

One clock (``CLOCK_BOOTTIME``): the server notes each MAIL FROM, the test the moment from which a refusal counts by the
table in ``docs/reliability.md``: our answer, or the end of the poll. There is no API that refuses yet.
"""

from __future__ import annotations

import io
import itertools
import queue
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from broadcaster.actions import choosing, lines, optin, polling, public, rendering, requests
from broadcaster.actions.imports import files, jobs
from broadcaster.actions.optin import Proof
from broadcaster.actions.public import Scope
from broadcaster.actions.runtime import Runtime
from broadcaster.channels.contract import boottime
from broadcaster.core.consent import Source
from broadcaster.core.import_columns import Cell, ConsentRule, Mapping
from broadcaster.core.requests import RequestKind
from broadcaster.fakes.mail import LOGIN, FakeMail
from broadcaster.fakes.mail_answers import StoredMail
from broadcaster.fakes.mail_smtp import SmtpSession
from broadcaster.fakes.twilio import FakeTwilio
from tests import factories
from tests.actions.scene import Scene, scene
from tests.factories import ACTOR

PEOPLE, SEED, SHOTS = 80, 7, 50
SHOWN = {"page": "/u/", "agent": "a browser"}
NO_LIST = Mapping(
    columns={"address:email": "Email"}, consents=(ConsentRule(purpose="marketing", answer=Cell(value="no")),)
)


class Noting(FakeMail):
    """Notes when each mail began, and says for whom."""

    def __init__(self) -> None:
        super().__init__(login=LOGIN)
        self.begun: list[tuple[float, str]] = []
        self.seen: queue.SimpleQueue[str] = queue.SimpleQueue()

    def _smtp(self) -> SmtpSession:
        fake = self

        class Session(SmtpSession):
            began = 0.0

            def mail(self, rest: bytes) -> None:
                self.began = boottime()
                super().mail(rest)

            def rcpt(self, rest: bytes) -> None:
                super().rcpt(rest)
                for to in self.recipients[-1:]:
                    fake.begun.append((self.began, to))
                    fake.seen.put(to)

        return Session(self.rules)

    def last_to(self, person: str) -> StoredMail | None:
        return next((mail for mail in reversed(self.messages()) if mail.recipient == person), None)


class Roads:
    """Every way to refuse by mail, page, form, file or staff; ``answered``: since when each person's counts."""

    def __init__(self, s: Scene, fake: Noting) -> None:
        self.s, self.fake = s, fake
        values = [factories.address_value("email", n) for n in range(1, PEOPLE + 1)]
        self.contact_of = dict(zip(values, (contact for contact, _ in s.people), strict=True))
        self.address_of = dict(zip(values, (address for _, address in s.people), strict=True))
        self.digest_of = {row[0]: row[1] for row in s.rows("SELECT id, digest FROM address")}
        self.answered: dict[str, float] = {}
        self.taken: Counter[str] = Counter()
        self._polling = threading.Lock()
        self._next = itertools.cycle(
            [self.one_click, self.page, self.staff, self.request, self.file, self.bounce, self.complaint, self.reply]
        )

    def take(self, person: str) -> None:
        road = next(self._next)
        if not road(person):
            road = self.one_click
            road(person)
        self.answered[person] = boottime()
        self.taken[road.__name__] += 1

    def _token(self, person: str) -> str:
        digest = self.digest_of[self.address_of[person]]
        return rendering.stop_link(self.s.runtime, digest, self.s.purpose, 0).rpartition("/")[2]

    def one_click(self, person: str) -> bool:
        token, source = self._token(person), Source.ONE_CLICK
        return bool(public.unsubscribe(self.s.runtime, token, Scope.CHANNEL, source=source, evidence=SHOWN))

    def page(self, person: str) -> bool:
        address, token = self.address_of[person], self._token(person)
        return bool(choosing.stop(self.s.runtime, token, address_id=address, purpose_id=None, evidence=SHOWN))

    def staff(self, person: str) -> bool:
        proof = Proof(Source.CALL, datetime.now(UTC), "by telephone")
        return bool(optin.refuse(self.s.runtime, address_id=self.address_of[person], proof=proof, actor=ACTOR))

    def request(self, person: str) -> bool:
        kind, contact = RequestKind.OBJECTION, self.contact_of[person]
        return bool(requests.receive(self.s.runtime, contact, kind, received_at=datetime.now(UTC), actor=ACTOR))

    def file(self, person: str) -> bool:
        runtime, body = self.s.runtime, f"Email\n{person}\n".encode()
        import_id = jobs.upload(runtime, io.BytesIO(body), name="no.csv", actor=ACTOR)
        jobs.start(runtime, import_id, files.inspect(jobs.path_of(runtime, import_id)), NO_LIST, actor=ACTOR)
        return jobs.run(runtime, import_id, actor=ACTOR).consent["withdrawn"] == 1

    def bounce(self, person: str) -> bool:
        return self._by_mail(person, self.fake.bounce)

    def complaint(self, person: str) -> bool:
        return self._by_mail(person, self.fake.complain)

    def reply(self, person: str) -> bool:
        return self._by_mail(person, lambda mail: self.fake.reply(mail, "STOP"))

    def _by_mail(self, person: str, answer: Callable[[StoredMail], int]) -> bool:
        mail = self.fake.last_to(person)
        if mail is None:
            return False  # nobody answers what they have not got
        with self._polling:  # one process at a time polls, under the job's lease
            answer(mail)
            return polling.poll(self.s.runtime, self.s.account) > 0


@pytest.fixture
def fake() -> Iterator[Noting]:
    with Noting() as server:
        yield server


def mail_scene(runtime: Runtime, fake: Noting) -> Scene:
    s = scene(runtime, None, PEOPLE)
    settings = {"host": "127.0.0.1", "port": f"{fake.smtp_port}", "security": "none", "connections": "4"}
    settings |= {"from_address": "news@example.org", "username": LOGIN[0], "password": LOGIN[1]}
    settings |= {"imap_host": "127.0.0.1", "imap_port": f"{fake.imap_port}", "imap_security": "none"}
    settings |= {"imap_username": LOGIN[0], "imap_password": LOGIN[1]}
    s.account = factories.account(runtime, s.brand, "smtp", settings=settings, rate_per_second=40.0)
    return s


def send_all(s: Scene) -> None:
    """Send until nothing is left, and close the connections, which are this thread's."""
    while s.drain(30.0).handled:
        pass
    lines.hang_up(s.account)


def test_nothing_starts_after_a_refusal_whichever_road_it_takes(runtime: Runtime, fake: Noting) -> None:
    """Half of the shots hit the person whose mail the server sees now, half one who comes soon or had one before."""
    s, dice = mail_scene(runtime, fake), random.Random(SEED)
    for _ in range(2):
        s.launch()
    roads, aimed = Roads(s, fake), set[str]()
    people = sorted(roads.address_of, key=lambda one: roads.address_of[one])
    sending = threading.Thread(target=send_all, args=(s,))
    sending.start()
    with ThreadPoolExecutor(3) as pool:
        shots = []
        while len(aimed) < SHOTS and sending.is_alive():
            try:
                person = fake.seen.get(timeout=0.2)
            except queue.Empty:
                continue
            ahead = people.index(person) + (0 if dice.random() < 0.5 else dice.randint(1, 9))
            target = people[min(ahead, PEOPLE - 1)]
            if target not in aimed:
                aimed.add(target)
                shots.append(pool.submit(roads.take, target))
        for shot in shots:
            shot.result()
    sending.join()
    late = [to for at, to in fake.begun if at > roads.answered.get(to, float("inf"))]
    assert late == []
    assert set(roads.taken) == {"one_click", "page", "staff", "request", "file", "bounce", "complaint", "reply"}
    assert s.states()["skipped"], "there was something left to refuse"
    assert s.states()["accepted"] + s.states()["skipped"] == 2 * PEOPLE
    for person in roads.answered:
        standing = "SELECT count(*) FROM consent_state WHERE address_id = :a AND standing = 'granted'"
        assert s.rows(standing, a=roads.address_of[person]) == [(0,)]
    assert s.verified().problems == []


def test_nothing_starts_after_the_provider_has_said_that_a_person_opted_out(runtime: Runtime) -> None:
    """The provider's answer to a call counts from its arrival here: two workers, two campaigns, whoever comes first."""
    with FakeTwilio() as provider:
        s = scene(runtime, provider, 30, concurrency=2)
        s.launch()
        s.launch()
        gone = [factories.address_value("sms", n) for n in range(1, 31, 2)]
        provider.opted_out.update(gone)
        workers = [threading.Thread(target=s.drain) for _ in range(2)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        asked = Counter(one.to for one in provider.recorded if one.to in gone)
        events = s.rows("SELECT count(*) FROM consent_event WHERE action = 'objected' AND source = 'provider'")
        passed = "SELECT count(*) FROM step s JOIN consent_event e ON e.address_id = s.address_id "
        late = s.rows(passed + "WHERE e.action = 'objected' AND s.gate_at > e.received_at AND s.state <> 'skipped'")
    assert (set(asked), late) == (set(gone), [(0,)])
    assert events[0][0] >= len(gone)
    assert s.states()["accepted"] == 30
    assert s.states()["skipped"] + s.states()["failed"] == 30
