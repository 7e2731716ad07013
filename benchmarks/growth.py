"""The consent desk's growth over two years: the ledger walked, against days counted once.

    ./run bench growth                              1 000 000 contacts, PostgreSQL
    ./run bench growth --contacts 100000 --sqlite

Everybody agreed on some day of two years, three in ten withdrew a month later. Rows lie as they would there, but
without evidence that opens: counting does not read it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from benchmarks import tools
from broadcaster.actions import consent_desk
from broadcaster.actions.runtime import Runtime
from broadcaster.core.event_types import ContactChanged
from broadcaster.core.sealing import stored
from broadcaster.storage import bulk, log
from tests import factories, servers

DAYS = 730
_AT_ONCE = 20_000
_EVENT = (
    *("id", "key", "address_id", "purpose_id", "action", "actor", "source", "basis", "clock", "occurred_at"),
    *("received_at", "ineffective", "entry_id", "commitment"),
)
_ADDRESS = (
    *("id", "channel", "digest", "value_ct", "status", "status_reason", "suppressed", "stop_epoch", "created_at"),
)
_STATE = ("address_id", "purpose_id", "standing", "event_id", "basis", "since", "expires_at")
_EVIDENCE = ("event_id", "body_ct", "salt", "rule")


def fill(runtime: Runtime, contacts: int, purpose: int) -> None:
    """Write the history of so many addresses."""
    begin = datetime.now(UTC) - timedelta(days=DAYS)
    for low in range(1, contacts + 1, _AT_ONCE):
        with runtime.db.transaction("cli:bench") as session:
            ids = range(low, min(low + _AT_ONCE, contacts + 1))
            entry = log.record(session, ContactChanged(contact_id=low, verb="created"), at=runtime.db.now(session))
            _chunk(session, ids, purpose, entry, lambda n: begin + timedelta(days=DAYS * n / contacts))
    with runtime.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if runtime.db.sqlite else "VACUUM ANALYZE"))


def _chunk(session: Session, ids: range, purpose: int, entry: int, when: Callable[[int], datetime]) -> None:
    no: int | bool = 0 if bulk.is_sqlite(session) else False

    def event(event_id: int, address: int, at: datetime, action: str, source: str) -> tuple[Any, ...]:
        key = event_id.to_bytes(16, "big")
        told = (action, "person", source, "consent", "ours", stored(at), stored(at), no, entry, key * 2)
        return (event_id, key, address, purpose, *told)

    def each(make: Callable[[int], Any]) -> list[Any]:
        return [make(n) for n in ids]

    def blob(n: int) -> bytes:
        return n.to_bytes(32, "big")

    bulk.insert_rows(
        session, "address", _ADDRESS, each(lambda n: (n, "email", blob(n), b"x", "ok", "", no, 0, stored(when(n))))
    )
    agreed = each(lambda n: event(2 * n, n, when(n), "granted", ("web_form", "import", "keyword")[n % 3]))
    month = timedelta(days=30)
    now = datetime.now(UTC)
    left = [n for n in ids if n % 10 < 3 and when(n) + month < now]
    agreed += [event(2 * n + 1, n, when(n) + month, "withdrawn", "keyword" if n % 2 else "one_click") for n in left]
    bulk.insert_rows(session, "consent_event", _EVENT, agreed)
    rules = [(row[0], b"x", b"x", f"rq.en.{row[0] % 40}" if row[6] == "keyword" else None) for row in agreed]
    bulk.insert_rows(session, "consent_evidence", _EVIDENCE, rules)
    gone, ends = set(left), timedelta(days=365)
    bulk.insert_rows(
        session,
        "consent_state",
        _STATE,
        each(
            lambda n: (
                *(n, purpose, "withdrawn" if n in gone else "granted", 2 * n + (n in gone), "consent"),
                *(stored(when(n)), stored(when(n) + ends)),
            )
        ),
    )


def timed(runtime: Runtime) -> tuple[float, int]:
    """Return the milliseconds of two years by months, the best of three, and how many changes were counted."""
    today = datetime.now(UTC).date()
    took, total = [], 0
    for _ in range(3):
        begun = time.perf_counter()
        found = consent_desk.growth(runtime, first=today - timedelta(days=DAYS), last=today)
        took.append((time.perf_counter() - begun) * 1000)
        total = sum(one.count for some in found.changes for one in some)
    return min(took), total


def counting(runtime: Runtime) -> Iterator[float]:
    """Yield the seconds that each round of the loop's job takes until every day is counted."""
    more = 1
    while more:
        begun = time.perf_counter()
        more = consent_desk.count_days(runtime)
        yield time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--json", type=Path, default=Path("growth.json"), help="where the figures go")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench")))
        url = f"sqlite:///{home / 'bench.sqlite3'}"
        if not options.sqlite:
            url = stack.enter_context(stack.enter_context(servers.postgres()).database())
        runtime = stack.enter_context(factories.installation(url, home))
        _brand, purpose, _wording = factories.brand_and_purpose(runtime)
        fill(runtime, options.contacts, purpose)
        before, changes = timed(runtime)
        rounds = list(counting(runtime))
        after, again = timed(runtime)
        assert changes == again, (changes, again)
        with runtime.db.reading() as session:
            kept = session.connection().execute(text("SELECT count(*) FROM consent_tally")).scalar_one()
    row = {
        "database": "sqlite" if options.sqlite else "postgresql",
        "contacts": options.contacts,
        "changes counted": changes,
        "ledger walked ms": round(before),
        "days counted ms": round(after),
        "rows kept": kept,
        "counting all days s": round(sum(rounds), 1),
        "longest round s": round(max(rounds), 1),
    }
    tools.show([row])
    tools.keep(options.json, row)
