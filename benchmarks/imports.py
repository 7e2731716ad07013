"""Import a million rows and say what it cost.

    python -m benchmarks.imports --rows 1000000                        a fresh SQLite file
    python -m benchmarks.imports --rows 1000000 --postgres             a fresh PostgreSQL from the tests' own wheel
    python -m benchmarks.imports --rows 100000 --database-url URL      an empty database of yours

The file is made deterministically: e-mail, name, country, language, and consent with evidence for one purpose on
e-mail; with ``--phones`` a telephone number too, a second address for everybody. Memory is the largest sum over all our
processes (the importer and its helpers), shared pages counted once; a PostgreSQL server's is not in it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import secrets
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy

from benchmarks import tools
from broadcaster.actions.imports import files, jobs
from broadcaster.actions.runtime import Runtime
from broadcaster.core import keys
from broadcaster.core.event_types import Changed
from broadcaster.core.import_columns import Cell, ConsentRule, Mapping
from broadcaster.storage import log, schema
from broadcaster.storage.database import Database
from broadcaster.storage.tables import Brand, Purpose, Wording

HEADER = [
    "Email",
    "Phone",
    "First name",
    "Last name",
    "Country",
    "Language",
    "Consent",
    "Date",
    "Version",
    "Form",
    "Proof",
]
FIRST = ["Ann", "Bruno", "Chloé", "David", "Émilie", "Farid", "Greta", "Hugo", "Inès", "Jürgen", "Karim", "Léa"]
LAST = ["Martin", "Bernard", "Müller", "Garcia", "Rossi", "Smith", "Dubois", "Moreau", "Laurent", "Simon", "Lefèvre"]


def write_file(path: Path, rows: int) -> None:
    """Write the same file for the same *rows*, always."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(rows):
            month, day, hour = n % 12 + 1, n % 28 + 1, n % 24
            first, last = FIRST[n % len(FIRST)], f"{LAST[n % len(LAST)]}{n // 1000 % 997}"
            writer.writerow(
                [
                    f"person{n}@example{n % 500}.org",
                    f"+336{n % 100_000_000:08d}",
                    first,
                    last,
                    "FR",
                    "fr" if n % 3 else "en",
                    "yes",
                    f"2024-{month:02d}-{day:02d}T{hour:02d}:{n % 60:02d}:00+00:00",
                    "1",
                    "web form",
                    f"https://www.example.org/newsletter?submission={n:09d}",
                ]
            )


def mapping(phones: bool) -> Mapping:
    rule = ConsentRule(
        purpose="newsletter",
        answer=Cell(column="Consent"),
        date=Cell(column="Date"),
        wording=Cell(column="Version"),
        source=Cell(column="Form"),
        evidence=Cell(column="Proof"),
    )
    columns = {
        "address:email": "Email",
        **({"address:sms": "Phone"} if phones else {}),
        "first_name": "First name",
        "last_name": "Last name",
        "country": "Country",
        "language": "Language",
    }
    return Mapping(columns=columns, consents=(rule,))


def prepare(runtime: Runtime) -> None:
    """Make one brand, one purpose and its wording."""
    schema.upgrade(runtime.db)
    now = datetime.now(UTC)
    with runtime.db.transaction() as session:
        brand = Brand(key="main", name="Example", contact="hello@example.org")
        session.add(brand)
        session.flush()
        purpose = Purpose(brand_id=brand.id, key="newsletter", kind="marketing", label={"en": "Newsletter"})
        session.add(purpose)
        session.flush()
        words = "Yes, send me the newsletter."
        session.add(
            Wording(purpose_id=purpose.id, version=1, language="en", text=words, sha256="0" * 64, created_at=now)
        )
        log.record(session, Changed("purpose", purpose.id, "created"), at=now)


class Memory:
    """Watches the memory of this process and its children: resident, shared pages counted once (Pss)."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            self.peak = max(self.peak, tools.memory_mb(os.getpid()))


def measure(runtime: Runtime, path: Path, rows: int, *, phones: bool) -> dict[str, Any]:
    with Memory() as memory:
        parts = {}
        begun = time.perf_counter()
        import_id = jobs.upload(runtime, path, name=path.name, actor="cli:benchmark")
        parts["upload"] = time.perf_counter() - begun
        kept = jobs.path_of(runtime, import_id)
        found = files.inspect(kept)
        start = time.perf_counter()
        jobs.start(runtime, import_id, found, mapping(phones), actor="cli:benchmark")
        parts["check"] = time.perf_counter() - start
        start = time.perf_counter()
        report = jobs.run(runtime, import_id, actor="cli:benchmark", watch=_show)
        parts["run"] = time.perf_counter() - start
        total = time.perf_counter() - begun
    mine, helper = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "rows": rows,
        "seconds": round(total, 2),
        "rows_per_second": round(rows / total),
        "seconds_by_part": {name: round(value, 2) for name, value in parts.items()},
        "cpu_seconds": {
            "writer": round(mine.ru_utime + mine.ru_stime, 2),
            "helper": round(helper.ru_utime + helper.ru_stime, 2),
        },
        "peak_resident_mb": round(memory.peak, 1),
        "report": report.as_json(),
    }


def _show(progress: jobs.Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.done:>9} / {progress.total}  {progress.rate:8.0f} rows/s", end="", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL server for this run")
    parser.add_argument("--phones", action="store_true", help="two addresses for everybody")
    parser.add_argument("--database-url", help="an empty database")
    parser.add_argument("--json", type=Path, help="where the figures go", default=None)
    options = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = options.database_url or f"sqlite:///{home / 'bench.sqlite3'}"
        if options.postgres:
            from tests import servers

            url = stack.enter_context(stack.enter_context(servers.postgres()).database())
        database = Database(url)
        stack.callback(database.close)
        runtime = Runtime(db=database, keys=keys.generate(secrets.token_bytes), home=home, public_url="")
        prepare(runtime)
        path = home / "contacts.csv"
        write_file(path, options.rows)
        result = measure(runtime, path, options.rows, phones=options.phones) | {
            "addresses": 2 if options.phones else 1,
            "file_mb": round(path.stat().st_size / 1e6, 1),
            "database": database.engine.dialect.name,
            "versions": {"python": platform.python_version(), "sqlalchemy": sqlalchemy.__version__},
            "command": " ".join(["python", "-m", "benchmarks.imports", *sys.argv[1:]]),
        }
    _print(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def _print(result: dict[str, Any]) -> None:
    for name in (
        "database",
        "rows",
        "seconds",
        "rows_per_second",
        "seconds_by_part",
        "cpu_seconds",
        "peak_resident_mb",
    ):
        print(f"{name:>18}  {result[name]}")


if __name__ == "__main__":
    main()
