"""A burst of STOPs: signed webhooks from many connections at once against ``serve``, every one counted afterwards.

    ./run bench stops                              10 000 over 32 connections, SQLite and PostgreSQL
    ./run bench stops --stops 1000 --only sqlite

Nine in ten come from people who agreed, the others from numbers nobody knows; every twentieth is told twice, as a
provider does that doubts. What is answered 503, or not at all, is told again until it is taken.
"""

from __future__ import annotations

import argparse
import http.client
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy import text

from benchmarks import tools
from broadcaster.actions import accounts
from broadcaster.actions.runtime import Runtime
from broadcaster.channels.twilio_callbacks import signature
from broadcaster.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN
from tests import factories, servers
from tests.proof.site import Site

AGAIN_SECONDS = 0.2
SETTINGS = {"account_sid": ACCOUNT_SID, "sender": "+15550100", "auth_token": AUTH_TOKEN}
COUNTED = {
    "stored": "SELECT count(*) FROM inbox_event",
    "refusals": "SELECT count(*) FROM consent_event WHERE action = 'objected'",
    "addresses that refused": "SELECT count(DISTINCT address_id) FROM consent_event WHERE action = 'objected'",
    "may still be written to": "SELECT count(*) FROM consent_state s WHERE s.standing = 'granted' AND NOT EXISTS ("
    "SELECT 1 FROM consent_event e WHERE e.address_id = s.address_id AND e.action = 'objected')",
}


@contextmanager
def site(stack: ExitStack, name: str, stops: int) -> Iterator[tuple[Site, Runtime, str]]:
    """Yield a running ``serve`` on an installation with people, and where the provider calls."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stops")))
    url = f"sqlite:///{home / 'bench.sqlite3'}"
    if name == "postgresql":
        url = stack.enter_context(stack.enter_context(servers.postgres(durable=True)).database())
    made = stack.enter_context(factories.installation(url, home))
    brand, purpose, wording = factories.brand_and_purpose(made)
    account = factories.account(made, brand, "twilio", settings=SETTINGS)
    factories.contacts(made, stops * 9 // 10, purpose_id=purpose, wording_id=wording, channel="sms")
    place = Site(home, url, ring=made.keys.dump())
    with made.db.reading() as session:
        hook = accounts.config(replace(made, public_url=place.public_url), session, account).public_url
    place.start_pages()
    try:
        yield place, made, hook
    finally:
        place.stop()


def bodies(hook: str, stops: int) -> list[tuple[str, dict[str, str]]]:
    """Return the calls: a form and its headers; every twentieth comes twice."""
    found = []
    for n in range(1, stops + 1):
        sender = factories.address_value("sms", n)
        items = [("MessageSid", f"SM{n:032x}"), ("AccountSid", ACCOUNT_SID), ("From", sender), ("To", "+15550100")]
        items += [("Body", "STOP"), ("NumMedia", "0"), ("SmsStatus", "received")]
        headers = {"X-Twilio-Signature": signature(AUTH_TOKEN, hook, items)}
        call = (urlencode(items), {**headers, "Content-Type": "application/x-www-form-urlencoded"})
        found += [call] * (2 if n % 20 == 0 else 1)
    return found


def tell(hook: str, calls: Sequence[tuple[str, dict[str, str]]]) -> tuple[Counter[str], list[float]]:
    """Make calls over one connection, each until it is taken; return the answers and how many seconds each took."""
    where, answers, seconds = urlsplit(hook), Counter[str](), []
    connection = http.client.HTTPConnection(where.netloc, timeout=60)
    for body, headers in calls:
        status = ""
        while status != "200":
            begun = time.perf_counter()
            try:
                connection.request("POST", where.path, body=body, headers=headers)
                answer = connection.getresponse()
                answer.read()
                status = str(answer.status)
            except (OSError, http.client.HTTPException):
                connection.close()
                status = "no answer"
            answers[status] += 1
            if status == "200":
                seconds.append(time.perf_counter() - begun)
            else:
                time.sleep(AGAIN_SECONDS)
    connection.close()
    return answers, seconds


def burst(name: str, stops: int, connections: int) -> dict[str, Any]:
    """Run one burst on one database; raise AssertionError where one was lost or doubled."""
    with ExitStack() as stack, site(stack, name, stops) as (_place, made, hook):
        calls = bodies(hook, stops)
        begun = time.perf_counter()
        with ThreadPoolExecutor(connections) as pool:
            told = list(pool.map(lambda n: tell(hook, calls[n::connections]), range(connections)))
        took = time.perf_counter() - begun
        with made.db.reading() as session:
            found = {what: session.connection().execute(text(said)).scalar_one() for what, said in COUNTED.items()}
    seconds = sorted(one for _, some in told for one in some)
    answers = sum((some for some, _ in told), Counter[str]())
    assert set(found.values()) == {stops, 0}, found
    assert found["may still be written to"] == 0, found
    return {
        "database": name,
        "stops": stops,
        "calls taken": answers["200"],
        **found,
        "answered 503": answers["503"],
        "not answered": answers["no answer"],
        "other answers": answers.total() - sum(answers[one] for one in ("200", "503", "no answer")),
        "seconds": round(took, 1),
        "per second": round(len(seconds) / took),
        "median ms": round(seconds[len(seconds) // 2] * 1000),
        "p99 ms": round(seconds[int(len(seconds) * 0.99)] * 1000),
        "slowest ms": round(seconds[-1] * 1000),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stops", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--json", type=Path, default=Path("stops.json"), help="where the figures go")
    options = parser.parse_args()
    names = [options.only] if options.only else ["sqlite", "postgresql"]
    rows = [burst(name, options.stops, options.connections) for name in names]
    tools.show(rows)
    tools.keep(options.json, {"bursts": rows})
