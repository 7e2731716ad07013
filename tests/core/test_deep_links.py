"""A link opens the channel with what has to be said, and is none where nobody could answer."""

from __future__ import annotations

import pytest

from broadcaster.core import deep_links


@pytest.mark.parametrize(
    "channel, handle, said, expected",
    [
        ("telegram", "@example_bot", "abc123", "https://t.me/example_bot?start=abc123"),
        ("messenger", "example", "abc123", "https://m.me/example?ref=abc123"),
        ("viber", "example", "abc123", "viber://pa?chatURI=example&context=abc123"),
        ("whatsapp", "+33612345678", "Goût fin", "https://wa.me/33612345678?text=Go%C3%BBt%20fin"),
        ("line", "@example", "GOURMET", "https://line.me/R/oaMessage/@example/?GOURMET"),
        ("sms", "+15550100", "A&B", "sms:+15550100?body=A%26B"),
        ("email", "hello@example.org", "JOIN US", "mailto:hello@example.org?subject=JOIN%20US"),
        ("sms", "EXAMPLE", "GOURMET", None),
        ("sms", "+15550100", "", None),
        ("telegram", "", "abc123", None),
        ("wechat", "example", "abc123", None),
    ],
)
def test_a_link_says_what_the_channel_needs(channel: str, handle: str, said: str, expected: str | None) -> None:
    assert deep_links.link(channel, handle, said) == expected
