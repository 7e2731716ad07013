"""The demonstration's world: an installation of its own, local fakes, an invented company and its customers."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broadcaster import config
from broadcaster.actions import accounts, catalogue, content, organisation
from broadcaster.actions.imports import jobs, records
from broadcaster.actions.runtime import Runtime
from broadcaster.cli import demo_people
from broadcaster.cli.demo_people import Invented
from broadcaster.cli.serving import page_server, start_engine
from broadcaster.cli.setup import prepare
from broadcaster.config import Settings
from broadcaster.core.errors import Conflict, Unavailable
from broadcaster.core.import_columns import read_mapping
from broadcaster.fakes.mail import FakeMail
from broadcaster.fakes.ports import free_port
from broadcaster.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, FakeTwilio
from broadcaster.storage import demonstration, schema
from broadcaster.storage.database import Database

ACTOR = "cli:demo"
PATIENCE_SECONDS = 600.0


@dataclass(slots=True)
class World:
    """Everything the demonstration runs on."""

    runtime: Runtime
    settings: Settings
    mail: FakeMail
    sms: FakeTwilio
    people: list[Invented]
    works: Callable[[], bool]  #: whether the worker is still there
    brand_id: int = 0
    purposes: dict[str, int] | None = None
    email_account: int = 0
    sms_account: int = 0
    sms_hook: str = ""


def settings_for(given: Settings) -> Settings:
    """Return the demonstration's own settings: a folder of its own, wiped, and a free port."""
    home = given.home / "demo" if given.home != Settings().home else Path(tempfile.gettempdir()) / _folder()
    shutil.rmtree(home, ignore_errors=True)
    host, _, port = given.listen.rpartition(":")
    listen = f"{host}:{free_port(host, wanted=int(port))}"
    changed = {"home": home.resolve(), "listen": listen, "public_url": f"http://{listen}", "keys": ""}
    return given.model_copy(update=changed)


def _folder() -> str:
    return f"broadcaster-demo-{os.getuid()}"


def wipe(settings: Settings) -> None:
    """Empty the database if it holds nothing or an earlier demonstration. Raises Conflict for a real installation."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        if schema.current(database) is None:
            return
        if not demonstration.may_be_wiped(database):
            raise Conflict(
                "the database holds a real installation; the demonstration needs an empty one", code="in_use"
            )
        schema.downgrade(database, "base")
    finally:
        database.close()


@contextlib.contextmanager
def open_world(settings: Settings, people: list[Invented]) -> Iterator[World]:
    """Start the fakes, the engine and the pages; stop them all at the end."""
    wipe(settings)
    prepare(settings)
    with FakeMail() as mail, FakeTwilio(receipts_to_all=True) as sms, _engine(settings) as (runtime, works):
        organisation.set_settings(runtime, {"name": "Maison Lumière", "demo": True}, actor=ACTOR)
        with _pages(runtime, settings):
            world = World(runtime, settings, mail, sms, people, works)
            found_company(world)
            yield world


@contextlib.contextmanager
def _engine(settings: Settings) -> Iterator[tuple[Runtime, Callable[[], bool]]]:
    """Run the worker in this process, or as a process of its own where a broker is configured.

    Yield the runtime, and what says whether the worker still works.
    """
    engine = start_engine(settings, worker=settings.embedded)
    try:
        if engine.worker is not None:
            yield engine.runtime, engine.worker.alive
        else:
            with _worker_process(settings) as worker:
                yield engine.runtime, lambda: worker.poll() is None
    finally:
        engine.stop()


@contextlib.contextmanager
def _worker_process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "broadcaster", "worker", "--processes", "2"]
    worker = subprocess.Popen(command, env=config.environment_for(settings), stdout=subprocess.DEVNULL)
    try:
        yield worker
    finally:
        worker.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(40)
        worker.kill()


@contextlib.contextmanager
def _pages(runtime: Runtime, settings: Settings) -> Iterator[None]:
    server = page_server(runtime, settings)
    thread = threading.Thread(target=server.run, name="broadcaster-pages", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.close()
        thread.join(5)


def found_company(world: World) -> None:
    """Set up brand, purposes, wordings and the two sender accounts."""
    runtime = world.runtime
    world.brand_id = catalogue.create_brand(
        runtime,
        key="lumiere",
        name="Maison Lumière",
        contact="Write to hello@example.org.",
        website="https://example.com",
        actor=ACTOR,
    )
    labels = {"offers": ("Offers", "Offres"), "newsletter": ("Newsletter", "Lettre d'information")}
    world.purposes = {}
    for key, (english, french) in labels.items():
        world.purposes[key] = catalogue.create_purpose(
            runtime,
            key=key,
            parent="marketing",
            brand_id=world.brand_id,
            label={"en": english, "fr": french},
            actor=ACTOR,
        )
    texts = {
        "en": "Yes, Maison Lumière may send me its offers. I can stop at any time.",
        "fr": "Oui, Maison Lumière peut m'envoyer ses offres. Je peux arrêter à tout moment.",
        "de": "Ja, Maison Lumière darf mir Angebote senden. Ich kann das jederzeit beenden.",
    }
    for language, text in texts.items():
        catalogue.add_wording(runtime, purpose_id=world.purposes["offers"], language=language, text=text, actor=ACTOR)
    _open_accounts(world)


def _open_accounts(world: World) -> None:
    mailbox = {"imap_host": "127.0.0.1", "imap_port": str(world.mail.imap_port), "imap_security": "none"}
    server = {"host": "127.0.0.1", "port": str(world.mail.smtp_port), "security": "none"}
    identity = {"from_name": "Maison Lumière", "from_address": "news@example.com"}
    login = {"imap_username": "demo", "imap_password": "demo"}
    world.email_account = accounts.create(
        world.runtime,
        brand_id=world.brand_id,
        provider="smtp",
        name="E-mail (local)",
        settings={**mailbox, **server, **identity, **login},
        actor=ACTOR,
    )
    world.sms_account = accounts.create(
        world.runtime,
        brand_id=world.brand_id,
        provider="twilio",
        name="SMS (local)",
        base_url=world.sms.url,
        settings={
            "account_sid": ACCOUNT_SID,
            "auth_token": AUTH_TOKEN,
            "sender": "+15550100",
            "stop_handling": "us",
        },
        cost_micros=45_000,
        actor=ACTOR,
    )
    with world.runtime.db.reading() as session:
        world.sms_hook = accounts.config(world.runtime, session, world.sms_account).public_url


def import_people(world: World, watch: Callable[[jobs.Progress], None]) -> dict[str, Any]:
    """Import the CSV a marketer would have, and return what the import says of itself."""
    path = world.settings.home / "customers.csv"
    demo_people.write_csv(world.people, path)
    found = jobs.preview(path)
    mapping = read_mapping(
        {
            "columns": {
                "first_name": "first_name",
                "last_name": "last_name",
                "address:email": "email",
                "address:sms": "phone",
                "language": "language",
                "country": "country",
                "birth_year": "birth_year",
            },
            "consents": [_consent("email", "email_consent"), _consent("sms", "sms_consent")],
        }
    )
    import_id = jobs.upload(world.runtime, path, name=path.name, actor=ACTOR)
    jobs.start(world.runtime, import_id, found.format, mapping, actor=ACTOR)
    path.unlink()
    # the worker's loop takes it, as after a click on the page
    taken = functools.partial(records.look, world.runtime, import_id, watch=watch)
    wait_for(lambda: taken() is not None, "the import", works=world.works)
    return records.one(world.runtime, import_id).report.as_json()


def _consent(channel: str, column: str) -> dict[str, Any]:
    proof = {name: {"column": name} for name in ("wording", "source", "evidence")}
    told = {"answer": {"column": column}, "date": {"column": "consent_date"}}
    return {"purpose": "offers", "channel": channel, **told, **proof}


def write_template(world: World) -> int:
    return content.save_template(
        world.runtime,
        name="Spring lamps",
        brand_id=world.brand_id,
        variants=demo_people.WORDS,
        default_language="en",
        actor=ACTOR,
    )


def wait_for(ready: Callable[[], bool], what: str, *, works: Callable[[], bool]) -> None:
    """Wait until *ready*. Raises Unavailable at once when the worker has ended, and after ten minutes."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        if not works():
            raise Unavailable(f"the worker has ended, and nobody goes on with {what}")
        if time.monotonic() > end:
            raise Unavailable(f"the demonstration waited too long: {what}")
        time.sleep(0.2)


def new_password() -> str:
    return secrets.token_urlsafe(9)
