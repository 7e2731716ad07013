"""The marketer's whole way in a real browser: sandbox, audience, template, dry run, launch, report, outbox."""

from __future__ import annotations

from typing import Any

import pytest

from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from tests import factories
from tests.web import work
from tests.web.people import ADMIN, PASSWORD, first
from tests.web.test_browser import CHROMIUM, address, faults, page  # noqa: F401 - fixtures

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine"),
]


def sign_in(window: Any, base: str) -> None:
    window.goto(f"{base}/sign-in")
    window.get_by_label("E-mail address").fill(ADMIN)
    window.get_by_label("Password").fill(PASSWORD)
    window.get_by_role("button", name="Sign in").click()
    window.get_by_role("heading", name="Hello, Ada Admin").wait_for()


def choose_an_audience(window: Any, base: str) -> list[str]:
    """Build a rule of two conditions and a group; the count follows without leaving the page."""
    window.goto(f"{base}/audiences/new")
    window.get_by_label("Name").fill("In France")
    window.locator("[name='r.0.values']").fill("FR")
    window.locator(".count-number", has_text="8").wait_for()
    window.get_by_role("button", name="Group", exact=True).click()
    window.locator(".rule-inner").get_by_role("button", name="Condition", exact=True).click()
    window.locator("[name='r.1.0.type']").select_option("has_channel")
    window.locator("[name='r.1.0.channel']").select_option("email")
    window.get_by_text("an address on E-mail is known").wait_for()
    found = faults(window)
    window.get_by_role("button", name="Save").click()
    window.get_by_text("Saved.").wait_for()
    assert window.locator("[name='r.1.0.type']").input_value() == "has_channel"
    return found


def write_a_message(window: Any, base: str) -> list[str]:
    """Write with a preview that follows, and send it to oneself."""
    window.goto(f"{base}/templates/new?channel=email")
    window.get_by_label("Name of the template").fill("Hello")
    window.locator("#f-subject").fill("News from Example")
    window.locator("#f-text").fill("Hello ")
    window.get_by_text("Fields of the person").click()
    window.get_by_role("button", name="contact.first_name").click()
    window.get_by_text("does not say how to stop").wait_for()
    window.locator("#f-text").press("End")
    window.locator("#f-text").type(", this is Example. Stop: {{ unsubscribe_url }}")
    window.locator(".bubble", has_text="Hello Camille, this is Example. Stop: http").wait_for()
    found = faults(window)
    window.get_by_role("button", name="Save").click()
    window.get_by_role("button", name="Send a test").click()
    window.get_by_text("It stands in the outbox within a few seconds").wait_for()
    return found


def write_a_mail(window: Any, base: str) -> list[str]:
    """A mail's HTML is shown in a frame that may do nothing."""
    window.goto(f"{base}/templates/new?channel=email")
    window.locator("#f-subject").fill("Autumn")
    window.locator("#f-html").fill("<h1 style='color:#b4531a'>Autumn</h1><script>alert(1)</script>")
    frame = window.frame_locator("iframe[name=letter-frame]")
    frame.get_by_role("heading", name="Autumn").wait_for()
    assert window.url.endswith("channel=email")
    return faults(window)


def launch(window: Any, base: str) -> list[str]:
    """Fill in the draft, look at the dry run, launch."""
    window.goto(f"{base}/campaigns/new")
    window.get_by_label("Name").fill("First")
    window.get_by_label("Offers").check()
    window.get_by_role("button", name="Go on").click()
    window.locator("#f-audience").select_option(label="In France")
    window.locator("#f-template").select_option("1")
    window.locator("#f-way_1").select_option("1")
    found = faults(window)
    window.get_by_role("button", name="Save and make a dry run").click()
    window.get_by_role("button", name="Send to 6 people").wait_for()
    found += faults(window)
    window.get_by_role("link", name="Who?").click()
    window.get_by_role("heading", name="Who does not get it").wait_for()
    found += faults(window)
    window.go_back()
    window.get_by_role("button", name="Send to 6 people").click()
    window.get_by_role("dialog").get_by_role("button", name="Send").click()
    window.get_by_text("No worker is running.").wait_for()
    return found + faults(window)


def test_from_a_sandbox_to_a_report(page: Any, address: str, runtime: Runtime) -> None:  # noqa: F811
    """No script error, nothing refused by the policy but the mail's own script, axe content, no page too wide."""
    first(runtime)
    set_settings(runtime, {"demo": True}, actor="cli:test")
    _brand, purpose, wording = factories.brand_and_purpose(runtime)
    factories.contacts(runtime, 6, purpose_id=purpose, wording_id=wording, channel="email")
    factories.contacts(runtime, 2, purpose_id=purpose, channel="email", start=1000, consenting=False)
    sign_in(page, address)
    page.goto(f"{address}/accounts")
    page.get_by_role("button", name="Start with the sandbox").click()
    page.get_by_text("The sandbox is ready").wait_for()
    page.get_by_role("button", name="Check").click()
    page.get_by_text("The check went well").wait_for()
    found = faults(page) + choose_an_audience(page, address) + write_a_message(page, address)
    found += write_a_mail(page, address) + launch(page, address)
    work.run(runtime)
    page.get_by_text("Nobody is missing").wait_for()  # the page has followed by itself
    page.get_by_text("8 = 6 handed over + 2 not sent").wait_for()
    found += faults(page)
    paths = ["/", "/accounts", "/accounts/1", "/accounts/1/edit", "/accounts/new", "/accounts/new/smtp", "/settings"]
    paths += ["/settings/hours/FR", "/audiences", "/audiences/list", "/templates", "/templates/1", "/campaigns"]
    paths += ["/campaigns/1/why?contact=1", "/campaigns/1/unknown", "/outbox", "/outbox/1", "/outbox/7"]
    for path in paths:
        page.goto(address + path)
        found += faults(page)
    assert not found
    ours = [line for line in page.problems if "script" not in line.casefold()]
    assert ours == []
