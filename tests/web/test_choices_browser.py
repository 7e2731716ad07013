"""The page of all choices on a telephone, by keyboard alone, in three languages, checked by axe; and without script."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broadcaster.actions import contact_fields
from broadcaster.actions.runtime import Runtime
from tests.actions.behind import Behind
from tests.factories import ACTOR
from tests.web.test_browser import ARGUMENTS, CHROMIUM, address, faults  # noqa: F401 - fixtures

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine"),
]
TABS = 80  #: more than the page has places to stop at
#: What the keys look for: I want these, I agree, pause, once a week, save, erase me, back.
WORDS = {
    "en": ["I want these", "Yes, I agree", "Pause", "At most one a week", "Save", "Erase me", "No, back"],
    "fr": [
        "Je les veux",
        "Oui, j’accepte",
        "Faire une pause",
        "Au plus un par",
        "Enregistrer",
        "M’effacer",
        "Non,",
    ],
    "de": [
        "Diese möchte",
        "Ja, ich stimme zu",
        "Pausieren",
        "Höchstens eine",
        "Speichern",
        "Mich löschen",
        "Nein,",
    ],
}


@pytest.fixture
def phone() -> Iterator[Any]:
    """A narrow window whose pages run no script; what looks at them from outside still may."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US").new_page()
        browser.close()


def tab_to(page: Any, words: str) -> None:
    """Press Tab until what says *words* has the focus, and see that it is visible there."""
    for _ in range(TABS):
        page.keyboard.press("Tab")
        said = page.evaluate(
            "(e => (e.labels && e.labels.length ? e.labels[0].innerText : e.innerText) || '')(document.activeElement)"
        )
        if said.strip().startswith(words):
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none", f"{words} has the focus and does not show it"
            return
    raise AssertionError(f"no way to {words!r} by keyboard")


def press(page: Any, words: str) -> None:
    tab_to(page, words)
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("language", sorted(WORDS))
def test_everything_is_done_by_keyboard_and_axe_finds_nothing(
    phone: Any,
    address: str,  # noqa: F811
    runtime: Runtime,
    language: str,
) -> None:
    agree, yes, pause, weekly, save, erase, back = WORDS[language]
    behind = Behind(runtime)
    contact_fields.define_interest(runtime, "books", {"en": "Books", "fr": "Livres", "de": "Bücher"}, actor=ACTOR)
    here = f"{address}/u/{behind.token}?lang={language}"
    phone.goto(here)
    assert phone.evaluate("document.documentElement.lang") == language
    assert phone.evaluate("document.scripts.length") == 0
    found = faults(phone)
    stop = phone.locator("form").first.locator("button").inner_text()
    press(phone, stop)
    assert behind.standing(behind.mail) == "withdrawn"
    found += faults(phone)
    phone.goto(here)
    tab_to(phone, agree)
    phone.keyboard.press("Enter")
    press(phone, yes)
    assert behind.standing(behind.mail) == "granted"
    found += faults(phone)
    tab_to(phone, phone.locator("label[for=until]").inner_text())
    day = datetime.now(UTC) + timedelta(days=30)
    phone.keyboard.type(f"{day:%m%d%Y}")  # the browser's own order, which the fixture sets
    press(phone, pause)
    assert behind.standing(behind.mail) == "restricted"
    found += faults(phone)
    tab_to(phone, phone.locator("label[for=rest_days]").inner_text())
    phone.keyboard.type(weekly)
    press(phone, save)
    assert phone.locator("#rest_days").input_value() == "7"
    press(phone, erase)
    found += faults(phone)
    press(phone, back)
    assert behind.standing(behind.mail) == "restricted"
    assert found == []
