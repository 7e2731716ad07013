"""The sandbox: everything goes in, nobody is reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broadcaster.channels import registry
from broadcaster.channels.contract import AccountConfig, WebhookRequest, boottime
from broadcaster.core.deliveries import Outcome
from broadcaster.core.errors import BadSignature, InvalidInput, MessageRejected
from tests.channels.contract import outbound, send

ACCOUNT = AccountConfig(1, "email", "", {}, {}, concurrency=4)
SERVED = registry.channels_of(registry.SANDBOX)


class TestContract:
    """What remains of the channel contract without a wire and a secret."""

    channel = registry.get(registry.SANDBOX)

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

    @pytest.mark.parametrize("channel", SERVED)
    def test_a_text_is_as_long_as_the_channel_allows(self, channel: str) -> None:
        most = registry.capabilities_of(channel).text_max
        sender = self.channel.sender(replace(ACCOUNT, channel=channel))
        sender.prepare(outbound("ann", "x" * most))
        for text in ("", "x" * (most + 1)):
            with pytest.raises(MessageRejected):
                sender.prepare(outbound("ann", text))

    def test_nobody_can_call_back(self) -> None:
        with pytest.raises(BadSignature):
            self.channel.parse_webhook(ACCOUNT, WebhookRequest("POST", "", {}, b""))
        assert self.channel.poll(ACCOUNT, "") == ((), "")
        assert self.channel.check(ACCOUNT).ok


@pytest.mark.parametrize("channel", SERVED)
def test_it_takes_what_its_channel_takes(channel: str) -> None:
    """Otherwise what was tried here would not go out, or go to nobody, through a real provider."""
    real, ours = registry.capabilities_of(channel), registry.get(registry.SANDBOX, channel).capabilities
    wire = {"idempotency": ours.idempotency, "rate_per_second": ours.rate_per_second}
    assert replace(real, **wire, receipts=False, polls=False, webhook=False) == ours  # type: ignore[arg-type]


def test_its_addresses_are_those_of_its_channel() -> None:
    assert registry.get(registry.SANDBOX).normalise(" Ann@Example.Test ") == "ann@example.test"
    assert registry.get(registry.SANDBOX, "sms").normalise("06 12 34 56 78", region="FR") == "+33612345678"
    with pytest.raises(InvalidInput):
        registry.get(registry.SANDBOX, "sms").normalise("ann@example.test")


@pytest.mark.parametrize(
    "address, outcome",
    [
        ("ann+bounce@example.test", Outcome.RECIPIENT_UNREACHABLE),
        ("ann+blocked@example.test", Outcome.RECIPIENT_OPTED_OUT),
        ("ann+bounced@example.test", Outcome.ACCEPTED),
        ("ann+slow@example.test", Outcome.ACCEPTED),
    ],
)
def test_magic_addresses(address: str, outcome: Outcome) -> None:
    [result] = send(registry.get(registry.SANDBOX).sender(ACCOUNT), outbound(address))
    assert result.outcome is outcome


def test_slow_ones_hold_nobody_up() -> None:
    sender = registry.get(registry.SANDBOX).sender(ACCOUNT)
    for ref, address in enumerate(["ann+slow@example.test", "bob@example.test"]):
        sender.start(ref, sender.prepare(outbound(address)), boottime() + 1)
    assert [done.ref for done in sender.finished(0)] == [1]
    assert sender.slots() == 3
