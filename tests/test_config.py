"""Settings: a mistake is named at the start, and no secret is shown (B75)."""

from __future__ import annotations

import pytest

from broadcaster import config
from broadcaster.core.errors import Misconfigured

SECRET = "geheim"


@pytest.mark.parametrize("name,value", [
    ("BROADCASTER_COLOUR", SECRET),
    ("BROADCASTER_LOG_LEVEL", SECRET),
    ("BROADCASTER_LISTEN", SECRET), ("BROADCASTER_LISTEN", "127.0.0.1:80000"), ("BROADCASTER_LISTEN", "127.0.0.1:٣"),
    ("BROADCASTER_PUBLIC_URL", SECRET), ("BROADCASTER_PUBLIC_URL", "https://"),
    ("BROADCASTER_PUBLIC_URL", "https://a b.example"), ("BROADCASTER_PUBLIC_URL", f"https://me:{SECRET}@a.example"),
    ("BROADCASTER_PUBLIC_URL", "https://a.example?x=1"), ("BROADCASTER_PUBLIC_URL", "https://a.example:x"),
    ("BROADCASTER_PUBLIC_URL", "https://a.example\r\nX: 1"), ("BROADCASTER_PUBLIC_URL", "https://[::1"),
    ("BROADCASTER_DATABASE_URL", f"mysql://u:{SECRET}@host/x"), ("DATABASE_URL", f"mysql://u:{SECRET}@host/x"),
    ("BROADCASTER_BROKER_URL", f"http://u:{SECRET}@host"), ("REDIS_URL", SECRET),
])  # fmt: skip
def test_a_mistake_is_named_and_not_quoted(name: str, value: str) -> None:
    with pytest.raises(Misconfigured) as problem:
        config.load({name: value})
    assert problem.value.exit_code == 3
    assert (name in problem.value.message) or name in ("DATABASE_URL", "REDIS_URL")
    assert SECRET not in problem.value.message


@pytest.mark.parametrize("url", ["https://news.example.org", "http://127.0.0.1:8000/", "https://a.example/news"])
def test_a_good_address_is_taken(url: str) -> None:
    assert config.load({"BROADCASTER_PUBLIC_URL": url}).public_url == url.rstrip("/")


def test_secrets_are_not_shown() -> None:
    given = {"BROADCASTER_DATABASE_URL": f"postgresql://u:{SECRET}@host/x", "BROADCASTER_KEYS": SECRET}
    given["BROADCASTER_BROKER_URL"] = f"redis://:{SECRET}@host"
    assert SECRET not in repr(config.load(given))


def test_nobody_in_front_is_believed_unless_it_is_said() -> None:
    assert config.load({}).trusted_proxies == 0
    assert config.load({"BROADCASTER_TRUSTED_PROXIES": "1"}).trusted_proxies == 1
    for wrong in ("-1", "many", "99"):
        with pytest.raises(Misconfigured):
            config.load({"BROADCASTER_TRUSTED_PROXIES": wrong})
