"""The main way through the pages in a real browser, at two widths, under the real policy, checked by axe."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from broadcaster.actions import staff
from broadcaster.actions.runtime import Runtime
from tests.web.people import ADMIN, PASSWORD
from web.app import create_app

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
WIDTHS = [(1280, 800), (390, 844)]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine"),
]


@pytest.fixture
def address(runtime: Runtime) -> Iterator[str]:
    """The pages on a real port."""
    server = make_server("127.0.0.1", 0, create_app(runtime), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=WIDTHS, ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A browser window that remembers what went wrong in it."""
    api = pytest.importorskip("playwright.sync_api")
    width, height = request.param
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
        window = context.new_page()
        window.problems = []
        window.on("pageerror", lambda error: window.problems.append(str(error)))
        window.on("console", lambda line: window.problems.append(line.text) if line.type == "error" else None)
        yield window
        browser.close()


def faults(page: Any) -> list[str]:
    """What axe finds, and a page that is wider than the window."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = [
        f"{page.url} {one['id']} {node['html'][:200]}"
        for one in axe.run(page).response["violations"]
        for node in one["nodes"]
    ]
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return found + ([f"{page.url} is {wider} px too wide"] if wider > 0 else [])


def test_from_the_first_start_to_a_colleague(page: Any, address: str, runtime: Runtime) -> None:
    """Set up, look around, let somebody in, sign out: no script error, nothing refused by the policy, axe content."""
    found = []
    page.goto(f"{address}/welcome?token={staff.setup_token(runtime)}")
    found += faults(page)
    page.get_by_label("Your name").fill("Ada Admin")
    page.get_by_label("E-mail address").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    page.get_by_role("heading", name="Hello, Ada Admin").wait_for()
    found += faults(page)
    if page.viewport_size["width"] < 600:
        page.get_by_role("link", name="Menu", exact=True).click()
    page.get_by_role("link", name="Staff").click()
    page.get_by_role("link", name="Add a person").click()
    found += faults(page)
    page.get_by_label("Name").fill("Mia Martin")
    page.get_by_label("E-mail address").fill("mia@example.org")
    page.get_by_label("Auditor").check()
    page.get_by_role("button", name="Add and show the link").click()
    page.get_by_label("Sign-in link").wait_for()
    for path in ("/staff", "/staff/2", "/profile", "/log", "/nothing"):
        page.goto(address + path)
        found += faults(page)
    page.goto(f"{address}/staff/2")
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
    page.get_by_text("This person was signed out everywhere.").wait_for()
    assert not found
    assert [line for line in page.problems if "404" not in line] == []
