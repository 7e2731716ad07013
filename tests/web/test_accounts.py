"""Sender accounts, the outbox and the settings on screen."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from broadcaster.actions import accounts
from broadcaster.actions.organisation import set_settings, setting
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.storage import listings, rates
from broadcaster.storage.tables import Account
from tests.web.people import Visitor
from web.account_words import PROVIDERS, WORDS

SECRET = "kanarienvogel-7731"
SMTP = {"set_host": "mail.example.org", "set_port": "587", "set_security": "starttls", "set_password": SECRET}
FORM = SMTP | {"name": "Mail", "set_from_address": "news@example.org", "concurrency": "8", "cost": "0.004"}


@pytest.fixture
def admin(staffed: dict[str, Visitor]) -> Visitor:
    """An administrator whose organisation has a brand and a sandbox."""
    assert staffed["admin"].post("/accounts/sandbox").status_code == 303
    return staffed["admin"]


def account(runtime: Runtime, account_id: int) -> Account:
    with runtime.db.reading() as session:
        return listings.find(session, Account, account_id)


def test_the_sandbox_is_one_click_away(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    admin = staffed["admin"]
    assert "Start with the sandbox" in admin.get("/accounts").text
    assert "Make a sandbox account" in admin.get("/outbox").text
    assert admin.post("/accounts/sandbox").headers["Location"] == "/accounts/1"
    assert admin.post("/accounts/sandbox").headers["Location"] == "/accounts/1"
    with runtime.db.reading() as session:
        assert [row.provider for row in listings.accounts(session)] == ["sandbox"]
    assert "The check went well" in admin.post("/accounts/1/check").text


def test_a_secret_goes_in_and_never_comes_out(admin: Visitor, runtime: Runtime) -> None:
    made = admin.post("/accounts/new/smtp", FORM)
    assert made.headers["Location"] == "/accounts/2"
    refused = admin.post("/accounts/new/smtp", FORM | {"name": "Another", "set_host": ""})
    assert refused.status_code == 422
    shown = [admin.get(path).text for path in ("/accounts", "/accounts/2", "/accounts/2/edit")]
    assert all(SECRET not in page for page in (*shown, refused.text))
    assert 'placeholder="kept"' in shown[2]
    assert "stored, not shown" in shown[1]
    edited = {name: value for name, value in FORM.items() if name not in {"name", "set_password"}}
    assert admin.post("/accounts/2/edit", edited | {"set_port": "2525", "rate_per_second": "3"}).status_code == 303
    with runtime.db.reading() as session:
        config = accounts.config(runtime, session, 2)
    assert config.secrets["password"] == SECRET
    assert config.settings["port"] == "2525"
    assert account(runtime, 2).rate_per_second == 3
    admin.post("/accounts/2/edit", edited | {"set_security": "none"})
    assert "<dd>none (only on this machine)</dd>" in admin.get("/accounts/2").text
    assert account(runtime, 2).cost_micros == 4000


def test_a_warm_up_is_given_and_shown_with_the_day_it_is(admin: Visitor, runtime: Runtime) -> None:
    made = {name: value for name, value in FORM.items() if name not in {"name", "set_password"}}
    assert admin.post("/accounts/new/smtp", FORM | {"warm_up": "200 x 2 x 3"}).status_code == 303
    assert account(runtime, 2).warm_up == [200, 400, 800]
    assert 'value="200, 400, 800"' in admin.get("/accounts/2/edit").text
    assert "day 1 of 3: 0 of 200 today" in admin.get("/accounts/2").text
    with runtime.db.transaction() as session:
        rates.take(session, rates.limits(session, 2), 200, now=runtime.db.now(session), zone_name="Europe/Paris")
    page = admin.get("/accounts/2").text
    assert "day 1 of 3: 200 of 200 today" in page
    assert "Today’s messages of the warm-up have been sent." in page
    assert admin.post("/accounts/2/edit", made | {"warm_up": ""}).status_code == 303
    assert account(runtime, 2).warm_up == []
    assert "warm-up" not in admin.get("/accounts/2").text


def test_numbers_by_domain_are_given_shown_and_taken_away(admin: Visitor, runtime: Runtime) -> None:
    made = {name: value for name, value in FORM.items() if name not in {"name", "set_password"}}
    told = {"domain_rates": "* = 1000\r\nGmail.com = 600"}
    assert admin.post("/accounts/new/smtp", FORM | told).status_code == 303
    assert account(runtime, 2).domain_rates == {"gmail.com": 600, "*": 1000}
    assert "gmail.com = 600\n* = 1000</textarea>" in admin.get("/accounts/2/edit").text
    assert "gmail.com = 600<br>* = 1000<br>" in admin.get("/accounts/2").text
    refused = admin.post("/accounts/2/edit", made | {"domain_rates": "gmail.com fast"})
    assert refused.status_code == 422
    assert "Write a domain and messages a minute" in refused.text
    assert admin.post("/accounts/2/edit", made | {"domain_rates": ""}).status_code == 303
    assert account(runtime, 2).domain_rates == {}
    assert "domain_rates" not in admin.get("/accounts/new/telegram").text, "a chat has no domain"


@pytest.mark.parametrize(
    "field,value",
    [
        ("rate_per_second", "0"),
        ("rate_per_second", "-1"),
        ("rate_per_second", "1000000000"),
        ("rate_per_second", "nan"),
        ("concurrency", "0"),
        ("concurrency", "99999999999999999999"),
        ("warm_up", "many"),
        ("warm_up", "200 x 99 x 90"),
        ("domain_rates", "gmail = 5"),
        ("cost", "-1"),
        ("cost", "1e99"),
        ("set_password", "line\nline"),
        ("set_password", "line\rline"),
        ("set_password", "a\u2028b"),
        ("set_password", "x" * 100_000),
        ("set_security", "rot13"),
        ("set_auth_token", "from another provider"),
        ("base_url", "file:///etc/passwd"),
        ("base_url", "https://"),
        ("base_url", "https://me@example.org"),
        ("base_url", "https://a b.example"),
        ("name", ""),
        ("name", "x" * 300),
        ("brand", "99"),
    ],
)
def test_bad_input_is_refused_in_place(admin: Visitor, runtime: Runtime, field: str, value: str) -> None:
    answer = admin.post("/accounts/new/smtp", FORM | {field: value})
    assert answer.status_code == 422
    with runtime.db.reading() as session:
        assert len(listings.accounts(session)) == 1


def test_an_account_is_paused_resumed_and_switched_off(admin: Visitor, runtime: Runtime) -> None:
    for move, state in (("pause", "paused"), ("resume", "active"), ("disable", "disabled")):
        assert admin.post(f"/accounts/1/{move}").status_code == 303
        assert account(runtime, 1).state == state
    assert admin.post("/accounts/1/explode").status_code == 404


def test_a_held_account_says_why_and_what_to_do(admin: Visitor, runtime: Runtime) -> None:
    with runtime.db.transaction("system") as session:
        accounts.hold(session, 1, "credential", now=runtime.db.now(session))
    for path in ("/accounts", "/accounts/1"):
        page = admin.get(path).text
        assert "no longer accepts the password" in page
        assert "Enter a new one" in page


def test_the_webhook_is_shown_to_who_sets_it_up(admin: Visitor, staffed: dict[str, Visitor], runtime: Runtime) -> None:
    form = {"name": "Bot", "concurrency": "4", "set_token": "123456:ABC-def"}
    assert admin.post("/accounts/new/telegram", form).status_code == 303
    assert f"http://localhost/hooks/{account(runtime, 2).webhook_key}" in admin.get("/accounts/2").text
    assert account(runtime, 2).webhook_key not in staffed["marketer"].get("/accounts/2").text


def test_every_setting_has_words() -> None:
    """A new channel's labels come with translations."""
    fields = [field for channel in registry.CHANNELS.values() for field in channel.fields]
    assert {text for field in fields for text in (field.label, field.help) if text} <= set(WORDS)
    assert set(registry.CHANNELS) == set(PROVIDERS)


def test_settings_change_and_hold_their_bounds(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    admin = staffed["admin"]
    form = {
        "name": "Maison",
        "default_region": "FR",
        "default_language": "fr",
        "languages": "fr, en",
        "currency": "chf",
    }
    assert admin.post("/settings", form).status_code == 303
    with runtime.db.reading() as session:
        assert setting(session, "languages") == ["fr", "en"]
        assert setting(session, "currency") == "CHF"
    for field, value in {"default_region": "XX", "currency": "QQQ", "languages": "english!", "name": ""}.items():
        assert admin.post("/settings", form | {field: value}).status_code == 422, field


def test_a_limit_of_messages_is_shown_and_refused_where_it_is_half_said(staffed: dict[str, Visitor]) -> None:
    admin = staffed["admin"]
    assert "There is no limit." in admin.get("/settings").text
    form = {"messages": "3", "days": "7", "hours": "12"}
    assert admin.post("/settings/frequency", form).status_code == 303
    assert "At most 3 marketing messages in 7 days" in admin.get("/settings").text
    assert 'value="12"' in admin.get("/settings/frequency").text
    for field, value in {"days": "", "messages": "-1", "hours": "9999"}.items():
        assert admin.post("/settings/frequency", form | {field: value}).status_code == 422, field


def test_hours_stay_within_what_is_allowed(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    admin = staffed["admin"]
    form = {"country": "FR", "opens": "09:00", "closes": "21:00", "days": ["0", "1", "2"]}
    assert admin.post("/settings/hours", form).status_code == 303
    assert "09:00–21:00" in admin.get("/settings").text
    wider = admin.post("/settings/hours", form | {"closes": "23:00"})
    assert wider.status_code == 422
    assert "22" in wider.text
    for field, value in {"opens": "25:00", "closes": "08:00", "country": "XX", "days": ["9"]}.items():
        assert admin.post("/settings/hours", form | {field: value}).status_code == 422, field
    assert admin.post("/settings/hours/FR/usual").status_code == 303
    with runtime.db.reading() as session:
        assert setting(session, "windows") == {}


def test_a_letters_html_can_do_nothing(admin: Visitor, app: Flask, runtime: Runtime) -> None:
    from web.letter import letter_page

    response = letter_page("<script>alert(1)</script><p>Hello")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert re.search(r"(^|; )sandbox($|;)", policy)
    assert "script-src" not in policy
    set_settings(runtime, {"name": "Example"}, actor="cli:test")
