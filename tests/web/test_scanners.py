"""Mail scanners open every link of every message: nobody is opted in or out, no row changes, no click is counted.

``python -m tests.web.test_scanners 1000`` does it once for so many messages and prints the counts.
"""

from __future__ import annotations

import re
import secrets
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.serving import make_server

from broadcaster.actions import double_optin, outbox
from broadcaster.actions.runtime import Runtime
from broadcaster.core import keys
from broadcaster.core.consent import Source
from broadcaster.storage import schema
from broadcaster.storage.database import Database
from tests import factories
from tests.actions.behind import SHOWN
from tests.web import work
from tests.web.test_browser import ARGUMENTS, CHROMIUM
from tests.web.test_clicks import send
from tests.web.test_pages import contents
from web.app import create_app

OURS = re.compile(r"http://localhost/[^\s\"'<>)]+")
AGENTS = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "GoogleImageProxy", "BarracudaCentral", "SkypeUriPreview", "")


def links(runtime: Runtime, messages: int) -> list[str]:
    """Send a campaign that counts clicks, and a question to confirm for every tenth; return the paths of all links."""
    sent = send(runtime, count=messages)
    asked = factories.contacts(
        runtime, -(-messages // 10), purpose_id=sent.purpose, start=500_000, consenting=False, wording_id=sent.wording
    )
    tokens = [
        double_optin.request(
            runtime,
            address_id=address,
            purpose_id=sent.purpose,
            wording_id=sent.wording,
            source=Source.WEB_FORM,
            evidence=SHOWN,
            by_person=True,
            actor="person",
        ).token
        for _, address in asked
    ]
    work.run(runtime)
    letters = outbox.letters(runtime, limit=2 * messages)
    found = {one for letter in letters for one in OURS.findall(f"{letter.text} {letter.html} {letter.headers}")}
    paths = sorted({urlsplit(one.replace("&amp;", "&")).path for one in found})
    assert len([one for one in paths if one.startswith("/l/")]) == messages
    assert len([one for one in paths if one.startswith("/u/")]) == messages
    assert {f"/c/{token}" for token in tokens} <= set(paths)
    return paths


def fetch(app: Flask, paths: Iterable[str]) -> int:
    """Open each path as scanners do that only ask, by every agent; return how many times."""
    visits = 0
    for path in paths:
        for method in ("HEAD", "GET"):
            for agent in AGENTS:
                told = app.test_client().open(path, method=method, headers={"User-Agent": agent})
                assert told.status_code == 200, path
                visits += 1
    return visits


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def render(api: Any, app: Flask, paths: Iterable[str]) -> int:
    """Open each path in a headless browser that runs what is on the page and presses nothing; return how many."""
    visits = 0
    with serving(app) as where, api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page()
        page.route(lambda url: not url.startswith(where), lambda route: route.fulfill(body="elsewhere"))
        for path in paths:
            page.goto(where + path, wait_until="load")
            visits += 1
        browser.close()
    return visits


def test_who_only_asks_changes_nothing(app: Flask, runtime: Runtime) -> None:
    paths = links(runtime, 20)
    before = contents(runtime)
    assert fetch(app, paths) == len(paths) * 2 * len(AGENTS)
    assert contents(runtime) == before


@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
def test_a_browser_that_a_program_drives_and_that_presses_nothing_changes_nothing(app: Flask, runtime: Runtime) -> None:
    api = pytest.importorskip("playwright.sync_api")
    paths = links(runtime, 5)
    before = contents(runtime)
    assert render(api, app, paths) == len(paths)
    assert contents(runtime) == before


def main() -> None:
    import playwright.sync_api as api

    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as home:
        database = Database(f"sqlite:///{home}/scanned.sqlite3")
        schema.upgrade(database)
        runtime = Runtime(
            db=database, keys=keys.generate(secrets.token_bytes), home=Path(home), public_url="http://localhost"
        )
        app, paths = create_app(runtime), links(runtime, messages)
        before = contents(runtime)
        asked, rendered = fetch(app, paths), render(api, app, paths)
        same = contents(runtime) == before
        told = f"{asked} GET and HEAD, {rendered} in a browser, unchanged: {same}"
        sys.stdout.write(f"{messages} messages, {len(paths)} links: {told}\n")
        runtime.close()


if __name__ == "__main__":
    main()
