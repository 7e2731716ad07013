"""What no form of ours sends: it gets an answer that names it, nothing changes, and nothing is told."""

from __future__ import annotations

import pytest
from flask import Flask

from broadcaster.actions.runtime import Runtime
from tests.web.people import Visitor
from tests.web.test_pages import contents

LISTS = ("/contacts", "/campaigns", "/audiences", "/imports", "/activity", "/audit", "/consent", "/outbox")
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("query", [
    "before=0", "before=-1", "before=1e9", f"before={'9' * 30}", "before=abc", "before=%00", "before=%EF%BC%91",
    f"q={'x' * 10_000}", "q=%27%20OR%201=1--", "q=%25", "q=%5C", "q=%F0%9F%98%80", "q=%ff", "q=%00", "q=%ED%A0%80",
])  # fmt: skip
def test_no_query_breaks_a_list(staffed: dict[str, Visitor], runtime: Runtime, query: str) -> None:
    """B55, B56: a page, a refusal, or no such page."""
    before = contents(runtime)
    for path in LISTS:
        assert staffed["admin"].get(f"{path}?{query}").status_code in (200, 404, 422), path
    assert contents(runtime) == before


@pytest.mark.parametrize("token", ["x", "x" * 10_000, "%00", "%0d%0aX:%201", "٣", "%ff", "A" * 40, "..%2F.."])
@pytest.mark.parametrize("page", ["u", "c"])
def test_no_made_up_link_does_or_tells_anything(app: Flask, runtime: Runtime, page: str, token: str) -> None:
    """B66: one neutral page for all of them; what is no link at all is not found."""
    client, before = app.test_client(), contents(runtime)
    asked = client.get(f"/{page}/{token}")
    pressed = client.post(f"/{page}/{token}", data={"List-Unsubscribe": "One-Click", "answer": "yes"})
    neutral = client.get(f"/{page}/nothing")
    assert asked.status_code == pressed.status_code
    assert asked.status_code == 404 or asked.text == pressed.text == neutral.text
    assert contents(runtime) == before


@pytest.mark.parametrize("status,body,kind", [
    (413, "&".join(f"f{n}=1" for n in range(1500)), FORM),
    (413, "f=1&" * 2000, FORM),
    (400, "email=a&email=b&password=x&csrf_token={token}", FORM),
    (422, "email=a&password=x&is_admin=yes&csrf_token={token}", FORM),
    (413, "".join(f'--b\r\nContent-Disposition: form-data; name="f{n}"\r\n\r\nx\r\n' for n in range(1500)) + "--b--",
     "multipart/form-data; boundary=b"),
    (413, f'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n{"x" * 600_000}\r\n--b--',
     "multipart/form-data; boundary=b"),
    (400, "--b\r\nbroken", "multipart/form-data; boundary=b"),
], ids=["many fields", "one field often", "twice", "unknown", "many parts", "large part", "broken"])  # fmt: skip
def test_no_form_is_too_much(
    app: Flask, runtime: Runtime, staffed: dict[str, Visitor], status: int, body: str, kind: str
) -> None:
    """B12, B13."""
    visitor = Visitor(app)
    assert staffed
    data = body.replace("{token}", visitor.csrf("/sign-in"))
    before = contents(runtime)
    assert visitor.open("/sign-in", method="POST", data=data, content_type=kind).status_code == status
    assert contents(runtime) == before


@pytest.mark.parametrize("value", ["x", "x" * 8000, "eyJ0b2tlbiI6IngifQ.aaaa.bbbb", "%00", '"; Path=/'])
def test_a_made_up_session_is_nobody(staffed: dict[str, Visitor], app: Flask, value: str) -> None:
    """B71"""
    answer = app.test_client().get("/contacts", headers={"Cookie": f"session={value}"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in")
