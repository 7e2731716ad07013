"""Providers call us: signed, over raw bytes, at the configured address; a STOP holds before the answer."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import text

from broadcaster.actions import accounts, consent_history, whereabouts
from broadcaster.actions.runtime import Runtime
from broadcaster.channels.twilio_callbacks import signature
from broadcaster.fakes.telegram import TOKEN, FakeTelegram
from broadcaster.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, FakeTwilio
from broadcaster.storage.database import Database
from broadcaster.storage.tables import Account
from tests import factories
from tests.servers import free_port
from tests.web.test_pages import contents
from web.app import create_app
from web.server import listening
from web.webhooks import BODY_BYTES

SECRET = "a-secret_token"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
ENDLESS = 64 * 1024 * 1024
TELEGRAM = {"token": TOKEN, "webhook_secret": SECRET}
TWILIO = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "sender": "+15550100", "stop_handling": "us"}


class Company:
    """Two accounts whose providers know where we are."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.brand, self.purpose, _ = factories.brand_and_purpose(runtime)
        self.telegram = factories.account(runtime, self.brand, "telegram", settings=TELEGRAM)
        self.twilio = factories.account(runtime, self.brand, "twilio", settings=TWILIO)
        kinds = (("telegram", self.telegram), ("sms", None))
        self.people = {
            channel: factories.contacts(
                runtime, 1, purpose_id=self.purpose, channel=channel, account_id=account, start=start
            )[0][1]
            for start, (channel, account) in enumerate(kinds, start=1)
        }

    def url(self, account_id: int) -> str:
        with self.runtime.db.reading() as session:
            return accounts.config(self.runtime, session, account_id).public_url

    def path(self, account_id: int) -> str:
        return self.url(account_id).removeprefix(self.runtime.public_url)

    def standing(self, address_id: int) -> str | None:
        found = consent_history.standings(self.runtime, address_id)
        return next(one.standing for one in found if one.purpose.id == self.purpose)


@pytest.fixture
def company(runtime: Runtime) -> Company:
    return Company(runtime)


@pytest.fixture
def running(any_runtime: Runtime) -> Iterator[Company]:
    """The pages behind a real server, on both engines, at the address that providers know."""
    port = free_port()
    runtime = replace(any_runtime, public_url=f"http://127.0.0.1:{port}")
    server = listening(create_app(runtime), host="127.0.0.1", port=port, threads=8)

    def serve() -> None:
        with suppress(OSError):  # the end of the test closes what it waits on
            server.run()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield Company(runtime)
    server.close()
    thread.join(5)


def inbox(runtime: Runtime) -> int:
    with runtime.db.reading() as session:
        return int(session.connection().execute(text("SELECT count(*) FROM inbox_event")).scalar_one())


def test_a_stop_by_telegram_holds_before_the_answer(running: Company) -> None:
    with FakeTelegram() as fake:
        fake.webhook = {"url": running.url(running.telegram), "secret_token": SECRET}
        assert fake.say(100_001, "Stop, please") == 200
        assert running.standing(running.people["telegram"]) == "objected"
        fake.webhook["secret_token"] = "guess"
        assert fake.say(100_001, "start") == 401
    assert running.standing(running.people["telegram"]) == "objected"


def test_a_stop_by_twilio_holds_before_the_answer_and_is_one_event(running: Company) -> None:
    """The same message five times, over several connections at once: what a provider does when it doubts."""
    with FakeTwilio() as fake:
        url, sid = running.url(running.twilio), "SM" + "0" * 31 + "7"
        with ThreadPoolExecutor(5) as pool:
            calls = [pool.submit(fake.say, url, "+33610000002", "ARRÊT", sid=sid) for _ in range(5)]
            assert [call.result() for call in calls] == [200] * 5
    assert running.standing(running.people["sms"]) == "objected"
    assert inbox(running.runtime) == 1
    found = consent_history.history(running.runtime, [running.people["sms"]])
    assert [one.action for one in found] == ["granted", "objected"]


def test_a_stop_from_a_number_we_do_not_know_is_kept(running: Company) -> None:
    with FakeTwilio() as fake:
        assert fake.say(running.url(running.twilio), "+33699999999", "STOP") == 200
    address = whereabouts.find(running.runtime, "sms", "+33699999999")
    assert running.standing(address) == "objected"


def test_the_signature_is_over_the_configured_address(running: Company) -> None:
    """A query string belongs to it; what a caller writes into Host does not."""
    with FakeTwilio() as fake:
        assert fake.say(running.url(running.twilio) + "?ref=s1.1", "+33610000002", "hello") == 200
        other = running.url(running.twilio).replace("127.0.0.1", "localhost")
        assert fake.say(other, "+33610000002", "STOP") == 401
    assert running.standing(running.people["sms"]) == "granted"


def test_forged_calls_change_nothing(app: Flask, runtime: Runtime, company: Company) -> None:
    client, before = app.test_client(), contents(runtime)
    telegram, twilio = company.path(company.telegram), company.path(company.twilio)
    secret = "X-Telegram-Bot-Api-Secret-Token"
    for body in (b"not json", b"{", b"", b'{"update_id": 1}'):
        for headers in ({}, {secret: "wrong"}, {secret: SECRET[:-1]}, {secret: SECRET + " "}):
            answer = client.post(telegram, data=body, headers=headers, content_type="application/json")
            assert answer.status_code == 401
    form = {"MessageSid": "SM1", "From": "+33610000002", "Body": "STOP"}
    for headers in ({}, {"X-Twilio-Signature": "AAAA"}, {secret: SECRET}):
        assert client.post(twilio, data=form, headers=headers).status_code == 401
    assert contents(runtime) == before


@pytest.mark.parametrize("change", ["a byte", "order", "space"])
def test_a_body_that_was_touched_is_refused(app: Flask, runtime: Runtime, company: Company, change: str) -> None:
    """B58: Twilio signs the fields, its JSON callbacks the bytes."""
    path = company.path(company.twilio)
    body = b'{"MessageSid": "SM1", "From": "+33610000002"}'
    query = f"?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"X-Twilio-Signature": signature(AUTH_TOKEN, company.url(company.twilio) + query, [])}
    touched = {
        "a byte": body.replace(b"SM1", b"SM2"),
        "order": b'{"From": "+33610000002", "MessageSid": "SM1"}',
        "space": body + b" ",
    }[change]
    form = [("MessageSid", "SM1"), ("From", "+33610000002"), ("Body", "STOP")]
    signed = {"X-Twilio-Signature": signature(AUTH_TOKEN, company.url(company.twilio), form)}
    altered = {"a byte": b"Body=STOQ", "order": b"Body=STOP&Body=STOP+", "space": b"Body=STOP+"}[change]
    client, before = app.test_client(), contents(runtime)
    assert client.post(path + query, data=touched, headers=headers, content_type=JSON).status_code == 401
    assert contents(runtime) == before
    text = b"MessageSid=SM1&From=%2B33610000002&" + altered
    assert client.post(path, data=text, headers=signed, content_type=FORM).status_code == 401
    assert contents(runtime) == before
    assert client.post(path + query, data=body, headers=headers, content_type=JSON).status_code == 200


@pytest.mark.parametrize("secret", [SECRET.upper(), SECRET + "x", SECRET.replace("_", "-"), SECRET.replace("-s", "s-")])
def test_a_secret_that_was_touched_is_refused(app: Flask, runtime: Runtime, company: Company, secret: str) -> None:
    """B58: Telegram signs no bytes, its secret is all."""
    before = contents(runtime)
    update = {"update_id": 1, "message": _message(100_001, 1, "STOP")}
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
    assert app.test_client().post(company.path(company.telegram), json=update, headers=headers).status_code == 401
    assert contents(runtime) == before


def test_an_endless_body_is_cut_at_the_limit(running: Company) -> None:
    """B11: chunked, without a length; the answer comes although the sender never ends."""
    host, _, port = running.runtime.public_url.removeprefix("http://").partition(":")
    chunk = b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n"
    head = f"POST {running.path(running.telegram)} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as line:
        line.sendall(head.encode())
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < ENDLESS and not select.select([line], [], [], 0)[0]:
                sent += line.send(chunk)
        with contextlib.suppress(ConnectionError):
            assert b" 413 " in line.recv(100)
    assert sent < ENDLESS, "the server went on reading"


def test_a_refusal_does_not_tell_whether_the_address_exists(app: Flask, company: Company) -> None:
    known = app.test_client().post(company.path(company.telegram), data=b"{}")
    unknown = app.test_client().post("/hooks/none", data=b"{}")
    assert (known.status_code, unknown.status_code) == (401, 404)
    assert {**known.get_json(), "status": 0} == {**unknown.get_json(), "status": 0}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_only_post_is_answered(app: Flask, runtime: Runtime, company: Company, method: str) -> None:
    before = contents(runtime)
    assert app.test_client().open(company.path(company.telegram), method=method).status_code == 405
    assert contents(runtime) == before


def test_a_body_that_is_too_large_is_not_read(app: Flask, company: Company) -> None:
    path, headers = company.path(company.telegram), {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    fits = app.test_client().post(path, data=b"x" * BODY_BYTES, headers=headers)
    assert fits.status_code == 200  # signed, not understood: asking for it again would not help
    assert app.test_client().post(path, data=b"x" * (BODY_BYTES + 1), headers=headers).status_code == 413


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"[" * 50_000, b'{"update_id": NaN}', b"\xff\xfe", b"\0"])
def test_what_is_signed_but_no_event_of_ours_is_taken_and_means_nothing(
    app: Flask, runtime: Runtime, company: Company, body: bytes
) -> None:
    path, headers = company.path(company.telegram), {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    answer = app.test_client().post(path, data=body, headers=headers, content_type="application/json")
    assert answer.status_code == 200
    assert company.standing(company.people["telegram"]) == "granted"


def test_without_a_database_the_provider_is_asked_to_come_again(app: Flask, company: Company) -> None:
    path = company.path(company.telegram)
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    app.extensions["broadcaster"] = replace(company.runtime, db=gone)
    for answer in (app.test_client().post(path, data=b"{}"), app.test_client().get(path)):
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0


def test_opt_outs_are_never_too_many(app: Flask, company: Company) -> None:
    path, headers = company.path(company.telegram), {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    for number in range(150):
        update = {"update_id": number, "message": _message(200_000 + number, number, "STOP")}
        assert app.test_client().post(path, json=update, headers=headers).status_code == 200
    assert inbox(company.runtime) == 150


def test_a_burst_of_stops_over_eight_connections_is_stored_and_obeyed_each_once(running: Company) -> None:
    """Each gets 200, or 503 and comes again; one of them comes five times by every connection."""
    path, burst = running.path(running.telegram), 80
    shared = [0] * 5
    with ThreadPoolExecutor(8) as pool:
        parts = [[*range(1 + part, burst, 8), *shared] for part in range(8)]
        answers = [one for part in pool.map(lambda part: _tell(running, path, part), parts) for one in part]
    assert set(answers) <= {200, 503}
    assert answers.count(200) == burst - 1 + 8 * len(shared)
    assert inbox(running.runtime) == burst
    with running.runtime.db.reading() as session:
        for what in ("consent_event WHERE action = 'objected'", "message WHERE kind = 'confirmation'"):
            query = text(f"SELECT count(*), count(DISTINCT address_id) FROM {what}")
            assert tuple(session.connection().execute(query).one()) == (burst, burst)


def _tell(company: Company, path: str, numbers: list[int]) -> list[int]:
    """Send these updates over one connection, each until it is taken; return every answer."""
    connection = http.client.HTTPConnection(company.runtime.public_url.removeprefix("http://"), timeout=60)
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": JSON}
    answers = []
    for number in numbers:
        body = json.dumps({"update_id": number, "message": _message(300_000 + number, number, "STOP")})
        for _ in range(50):
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
            answers.append(answer.status)
            if answer.status == 200:
                break
    connection.close()
    return answers


def _message(chat_id: int, number: int, words: str) -> dict[str, object]:
    person = {"id": chat_id, "is_bot": False, "first_name": "Ann"}
    return {
        "message_id": number,
        "from": person,
        "chat": {"id": chat_id, "type": "private"},
        "date": int(time.time()),
        "text": words,
    }


def test_an_account_on_hold_still_hears(app: Flask, company: Company) -> None:
    """A STOP must be obeyed also when we cannot send."""
    accounts.set_state(company.runtime, company.telegram, "paused", actor="cli:test")
    path, headers = company.path(company.telegram), {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    update = {"update_id": 1, "message": _message(100_001, 1, "STOP")}
    assert app.test_client().post(path, json=update, headers=headers).status_code == 200
    assert company.standing(company.people["telegram"]) == "objected"
    with company.runtime.db.reading() as session:
        assert session.get_one(Account, company.telegram).state == "paused"
