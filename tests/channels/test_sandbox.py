"""The sandbox: everything goes in, nobody is reached."""

from __future__ import annotations

import pytest

from broadcaster.channels.contract import AccountConfig, WebhookRequest, boottime
from broadcaster.channels.sandbox import Sandbox
from broadcaster.core.deliveries import Outcome
from broadcaster.core.errors import BadSignature, InvalidInput, MessageRejected
from tests.channels.contract import outbound, send

ACCOUNT = AccountConfig(1, "sandbox", "", {}, {}, concurrency=4)


class TestContract:
    """What remains of the channel contract without a wire and a secret."""

    channel = Sandbox()

    def test_a_message_is_accepted_with_an_id_that_follows_from_its_reference(self) -> None:
        sender = self.channel.sender(ACCOUNT)
        first, again = send(sender, outbound("ann"), outbound("ann"))
        assert first == again
        assert first.outcome is Outcome.ACCEPTED
        assert first.provider_id
        assert sender.slots() == 4

    def test_nothing_starts_after_the_deadline(self) -> None:
        [result] = send(self.channel.sender(ACCOUNT), outbound("ann"), deadline=boottime() - 0.001)
        assert result.outcome is Outcome.NOT_STARTED

    def test_a_text_too_long_or_empty_is_refused(self) -> None:
        for text in ("", "x" * 4097):
            with pytest.raises(MessageRejected):
                self.channel.sender(ACCOUNT).prepare(outbound("ann", text))

    def test_nobody_can_call_back(self) -> None:
        with pytest.raises(BadSignature):
            self.channel.parse_webhook(ACCOUNT, WebhookRequest("POST", "", {}, b""))
        assert self.channel.poll(ACCOUNT, "") == ((), "")
        assert self.channel.check(ACCOUNT).ok


@pytest.mark.parametrize(
    "address, outcome",
    [
        ("ann+bounce@example.test", Outcome.RECIPIENT_UNREACHABLE),
        ("ann+bounce", Outcome.RECIPIENT_UNREACHABLE),
        ("ann+blocked@example.test", Outcome.RECIPIENT_OPTED_OUT),
        ("ann+bounced", Outcome.ACCEPTED),
        ("ann+slow", Outcome.ACCEPTED),
    ],
)
def test_magic_addresses(address: str, outcome: Outcome) -> None:
    [result] = send(Sandbox().sender(ACCOUNT), outbound(address))
    assert result.outcome is outcome


def test_slow_ones_hold_nobody_up() -> None:
    sender = Sandbox().sender(ACCOUNT)
    for ref, address in enumerate(["ann+slow", "bob"]):
        sender.start(ref, sender.prepare(outbound(address)), boottime() + 1)
    assert [done.ref for done in sender.finished(0)] == [1]
    assert sender.slots() == 3


@pytest.mark.parametrize("address", ["", "a b", "ä", "a\nb", "x" * 201, "<a>"])
def test_addresses_are_plain(address: str) -> None:
    with pytest.raises(InvalidInput):
        Sandbox().normalise(address)


def test_case_does_not_matter() -> None:
    assert Sandbox().normalise(" Ann@Example.Test ") == "ann@example.test"
