"""A campaign end to end, with every promise on, against what the same machine can do at most in the same run.

    ./run bench campaign                                    100 000 people: HTTP and mail, small and large installation
    ./run bench campaign --people 20000 --only http-large
    ./run bench campaign --latency-ms 50 --only http-large  a provider that takes its time

*small*: ``broadcaster serve``, one process, SQLite. *large*: PostgreSQL and Valkey that wait for the disk, and
``broadcaster worker`` with two processes. People, addresses and consents are made before anything is measured. The
gate, the barrier's locks, the log, encryption, stop links and sending windows are on as in any installation.

Every figure is a ratio or belongs to one run: the ceiling (``blast.c`` posting the very same bytes to the same sink
over as many connections) and the naive design (``naive.py``) are measured right after the product.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from benchmarks import tools
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.windows import Place, Windows
from broadcaster.channels import contract, registry
from broadcaster.core.campaigns import Schedule
from broadcaster.core.event_types import Changed
from broadcaster.core.messages import Outbound
from broadcaster.storage import log
from broadcaster.storage.tables import Worker
from tests import factories, servers

CASES = ("http-small", "http-large", "mail-small", "mail-large")
CONNECTIONS = contract.CONCURRENCY
TEXT = (
    "Hello {{ contact.first_name }}, our autumn offers are here: 20 % on everything until Sunday. "
    "Stop: {{ unsubscribe_url }}"
)
_PATIENCE_SECONDS = 900


@dataclass
class Bench:
    """One installation with its servers, before the workers start."""

    runtime: Runtime
    home: Path
    url: str
    broker: str
    parts: dict[str, int]  #: part -> process id, for what it costs


@contextmanager
def installation(large: bool) -> Iterator[Bench]:
    """Start what the installation needs and make it ready."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench")))
        parts: dict[str, int] = {}
        url, broker = f"sqlite:///{home / 'broadcaster.sqlite3'}", ""
        if large:
            database, queue = servers.postgres(durable=True), servers.valkey(durable=True)
            server, redis = stack.enter_context(database), stack.enter_context(queue)
            url, broker = stack.enter_context(server.database()), redis.url
            parts = {"database": server.daemon.pid, "broker": redis.daemon.pid}
        runtime = stack.enter_context(factories.installation(url, home, windows=True))
        yield Bench(runtime, home, url, broker, parts)


def environment(place: Bench) -> dict[str, str]:
    """Return the settings a worker of this installation is started with."""
    ours = {
        "HOME": str(place.home),
        "DATABASE_URL": place.url,
        "KEYS": place.runtime.keys.dump(),
        "PUBLIC_URL": place.runtime.public_url,
        "LISTEN": f"127.0.0.1:{servers.free_port()}",
        "LOG_LEVEL": "warning",
    }
    if place.broker:
        ours["BROKER_URL"] = place.broker
    return {**os.environ, **{f"BROADCASTER_{name}": value for name, value in ours.items()}}


def open_country(runtime: Runtime) -> tuple[str, str]:
    """Return (country, zone) where the sending window, by the organisation's own hours, is open now."""
    zones = {"IS": "Atlantic/Reykjavik", "NZ": "Pacific/Auckland", "BR": "America/Sao_Paulo", "IN": "Asia/Kolkata"}
    hours = {"opens": "00:00", "closes": "23:59", "days": [0, 1, 2, 3, 4, 5, 6]}
    set_settings(runtime, {"windows": dict.fromkeys(zones, hours)}, actor=factories.ACTOR)
    with runtime.db.reading() as session:
        windows, now = Windows.load(session, marketing=True), runtime.db.now(session)
    for country, zone in zones.items():
        if windows.due(Place(zone, None, country), Schedule(), now=now) == now:
            return country, zone
    raise SystemExit("it is a holiday everywhere: try again tomorrow")


def people(place: Bench, count: int, *, channel: str, account: int, scoped: bool, purpose: int, wording: int) -> None:
    """Make the audience, in a place where it is daytime."""
    factories.contacts(
        place.runtime,
        count,
        purpose_id=purpose,
        wording_id=wording,
        channel=channel,
        account_id=account if scoped else None,
    )
    country, zone = open_country(place.runtime)
    with place.runtime.db.transaction(factories.ACTOR) as session:
        values = {"country": country, "zone": zone}
        session.connection().execute(text("UPDATE contact SET country = :country, time_zone = :zone"), values)
        log.record(session, Changed(what="contact", id="", verb="changed"), at=place.runtime.db.now(session))
    with place.runtime.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("ANALYZE" if place.runtime.db.sqlite else "VACUUM ANALYZE")


def figures(session: Session, campaign: int) -> dict[str, Any]:
    """Read from the rows how it went; nothing is taken from a log or a memory."""
    row = (
        session.connection()
        .execute(
            text(
                """SELECT count(*) AS steps, sum(CASE WHEN s.state = 'accepted' THEN 1 ELSE 0 END) AS accepted,
                min(s.gate_at) AS first, max(s.settled_at) AS last, max(s.attempt) AS attempts,
                min(r.started_at) AS begun, min(r.planned_at) AS planned, min(r.state) AS state
            FROM run r JOIN step s ON s.run_id = r.id WHERE r.campaign_id = :campaign"""
            ),
            {"campaign": campaign},
        )
        .one()
    )
    audience = session.connection().execute(
        text("SELECT count(*) FROM delivery d JOIN run r ON r.id = d.run_id WHERE r.campaign_id = :campaign"),
        {"campaign": campaign},
    )
    sent = _seconds(row.first, row.last)
    return {
        "audience": audience.scalar_one(),
        "accepted": row.accepted,
        "attempts": row.attempts,
        "planning_seconds": round(_seconds(row.begun, row.planned), 2),
        "seconds": round(sent, 2),
        "per_second": round(row.accepted / sent),
        "launch_to_last": round(_seconds(row.begun, row.last), 2),
    }


def _seconds(start: Any, end: Any) -> float:
    first, last = (one if isinstance(one, datetime) else datetime.fromisoformat(str(one)) for one in (start, end))
    return (last - first).total_seconds()


def run_product(place: Bench, campaign: Any, parts: dict[str, int], command: list[str] | None = None) -> dict[str, Any]:
    """Start the workers as an operator does, launch, wait for the end; return figures, cost and memory."""
    small = not place.broker
    usual = [sys.executable, "-m", "broadcaster", *(["serve"] if small else ["worker", "--processes", "2"])]
    command = command or usual
    with place.runtime.db.reading() as session:
        since = place.runtime.db.now(session)  # a run before this one may have left its workers' rows
    noise = subprocess.DEVNULL if not os.environ.get("BENCH_LOUD") else None
    with tools.process(command, env=environment(place), stdout=noise, stderr=noise) as running:
        ready = select(func.count()).select_from(Worker).where(col(Worker.started_at) >= since)
        _wait_for(place, lambda s: s.exec(ready).one() >= (1 if small else 2))
        parts = {"workers": running.pid, **parts}
        before = {name: tools.cpu_seconds(pid) for name, pid in parts.items()}
        made = campaign()
        peak = dict.fromkeys(parts, 0.0)

        def finished(session: Session) -> bool:
            for name, pid in parts.items():
                peak[name] = max(peak[name], tools.memory_mb(pid))
            return bool(_scalar(session, f"SELECT count(*) FROM run WHERE campaign_id = {made} AND state = 'finished'"))

        _wait_for(place, finished, every=1.0)
        cost = {name: round(tools.cpu_seconds(pid) - before[name], 2) for name, pid in parts.items()}
    with place.runtime.db.reading() as session:
        told = figures(session, made)
    told["cpu_seconds"] = cost
    told["cpu_us_per_message"] = {name: round(spent / told["accepted"] * 1e6) for name, spent in cost.items()}
    told["memory_mb"] = {name: round(size) for name, size in peak.items()}
    told["memory_mb_all"] = round(sum(peak.values()))
    return told


def _scalar(session: Session, statement: str) -> int:
    return int(session.connection().execute(text(statement)).scalar_one())


def _wait_for(place: Bench, done: Any, *, every: float = 0.2) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        with place.runtime.db.reading() as session:
            if done(session):
                return
        time.sleep(every)
    raise SystemExit("it did not end in time")


def run_http(large: bool, options: argparse.Namespace) -> dict[str, Any]:
    """Telegram's wire format."""
    tmp: Path = options.folder
    kept = tmp / "requests"
    with installation(large) as place:
        brand, purpose, wording = factories.brand_and_purpose(place.runtime)
        command = [*tools.compiled("sink", tmp), "--keep", str(kept), "--latency-ms", str(options.latency_ms)]
        with tools.sink(command) as (port, pid, end):
            account = factories.account(
                place.runtime,
                brand,
                "telegram",
                base_url=f"http://127.0.0.1:{port}",
                settings={"token": "123456:benchmark"},
                **({"concurrency": options.concurrency} if options.concurrency else {}),
            )
            people(
                place,
                options.people,
                channel="telegram",
                account=account,
                scoped=True,
                purpose=purpose,
                wording=wording,
            )

            def launch() -> int:
                lanes = [("telegram", account)]
                return factories.campaign(place.runtime, brand_id=brand, purpose_id=purpose, lanes=lanes, text=TEXT)

            told = run_product(place, launch, {**place.parts, "sink": pid})
            totals = end()
        told["unique_at_sink"], told["posts_at_sink"] = totals["unique_recipients"], totals["posts"]
        told["ceiling_per_second"] = ceiling(tmp, kept, options)
        if large and options.naive:
            told["naive_per_second"] = naive(place, options, purpose)
    return told


def ceiling(tmp: Path, kept: Path, options: argparse.Namespace) -> int:
    """Post the kept requests again as fast as one thread can; the better of two."""
    best = 0.0
    for _ in range(2):
        command = [*tools.compiled("sink", tmp), "--latency-ms", str(options.latency_ms)]
        with tools.sink(command) as (port, _pid, end):
            connections = str(options.concurrency or CONNECTIONS)
            blast = [*tools.compiled("blast", tmp), str(port), connections, str(options.people), str(kept)]
            told = json.loads(subprocess.run(blast, capture_output=True, text=True, check=True).stdout)
            end()
        best = max(best, told["posts"] / told["seconds"])
    return round(best)


def naive(place: Bench, options: argparse.Namespace, purpose: int) -> int:
    """Send to fewer people the naive way, over the same database, broker and sink."""
    from celery import Celery

    from benchmarks.naive import Sent

    count = min(options.naive, options.people)
    with tools.sink(tools.compiled("sink", options.folder)) as (port, _pid, end), ExitStack() as stack:
        Sent.__table__.create(place.runtime.db.engine, checkfirst=True)  # type: ignore[attr-defined]
        told = {
            "keys": place.runtime.keys.dump(),
            "database": place.url,
            "purpose": purpose,
            "url": f"http://127.0.0.1:{port}/bot1/sendMessage",
            "text": TEXT,
        }
        own = {**os.environ, "NAIVE": json.dumps(told), "NAIVE_BROKER": place.broker}
        own |= {"BROADCASTER_HOME": str(place.home)}
        command = [sys.executable, "-m", "celery", "-A", "benchmarks.naive", "worker", "-c", "2", "-l", "ERROR"]
        stack.enter_context(tools.process(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        queue = Celery(broker=place.broker)
        with place.runtime.db.reading() as session:
            found = session.connection().execute(text("SELECT id FROM contact ORDER BY id LIMIT :n"), {"n": count})
            ids = [row[0] for row in found]
        for one in ids:
            queue.send_task("naive.send", (one,))
        _wait_for(place, lambda s: _scalar(s, "SELECT count(*) FROM naive_sent") >= count, every=0.5)
        queue.close()
        with place.runtime.db.reading() as session:
            first, last = session.connection().execute(text("SELECT min(at), max(at) FROM naive_sent")).one()
        assert end()["unique_recipients"] == count
    return round(count / _seconds(first, last))


def run_mail(large: bool, options: argparse.Namespace) -> dict[str, Any]:
    """SMTP, without TLS and without a signature of ours."""
    tmp: Path = options.folder
    server = [sys.executable, "-m", "broadcaster.fakes.mail", "--count-only", "--port", "0"]
    with installation(large) as place:
        brand, purpose, wording = factories.brand_and_purpose(place.runtime)
        with tools.sink(server, "smtp_port") as (port, pid, end):
            settings = {"host": "127.0.0.1", "port": str(port), "security": "none", "from_address": "news@example.org"}
            account = factories.account(place.runtime, brand, "smtp", settings=settings)
            people(
                place, options.people, channel="email", account=account, scoped=False, purpose=purpose, wording=wording
            )

            def launch() -> int:
                lanes = [("email", account)]
                return factories.campaign(place.runtime, brand_id=brand, purpose_id=purpose, lanes=lanes, text=TEXT)

            told = run_product(place, launch, {**place.parts, "sink": pid})
            totals = end()
        told["unique_at_sink"], told["posts_at_sink"] = totals["unique"], totals["total"]
        mail_ceiling(place, tmp, account, told, options, server)
    return told


def mail_ceiling(
    place: Bench, tmp: Path, account: int, told: dict[str, Any], options: argparse.Namespace, server: list[str]
) -> None:
    """Send one letter of ours again and again over as many pipelining connections as the account has."""
    from broadcaster.actions import accounts

    with place.runtime.db.reading() as session:
        config = accounts.config(place.runtime, session, account)
    sender = registry.get("smtp").sender(config)
    link = "https://news.example.org/u/" + "x" * 60
    letter = sender.prepare(
        Outbound(
            to="person1@example.net",
            reference="s1.1",
            subject="News from Example",
            text=TEXT.replace("{{ unsubscribe_url }}", link),
            html="",
            media=(),
            buttons=(),
            headers=(("List-Unsubscribe", f"<{link}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")),
        )
    )
    sender.close()
    kept = tmp / "letter"
    kept.write_bytes(letter.data.removesuffix(b".\r\n"))
    best = 0.0
    for _ in range(2):
        with tools.sink(server, "smtp_port") as (port, _pid, end):
            count = str(min(options.people, 50_000))
            blast = [*tools.compiled("blast_mail", tmp), str(port), "10", count, str(kept)]
            found = json.loads(subprocess.run(blast, capture_output=True, text=True, check=True).stdout)
            end()
        best = max(best, found["posts"] / found["seconds"])
    told["ceiling_per_second"] = round(best)


def row_of(case: str, told: dict[str, Any]) -> dict[str, Any]:
    """Return one column of the table."""
    exact = told["accepted"] == told["audience"] == told["unique_at_sink"] == told["posts_at_sink"]
    row = {
        "case": case,
        "audience": told["audience"],
        "accepted": told["accepted"],
        "unique at the sink": told["unique_at_sink"],
        "exactly once": "yes" if exact else "NO",
        "messages/s": told["per_second"],
        "ceiling/s": told["ceiling_per_second"],
        "share of the ceiling": f"{told['per_second'] / told['ceiling_per_second']:.3f}",
        "naive/s": told.get("naive_per_second", "-"),
        "times the naive": "-",
        "planning s (while sending)": told["planning_seconds"],
        "launch to last settle s": told["launch_to_last"],
    }
    if "naive_per_second" in told:
        row["times the naive"] = round(told["per_second"] / told["naive_per_second"], 1)
    for name in ("workers", "database", "broker", "sink"):
        row[f"CPU us/message {name}"] = told["cpu_us_per_message"].get(name, "-")
    for name in ("workers", "database", "broker", "sink"):
        row[f"memory MB {name}"] = told["memory_mb"].get(name, "-")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--only", action="append", choices=CASES, help="may be given several times")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="how long the HTTP sink takes to answer")
    parser.add_argument("--concurrency", type=int, default=0, help="calls in flight of the HTTP account")
    parser.add_argument("--naive", type=int, default=2000, help="people the naive design is tried with; 0: not at all")
    parser.add_argument("--json", type=Path, default=Path("campaign.json"), help="where the figures go")
    options = parser.parse_args()
    cases = options.only or CASES
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        options.folder = Path(folder)
        if "fallback" in " ".join(tools.compiled("sink", options.folder)):
            print("no C compiler: sink and ceiling are Python, and much slower than compiled ones\n")
        for case in cases:
            wire, _, size = case.partition("-")
            run = run_http if wire == "http" else run_mail
            results[case] = run(size == "large", options)
    tools.show([row_of(case, told) for case, told in results.items()])
    tools.keep(options.json, {"people": options.people, "latency_ms": options.latency_ms, "cases": results})


if __name__ == "__main__":
    main()
