"""What holds for every answer, and what is refused before a page looks at it."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import pytest
from flask import Flask

from broadcaster.actions.runtime import Runtime
from broadcaster.storage.database import Database
from tests.web.people import ADMIN, PASSWORD, Visitor, first
from tests.web.test_access import rules
from web.app import create_app
from web.gate import local_path
from web.security import BODY_BYTES


def test_every_answer_has_the_headers(app: Flask, staffed: dict[str, Visitor]) -> None:
    for _rule, path, method, _access in rules(app):
        for visitor in (staffed["admin"], Visitor(app)):
            headers = visitor.open(path, method=method).headers
            policy = headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
            assert headers["X-Request-ID"]
            assert path.startswith("/static") or headers["Cache-Control"] == "no-store", path


def test_no_page_has_a_script_or_style_of_its_own(app: Flask, staffed: dict[str, Visitor]) -> None:
    """The policy would refuse them: then a page would look or work differently from what was meant."""
    for _rule, path, method, _access in rules(app):
        if method == "GET" and not path.startswith("/static"):
            page = staffed["admin"].get(path).text
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on", page), path


def test_our_own_files_are_kept_for_a_year(app: Flask, staffed: dict[str, Visitor]) -> None:
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', staffed["admin"].get("/").text)
    assert any("?v=" in one for one in found)
    for one in found:
        answer = staffed["admin"].get(one.partition("#")[0])
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost:80@evil.example", ""])
def test_a_foreign_host_is_refused(app: Flask, host: str) -> None:
    assert Visitor(app).get("/sign-in", headers={"Host": host}).status_code == 400


def test_forwarded_headers_are_believed_from_our_proxies_only(runtime: Runtime) -> None:
    first(runtime)
    spoofed = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
    assert Visitor(create_app(runtime)).get("/sign-in", headers=spoofed).status_code == 200
    behind = Visitor(create_app(runtime, trusted_proxies=1))
    assert behind.get("/sign-in", headers=spoofed).status_code == 400
    assert behind.get("/sign-in", headers=spoofed | {"X-Forwarded-Host": "localhost"}).status_code == 200


def test_cookies_are_bound_to_an_encrypted_host(runtime: Runtime) -> None:
    first(runtime)
    app = create_app(replace(runtime, public_url="https://news.example.org"))
    visitor = Visitor(app)
    base = {"base_url": "https://news.example.org"}
    found = re.search(r'name="csrf_token" value="([^"]+)"', visitor.get("/sign-in", **base).text)
    assert found is not None
    form = {"csrf_token": found[1], "email": ADMIN, "password": PASSWORD}
    answer = visitor.client.post("/sign-in", data=form, **base)
    assert answer.status_code == 303
    cookies = answer.headers.getlist("Set-Cookie")
    assert sorted(cookie.partition("=")[0] for cookie in cookies) == ["__Host-known", "__Host-session"]
    for cookie in cookies:
        parts = {part.strip() for part in cookie.split(";")}
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= parts
        assert not any(part.startswith("Domain") for part in parts)
        assert len(cookie) < 4096
    assert answer.headers["Strict-Transport-Security"]


def test_a_form_without_our_token_is_refused(staffed: dict[str, Visitor]) -> None:
    """Also with another browser's token, from another site, or as a type that browsers send without asking."""
    admin, other = staffed["admin"], staffed["marketer"]
    form = {"name": "Ada", "language": "fr", "time_zone": "UTC"}
    assert admin.client.post("/profile", data=form).status_code == 400
    assert admin.client.post("/profile", data=form | {"csrf_token": other.csrf()}).status_code == 400
    assert admin.client.post("/profile", data="name=Ada", content_type="text/plain").status_code == 400
    assert admin.post("/profile", form, headers={"Origin": "https://evil.example"}).status_code == 400
    assert admin.post("/profile", form, headers={"Origin": "null"}).status_code == 400
    assert admin.post("/profile", form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 400
    assert admin.post("/profile", form, headers={"Origin": "http://localhost"}).status_code == 303


def test_too_large_is_refused_before_it_is_read(staffed: dict[str, Visitor]) -> None:
    admin = staffed["admin"]
    assert admin.post("/profile", {"name": "x" * (BODY_BYTES + 1)}).status_code == 413
    assert admin.post("/profile", {f"field{n}": "1" for n in range(1500)}).status_code == 413
    parts = {f"field{n}": "1" for n in range(1500)}
    assert admin.post("/profile", parts, content_type="multipart/form-data").status_code == 413
    text = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + b"x" * 600_000 + b"\r\n--b--\r\n"
    kind = {"content_type": "multipart/form-data; boundary=b"}
    assert admin.open("/profile", method="POST", data=text, **kind).status_code == 413


def test_a_compressed_body_is_refused(staffed: dict[str, Visitor]) -> None:
    assert staffed["admin"].post("/profile", {}, headers={"Content-Encoding": "gzip"}).status_code == 415


def test_a_fault_of_ours_tells_only_a_number(
    app: Flask, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first(runtime)
    visitor = Visitor(app).signed_in()

    def broken(*_: object) -> None:
        raise ValueError("ada@example.org typed 4711")

    monkeypatch.setattr("web.home.overview", broken)
    answer = visitor.get("/")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
    assert "4711" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["X-Request-ID"] in caplog.text
    assert "4711" not in caplog.text


def test_without_a_database_a_page_says_so(app: Flask, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    first(runtime)
    visitor = Visitor(app).signed_in()
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    app.extensions["broadcaster"] = replace(runtime, db=gone)
    answer = visitor.get("/")
    assert answer.status_code == 503
    assert "Not available now" in answer.text


def test_machines_get_problem_json(app: Flask) -> None:
    for path in ("/api/none", "/hooks/none"):
        answer = Visitor(app).get(path)
        assert answer.status_code == 404
        assert answer.mimetype == "application/problem+json"
        assert answer.get_json()["status"] == 404


def test_request_lines_hold_ids_only(staffed: dict[str, Visitor], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "broadcaster.web"):
        staffed["admin"].get("/join/secret-token?email=ada@example.org")
        staffed["admin"].post("/staff/new", {"name": "Mia", "email": "mia@example.org", "role": "agent"})
    assert "endpoint=staff.create" in caplog.text
    assert not re.search("secret-token|example.org|Mia", caplog.text)


@pytest.mark.parametrize(
    "target,safe",
    [
        ("/staff?before=3", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example/", False),
        ("javascript:alert(1)", False),
        ("/a\r\nSet-Cookie: x=1", False),
        ("", False),
    ],
)
def test_after_signing_in_nobody_is_led_elsewhere(target: str, safe: bool) -> None:
    assert (local_path(target) is not None) is safe
