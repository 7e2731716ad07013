"""Planning a run from all contacts: seconds, time per recipient at growing sizes, and memory.

    ./run bench planning                                PostgreSQL: 10 000, 100 000 and 1 000 000 contacts
    ./run bench planning --sizes 10000,100000 --sqlite

One process plans range after range, as a worker does, and nothing else runs. The same database grows from size to size.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import tools
from broadcaster.actions import planning
from broadcaster.actions.runtime import Runtime
from broadcaster.fakes import twilio
from tests import factories, servers

#: How many people are made in one go; only bounds the benchmark's own memory.
_MAKE = 100_000


def grow(runtime: Runtime, have: int, count: int, *, purpose: int, wording: int) -> None:
    """Make people up to *count*."""
    for start in range(have + 1, count + 1, _MAKE):
        more = min(_MAKE, count + 1 - start)
        factories.contacts(runtime, more, purpose_id=purpose, wording_id=wording, channel="sms", start=start)
    with runtime.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("ANALYZE" if runtime.db.sqlite else "VACUUM ANALYZE")


def plan(runtime: Runtime, database: int | None) -> dict[str, Any]:
    """Plan the campaign that is due, to its end."""
    cpu = tools.cpu_seconds(database) if database else 0.0
    begun, own = time.perf_counter(), time.process_time()
    [run] = planning.start_due(runtime)
    ranges = 1
    while planning.plan_range(runtime, run):
        ranges += 1
    seconds = time.perf_counter() - begun
    with runtime.db.reading() as session:
        counted = "SELECT count(*) FROM step WHERE run_id = :run"
        planned = session.connection().execute(text(counted), {"run": run}).scalar_one()
    return {
        "planned": planned,
        "seconds": round(seconds, 2),
        "us per recipient": round(seconds / planned * 1e6, 1),
        "ranges": ranges,
        "planner CPU s": round(time.process_time() - own, 2),
        "database CPU s": round(tools.cpu_seconds(database) - cpu, 2) if database else "-",
        "peak memory MB": round(tools.peak_mb()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--json", type=Path, default=Path("planning.json"), help="where the figures go")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench")))
        url, database = f"sqlite:///{home / 'bench.sqlite3'}", None
        if not options.sqlite:
            server = stack.enter_context(servers.postgres(durable=True))
            url, database = stack.enter_context(server.database()), server.daemon.pid
        runtime = stack.enter_context(factories.installation(url, home))
        brand, purpose, wording = factories.brand_and_purpose(runtime)
        settings = {"account_sid": twilio.ACCOUNT_SID, "sender": "+15550100", "auth_token": twilio.AUTH_TOKEN}
        account = factories.account(runtime, brand, "twilio", settings=settings)
        have = 0
        for size in sorted(int(one) for one in options.sizes.split(",")):
            grow(runtime, have, size, purpose=purpose, wording=wording)
            have = size
            factories.campaign(runtime, brand_id=brand, purpose_id=purpose, lanes=[("sms", account)])
            rows.append({"contacts": size, **plan(runtime, database)})
    tools.show(rows)
    tools.keep(options.json, {"database": "sqlite" if options.sqlite else "postgresql", "sizes": rows})


if __name__ == "__main__":
    main()
