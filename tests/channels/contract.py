"""What every channel promises, as tests. A channel's test class inherits ``ChannelContract`` and supplies its wire.

Real sockets throughout: the other side is the provider's fake, or a raw socket where nobody is well.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from broadcaster.channels.contract import AccountConfig, Channel, Sender, WebhookRequest, boottime
from broadcaster.core.deliveries import Outcome
from broadcaster.core.errors import BadSignature, BroadcasterError, InvalidInput, MessageRejected
from broadcaster.core.messages import CallResult, ChannelEvent, Inbound, InboundKind, Outbound
from broadcaster.fakes.server import Behaviour, FakeServer

REFERENCE = "ref-0001"
TEXT = "Hello Ann, your table is ready."

#: What a fake does -> what must come of it, for every HTTP channel.
CALLS: list[tuple[Behaviour, Outcome]] = [
    (Behaviour.ACCEPT, Outcome.ACCEPTED),
    (Behaviour.SLOW, Outcome.ACCEPTED),
    (Behaviour.BLOCKED, Outcome.RECIPIENT_OPTED_OUT),
    (Behaviour.NOBODY, Outcome.RECIPIENT_UNREACHABLE),
    (Behaviour.THROTTLED, Outcome.THROTTLED),
    (Behaviour.CREDENTIAL, Outcome.CREDENTIAL),
    (Behaviour.RESET, Outcome.UNKNOWN),
    (Behaviour.CLOSE, Outcome.UNKNOWN),
    (Behaviour.ERROR_500, Outcome.UNKNOWN),
    (Behaviour.HTML_502, Outcome.UNKNOWN),
    (Behaviour.EMPTY_200, Outcome.UNKNOWN),
    (Behaviour.GARBAGE_200, Outcome.UNKNOWN),
    (Behaviour.HUGE_200, Outcome.UNKNOWN),
]


def outbound(to: str, text: str = TEXT, **more: Any) -> Outbound:
    return Outbound(to=to, reference=REFERENCE, text=text, **more)


def send(sender: Sender, *messages: Outbound, deadline: float | None = None) -> list[CallResult]:
    """Send messages as the dispatcher does and return their ends in order."""
    for ref, message in enumerate(messages):
        sender.start(ref, sender.prepare(message), boottime() + 5 if deadline is None else deadline)
    results: dict[int, CallResult] = {}
    while len(results) < len(messages):
        ended = sender.finished(10)
        assert ended, "a started call must end"
        for done in ended:
            assert done.ref not in results, "one end a call"
            results[done.ref] = done.result
    return [results[ref] for ref in range(len(messages))]


class ChannelContract:
    """Inherited by each channel's test class; see the attributes and the methods without a body."""

    channel: Channel
    person: str  #: a canonical address that accepts
    secrets: tuple[str, ...]  #: what must appear nowhere

    @pytest.fixture
    def fake(self) -> Iterator[FakeServer]:
        raise NotImplementedError

    def account(self, base_url: str) -> AccountConfig:
        raise NotImplementedError

    def event_request(self, kind: str) -> WebhookRequest:
        """Return a correctly signed webhook: "text", "opt_out" or "unknown"."""
        raise NotImplementedError

    # identity and bounds

    def test_capabilities_and_fields_are_sound(self) -> None:
        known = self.channel.capabilities
        assert known.address_kind in ("email", "phone", "opaque")
        assert known.address_scope in ("global", "account")
        assert known.text_max > 0
        assert known.rate_per_second > 0
        names = [field.name for field in self.channel.fields]
        assert len(names) == len(set(names))

    def test_a_canonical_address_stays_as_it_is(self) -> None:
        assert self.channel.normalise(f" {self.person} ") == self.person

    @pytest.mark.parametrize("address", ["", " ", "a b\r\nX: y", "\0", "x" * 1001, "\ud800"])
    def test_a_broken_address_is_refused_and_not_quoted(self, address: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            self.channel.normalise(address)
        assert not address.strip() or address not in str(caught.value)

    def test_a_text_too_long_or_empty_is_refused_before_it_is_sent(self, fake: FakeServer) -> None:
        sender = self.channel.sender(self.account(fake.url))
        for text in ("x" * (self.channel.capabilities.text_max + 1), ""):
            with pytest.raises(MessageRejected):
                sender.prepare(outbound(self.person, text))
        sender.prepare(outbound(self.person, "ж" * self.channel.capabilities.text_max))
        assert fake.requests == 0
        sender.close()

    # sending

    def test_an_accepted_message_has_the_providers_id_and_was_handed_over_once(self, fake: FakeServer) -> None:
        sender = self.channel.sender(self.account(fake.url))
        free = sender.slots()
        sender.warm(2)
        results = send(sender, *[outbound(self.person)] * 5)
        assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 5
        assert len({result.provider_id for result in results}) == 5
        assert {one.provider_id for one in fake.accepted} == {result.provider_id for result in results}
        assert [one.to for one in fake.recorded] == [self.person] * 5
        assert sender.slots() == free
        sender.close()

    @pytest.mark.parametrize("behaviour, outcome", CALLS, ids=[behaviour for behaviour, _ in CALLS])
    def test_every_end_of_a_call_has_its_outcome_and_happens_once(
        self, fake: FakeServer, behaviour: Behaviour, outcome: Outcome
    ) -> None:
        sender = self.channel.sender(self.account(fake.url))
        sender.warm(1)
        fake.script(behaviour)
        [result] = send(sender, outbound(self.person))
        assert result.outcome is outcome
        assert len(fake.recorded) == 1, "handed over once, whatever happened"
        if outcome is Outcome.UNKNOWN:
            assert result.provider_id is None
        if outcome is Outcome.THROTTLED and result.retry_after is not None:
            assert 1 <= result.retry_after <= 3600
        sender.close()

    @pytest.mark.parametrize("wait", ["5", "120", "-1", "soon", "Thu, 01 Jan 1970 00:00:00 GMT", "1000000000"])
    def test_a_stated_wait_is_bounded(self, fake: FakeServer, wait: str) -> None:
        sender = self.channel.sender(self.account(fake.url))
        fake.retry_after = wait
        fake.script(Behaviour.THROTTLED)
        [result] = send(sender, outbound(self.person))
        assert result.outcome is Outcome.THROTTLED
        assert result.retry_after is None or 1 <= result.retry_after <= 3600
        sender.close()

    def test_nobody_listening_is_safe_to_try_again(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        sender = self.channel.sender(self.account(f"http://127.0.0.1:{port}"))
        sender.warm(1)
        [result] = send(sender, outbound(self.person))
        assert result.outcome is Outcome.TRANSIENT
        sender.close()

    def test_nothing_starts_after_the_deadline(self, fake: FakeServer) -> None:
        """The gate's permission has run out: an opt-out may have been answered meanwhile."""
        sender = self.channel.sender(self.account(fake.url))
        sender.warm(3)
        results = send(sender, *[outbound(self.person)] * 3, deadline=boottime() - 0.001)
        assert {result.outcome for result in results} == {Outcome.NOT_STARTED}
        assert fake.requests == 0
        sender.close()

    def test_a_wrong_credential_condemns_the_account(self, fake: FakeServer) -> None:
        account = self.account(fake.url)
        wrong = replace(account, secrets={name: f"1{value[:-1]}1" for name, value in account.secrets.items()})
        sender = self.channel.sender(wrong)
        [result] = send(sender, outbound(self.person))
        assert result.outcome is Outcome.CREDENTIAL
        assert not self.channel.check(wrong).ok
        sender.close()

    def test_a_check_signs_in_and_sends_nothing(self, fake: FakeServer) -> None:
        assert self.channel.check(self.account(fake.url)).ok
        assert fake.recorded == []
        assert not self.channel.check(self.account("http://127.0.0.1:1")).ok

    # receiving

    def events(self, request: WebhookRequest) -> Sequence[ChannelEvent]:
        return self.channel.parse_webhook(self.account("http://127.0.0.1:1"), request)

    def test_a_signed_text_becomes_an_inbound(self) -> None:
        [event] = self.events(self.event_request("text"))
        assert isinstance(event, Inbound)
        assert (event.kind, event.sender, event.text) == (InboundKind.TEXT, self.person, "hello")
        assert event.occurred_at.tzinfo is not None

    def test_the_platforms_opt_out_is_understood(self) -> None:
        [event] = self.events(self.event_request("opt_out"))
        assert isinstance(event, Inbound)
        assert (event.kind, event.sender) == (InboundKind.OPT_OUT, self.person)

    def test_a_redelivered_event_has_the_same_key(self) -> None:
        for kind in ("text", "opt_out", "unknown"):
            request = self.event_request(kind)
            assert [one.event_key for one in self.events(request)] == [one.event_key for one in self.events(request)]
        assert self.events(self.event_request("text"))[0].event_key

    def test_an_unknown_kind_of_event_is_stored_without_meaning(self) -> None:
        for event in self.events(self.event_request("unknown")):
            assert isinstance(event, Inbound)
            assert event.kind is InboundKind.OTHER

    def forgeries(self, request: WebhookRequest) -> Iterator[WebhookRequest]:
        """Yield calls that are not from the provider; a channel that signs bodies adds altered ones."""
        yield replace(request, headers={})
        yield replace(request, headers=dict.fromkeys(request.headers, ""))
        yield replace(request, headers={name: value[:-1] + "?" for name, value in request.headers.items()})
        yield replace(request, headers=dict.fromkeys(request.headers, "\xe4"), body=b"{")

    def test_a_forged_webhook_is_refused_before_it_is_read(self) -> None:
        for request in self.forgeries(self.event_request("text")):
            with pytest.raises(BadSignature):
                self.events(request)
        unsigned = replace(self.account("http://127.0.0.1:1"), secrets={})
        with pytest.raises(BadSignature):
            self.channel.parse_webhook(unsigned, self.event_request("text"))

    # silence

    def test_neither_secret_nor_address_shows_anywhere(
        self, fake: FakeServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        account = self.account(fake.url)
        sender = self.channel.sender(account)
        message = outbound(self.person)
        shown: list[object] = [account, sender, message, sender.prepare(message), self.channel.check(account)]
        for behaviour, _ in CALLS:
            fake.script(behaviour)
            shown += send(sender, message)
        sender.close()
        for kind in ("text", "opt_out", "unknown"):
            request = self.event_request(kind)
            shown += [request, *self.events(request)]
            try:
                self.events(replace(request, headers={}))
            except BroadcasterError as error:
                shown += [error, error.__cause__, error.__context__]
        printed = capfd.readouterr()
        everything = "\n".join([*map(repr, shown), *map(str, shown), caplog.text, printed.out, printed.err])
        for secret in (*self.secrets, self.person, TEXT, "hello"):
            assert secret not in everything
