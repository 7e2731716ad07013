"""A file imported, a person looked at and erased, in a real browser at two widths, checked by axe."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broadcaster.actions.imports import pending
from broadcaster.actions.runtime import Runtime
from tests.web.people import ADMIN, PASSWORD, first
from tests.web.test_browser import CHROMIUM, faults
from tests.web.test_browser import address as address
from tests.web.test_browser import page as page
from tests.web.test_import_pages import GOOD, purpose

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine"),
]


@pytest.fixture
def worker(runtime: Runtime) -> Iterator[None]:
    """Somebody who does what waits, as the loop of a worker does."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.2):
            pending.work_off(runtime)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.timeout(300)
def test_from_a_file_to_an_erased_person(
    page: Any, address: str, runtime: Runtime, worker: None, tmp_path: Path
) -> None:
    """No script error, nothing refused by the policy, axe content; the trial and the run show by themselves."""
    first(runtime)
    purpose(runtime)
    file = tmp_path / "people.csv"
    file.write_text(GOOD)
    page.set_default_timeout(60_000)
    page.goto(f"{address}/sign-in")
    page.get_by_label("E-mail address").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{address}/imports/new")
    found = faults(page)
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Try it out").wait_for()
    found += faults(page)
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Import 2 rows").wait_for()
    found += faults(page)
    page.get_by_role("button", name="Import 2 rows").click()
    page.get_by_role("button", name="Take back", exact=True).wait_for()
    found += faults(page)
    page.goto(f"{address}/contacts")
    page.get_by_label("Search").fill("ann@example.net")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Ann", exact=True).click()
    page.get_by_text("Yes", exact=True).first.wait_for()
    found += faults(page)
    page.get_by_role("link", name="Erase this person").click()
    found += faults(page)
    page.get_by_label("the number of this contact").fill(page.url.rpartition("/")[2])
    page.get_by_role("button", name="Erase for ever").click()
    page.get_by_text("The person was erased.").wait_for()
    found += faults(page)
    for path in ("/privacy", "/audit", "/audit/verify", "/contacts/new", "/imports"):
        page.goto(address + path)
        found += faults(page)
    assert not found
    assert page.problems == []
