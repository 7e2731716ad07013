"""Counted clicks: said by a person's browser, never by a mere GET; and what comes of them, on both engines."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import text
from sqlmodel import select

from broadcaster.actions import campaigns, clicks, content, outbox, privacy, reports
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.core.audiences import parse_rule
from broadcaster.core.errors import NotFound
from broadcaster.storage import audiences
from broadcaster.storage.tables import Contact
from tests import factories
from tests.actions.scene import until
from tests.factories import ACTOR
from tests.web import work
from tests.web.people import Visitor
from tests.web.test_browser import ARGUMENTS, CHROMIUM, address  # noqa: F401 - a fixture
from web.app import create_app

SHOP = "https://shop.example.org/?a=1&b=2"
WORDS = {
    "subject": "News from Example",
    "text": f"Example: {SHOP} or {{{{ unsubscribe_url }}}}",
    "html": f"<a href='{SHOP.replace('&', '&amp;')}'>Go</a> <a href='{{{{ unsubscribe_url }}}}'>Stop</a>",
}


@dataclass
class Sent:
    """A campaign through the sandbox that went to a few people."""

    runtime: Runtime
    campaign: int
    people: list[tuple[int, int]]
    purpose: int
    wording: int

    def links(self) -> list[str]:
        """The short address in each letter, by person."""
        letters = sorted(outbox.letters(self.runtime), key=lambda one: one.to)
        found = [re.findall(r"http://localhost(/l/[\w-]+)", one.html) for one in letters]
        assert all(len(one) == 1 for one in found)
        return [one[0] for one in found]

    def clicked(self) -> set[int]:
        """Who an audience of those who clicked selects."""
        rule = parse_rule({"type": "behaviour", "what": "clicked", "campaign": self.campaign})
        with self.runtime.db.reading() as session:
            condition = audiences.where(session, rule, now=self.runtime.db.now(session))
            return set(session.exec(select(Contact.id).where(condition)).all())

    def kept(self) -> int:
        with self.runtime.db.reading() as session:
            return int(session.connection().execute(text("SELECT count(*) FROM click")).scalar_one())


def send(runtime: Runtime, *, count_clicks: bool = True, count: int = 2) -> Sent:
    set_settings(runtime, {"name": "Example", "demo": True}, actor=ACTOR)
    brand, purpose, wording = factories.brand_and_purpose(runtime)
    people = factories.contacts(runtime, count, purpose_id=purpose, wording_id=wording)
    box = factories.account(runtime, brand, "sandbox")
    made = factories.campaign(runtime, brand_id=brand, purpose_id=purpose, lanes=[("email", box)], launch=False)
    with runtime.db.reading() as session:
        row = campaigns.get(session, made)
        template, plan = row.template_id, {**row.plan, "count_clicks": count_clicks}
    content.save_template(
        runtime, name="Mail", brand_id=brand, variants={("email", "en"): WORDS}, template_id=template, actor=ACTOR
    )
    campaigns.update(runtime, made, revision=1, plan=plan, actor=ACTOR)
    campaigns.launch(runtime, made, actor=ACTOR)
    work.run(runtime)
    return Sent(runtime, made, people, purpose, wording)


@pytest.fixture
def sent(any_runtime: Runtime) -> Sent:
    return send(any_runtime)


def test_a_click_is_counted_once_and_only_when_a_browser_says_so(sent: Sent) -> None:
    visitor = Visitor(create_app(sent.runtime))
    first, second = sent.links()
    for method in ("GET", "HEAD", "GET"):
        answer = visitor.open(first, method=method)
        assert answer.status_code == 200
    assert 'content="0; url=https://shop.example.org/?a=1&amp;b=2"' in visitor.get(first).text
    assert (sent.kept(), sent.clicked()) == (0, set())
    for _ in range(3):
        assert visitor.open(first, method="POST").status_code == 204
    assert (sent.kept(), sent.clicked()) == (1, {sent.people[0][0]})
    told = reports.report(sent.runtime, sent.campaign)
    assert (told.clicks, told.links) == (1, {SHOP: 1})
    assert first != second


def test_an_altered_link_leads_nowhere(sent: Sent) -> None:
    """Whoever could choose the target could put a bank's copy behind our name."""
    visitor = Visitor(create_app(sent.runtime))
    link = sent.links()[0]
    foreign = sent.runtime.keys.click_token(99, 1)
    for path in (link[:-1], f"{link}A", link[:3] + "_" + link[4:], link[:-4] + "AAAA", "/l/x", f"/l/{foreign}"):
        assert visitor.get(path).status_code == 404
    for path in (link[:-1], link[:-4] + "AAAA", "/l/x"):
        assert visitor.open(path, method="POST").status_code == 404
    assert visitor.open(f"/l/{foreign}", method="POST").status_code == 204
    told = visitor.get(f"{link}?url=https://evil.example")
    assert "evil" not in told.text
    assert told.headers["Referrer-Policy"] == "no-referrer"
    assert sent.kept() == 0


def test_a_click_goes_with_the_person(sent: Sent) -> None:
    link = sent.links()[0]
    token = link.removeprefix("/l/")
    clicks.count(sent.runtime, token)
    privacy.erase(sent.runtime, sent.people[0][0], actor=ACTOR)
    work.run(sent.runtime)
    clicks.count(sent.runtime, token)
    assert sent.kept() == 0
    assert clicks.target(sent.runtime, token) == SHOP


def test_nothing_is_counted_where_nobody_asked_for_it(app: Flask, runtime: Runtime) -> None:
    send(runtime, count_clicks=False)
    letter = outbox.letters(runtime)[0]
    assert "/l/" not in letter.html + letter.text
    assert SHOP in letter.text
    with pytest.raises(NotFound):
        clicks.target(runtime, runtime.keys.click_token(1, 1))


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
@pytest.mark.parametrize("driven", [True, False])
def test_a_browser_counts_unless_a_program_drives_it(
    address: str,  # noqa: F811
    runtime: Runtime,
    driven: bool,
) -> None:
    """Scanners that open links in a whole browser say so in ``navigator.webdriver``, as this test's does by itself."""
    api = pytest.importorskip("playwright.sync_api")
    sent = send(runtime)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        window = browser.new_page()
        window.route(f"{SHOP}*", lambda route: route.fulfill(body="the shop"))
        if not driven:
            window.add_init_script("Object.defineProperty(navigator, 'webdriver', {get: () => false})")
        window.goto(address + sent.links()[0])
        window.get_by_text("the shop").wait_for()
        assert window.url == SHOP
        if not driven:
            until(sent.kept, what="the click")
        browser.close()
    assert sent.kept() == (0 if driven else 1)
