"""F07, F09, F10: a broker that is frozen, of the wrong type, full, or full of rubbish. No message depends on it."""

from __future__ import annotations

import base64
import json
import os
import pickle
import signal
import time
from pathlib import Path
from typing import Any

import redis

from tests.proof.trial import Trial

FROZEN_SECONDS = 30.0
PAGE_SECONDS = 2.0
JUNK = 20_000
QUEUES = ("broadcaster", "broadcaster.sms")


def frozen(t: Trial) -> None:
    """SIGSTOP for half a minute: messages go on, and no page waits for it."""
    assert t.site.valkey is not None
    broker = t.site.valkey.daemon.pid
    with t.going():
        before = len(t.provider.sent)
        os.kill(broker, signal.SIGSTOP)
        try:
            end = time.monotonic() + FROZEN_SECONDS
            while time.monotonic() < end:
                assert max(t.page("/healthz"), t.page("/sign-in")) < PAGE_SECONDS
                time.sleep(0.5)
        finally:
            os.kill(broker, signal.SIGCONT)
        t.figures["sent_meanwhile"] = len(t.provider.sent) - before
        assert t.figures["sent_meanwhile"], "nothing went out while the broker was frozen"
        t.recovered()


def wrong_type(t: Trial) -> None:
    """What Celery keeps in the broker is of another type, until the end."""
    with t.going():
        with _client(t) as client:
            for key in (*QUEUES, "unacked", "unacked_index", *[f"_kombu.binding.{name}" for name in QUEUES]):
                client.delete(key)
                client.set(key, "rubbish")
        t.recovered()


def full(t: Trial) -> None:
    """Every write is refused, until the end."""
    with t.going():
        with _client(t) as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", 1)
        t.recovered()


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


def rubbish(bomb: Path) -> list[bytes]:
    """Return one message of each kind that is no task of ours; one touches *bomb* if it is unpickled."""
    return [
        b"\xff\x00 not even text",
        b'{"cut short": ',
        b"[]",
        b"{}",
        _message(b'[[1, "sms"], {}, {}]', task="no.such.task"),
        _message(b'[["one", "two", "three", "four"], {}, {}]', task="workers.sending.drain"),
        _message(b'{"no": "arguments"}', task="workers.sending.drain"),
        _message(pickle.dumps(Bomb(bomb)), task="workers.sending.look", kind="application/x-python-serialize"),
    ]


def junk(t: Trial) -> None:
    """The queues are full of what is no task of ours before the first worker starts."""
    bomb = t.site.home.parent / "unpickled"
    small, big = rubbish(bomb), _message(b"x" * 1_000_000, task="workers.sending.look")
    with _client(t) as client:
        for number in range(0, JUNK, 1000):
            some = [t.dice.choice(small) for _ in range(1000)] + ([big] if number % 5000 == 0 else [])
            client.lpush(QUEUES[number // 1000 % 2], *some)
        with t.going():
            took = t.until(lambda: sum(client.llen(queue) for queue in QUEUES) < 100, "the end of the rubbish")
            t.figures["trimmed_s"] = round(took, 1)
    assert not bomb.exists(), "a message was unpickled"


def _message(body: bytes, *, task: str, kind: str = "application/json") -> bytes:
    """Return a message as kombu writes it."""
    delivery = {"exchange": "", "routing_key": QUEUES[0]}
    properties = {"body_encoding": "base64", "delivery_tag": task, "delivery_info": delivery, "priority": 0}
    told = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8" if kind.endswith("json") else "binary",
        "content-type": kind,
        "headers": {"task": task, "id": "1", "lang": "py", "argsrepr": "", "kwargsrepr": ""},
        "properties": {**properties, "correlation_id": "1"},
    }
    return json.dumps(told).encode()


def _client(t: Trial) -> redis.Redis:
    assert t.site.valkey is not None
    return redis.Redis.from_url(t.site.valkey.url)
