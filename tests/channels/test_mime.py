"""Mail that we build fast must be the mail that the standard library would have built."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broadcaster.channels.mime import Letterhead, build
from broadcaster.core.errors import MessageRejected
from broadcaster.core.messages import Outbound

NOW = 1_780_000_000.0
LETTERHEAD = Letterhead("news@example.org", "Café Noir, équipe", "answers@example.org")
UNSUBSCRIBE = (
    ("List-Unsubscribe", "<https://example.org/u/" + "T" * 60 + ">, <mailto:unsub+TOKEN@example.org>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
)

bodies = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300).filter(str.strip)
subjects = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def oracle(outbound: Outbound) -> EmailMessage:
    """Build the same message as the standard library would."""
    message = EmailMessage(policy.SMTP)
    message.set_content(outbound.text)
    message.add_alternative(outbound.html, subtype="html")
    return parsed(message.as_bytes())


@settings(deadline=None)
@given(text=bodies, html=bodies)
@example(text=".\r\n..\r.\n", html="a \t\r\n From x\n=\n=2E " + "y" * 2000)
@example(text="\x00\x0b\x1c\u2028\x85", html="é" * 400)
def test_the_parts_are_what_the_standard_library_would_send(text: str, html: str) -> None:
    """Fails if any text is cut, joined or changed by our encodings."""
    outbound = Outbound(to="a@example.com", reference="r1", text=text, html=html)
    ours, theirs = parsed(build(LETTERHEAD, outbound, NOW)), oracle(outbound)
    for kind in ("plain", "html"):
        mine, other = ours.get_body((kind,)), theirs.get_body((kind,))
        assert mine is not None
        assert other is not None
        assert mine.get_content().replace("\r\n", "\n") == other.get_content().replace("\r\n", "\n")
    assert not ours.defects


@settings(deadline=None)
@given(subject=subjects)
@example(subject="=?utf-8?b?w6k=?=")
@example(subject=" blank at both ends ")
@example(subject="x" * 900)
def test_a_subject_comes_back_as_it_was(subject: str) -> None:
    """Fails if folding or encoded words lose a character."""
    raw = build(LETTERHEAD, Outbound(to="a@example.com", reference="r1", text="x", subject=subject), NOW)
    line = re.search(rb"^Subject: (.*?)\r\n(?=\S)", raw, re.MULTILINE | re.DOTALL)
    assert line is not None
    assert max(map(len, raw.split(b"\r\n"))) <= 80
    if subject.strip():
        assert str(make_header(decode_header(line[1].decode("ascii")))) == subject


def test_the_headers_say_what_they_should() -> None:
    """From, Reply-To and List-Unsubscribe are what the receiver sees and what one-click depends on."""
    outbound = Outbound(to="a@example.com", reference="ref.7f3a", text="Hi", subject="S", headers=UNSUBSCRIBE)
    message = parsed(build(LETTERHEAD, outbound, NOW))
    assert message["From"] == '"Café Noir, équipe" <news@example.org>'
    assert message["Reply-To"] == "answers@example.org"
    assert message["To"] == "a@example.com"
    assert message["Message-ID"] == "<ref.7f3a@example.org>"
    assert message["Date"] == "Thu, 28 May 2026 20:26:40 +0000"
    assert [(name, message[name]) for name, _ in UNSUBSCRIBE] == list(UNSUBSCRIBE)


@pytest.mark.parametrize("text, html, kind", [("t", "", "text/plain"), ("", "<p>h", "text/html")])
def test_one_part_stands_alone(text: str, html: str, kind: str) -> None:
    """A multipart around a single part would only look odd."""
    message = parsed(build(LETTERHEAD, Outbound(to="a@b.example", reference="r", text=text, html=html), NOW))
    assert message.get_content_type() == kind
    assert message.get_content().strip() == (text or html)


@settings(deadline=None)
@given(text=bodies)
@example(text="é" + "x" * 500)
@example(text="é" * 500)
@example(text="x" * 2000)
def test_lines_end_in_crlf_only(text: str) -> None:
    """A bare CR or LF is how one mail becomes two (SMTP smuggling), and breaks the signature on its way."""
    raw = build(LETTERHEAD, Outbound(to="a@b.example", reference="r", text=text, html=text), NOW)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")


INJECTIONS = ["x\r\nBcc: v@example.net", "x\nBcc: v@example.net", "x\rBcc: v", "x\x00", "x\u2028Bcc: v", "x\x85y"]


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_header_cannot_be_injected(value: str) -> None:
    """B19, B46, X28: every place a value of somebody else's reaches a header."""
    good = Outbound(to="a@b.example", reference="r", text="x")
    for bad in (
        Outbound(to=value, reference="r", text="x"),
        Outbound(to=f"a@b.example{value}", reference="r", text="x"),
        Outbound(to="a@b.example", reference=value, text="x"),
        Outbound(to="a@b.example", reference="r", text="x", subject=value),
        Outbound(to="a@b.example", reference="r", text="x", headers=(("List-ID", value),)),
        Outbound(to="a@b.example", reference="r", text="x", headers=((value, "v"),)),
    ):
        with pytest.raises(MessageRejected) as caught:
            build(LETTERHEAD, bad, NOW)
        assert "example" not in str(caught.value)
    build(LETTERHEAD, good, NOW)


@pytest.mark.parametrize(
    "headers",
    [
        (("Bcc", "v@example.net"),),
        (("FROM", "v@example.net"),),
        (("Content-Type", "text/html"),),
        (("List-ID", "a"), ("list-id", "b")),
        (("X-Long", "x" * 2000),),
        (("X-Angle", "a <é>"),),
    ],
)
def test_a_caller_cannot_set_our_headers(headers: tuple[tuple[str, str], ...]) -> None:
    """One recipient per mail, and one value per header."""
    with pytest.raises(MessageRejected):
        build(LETTERHEAD, Outbound(to="a@b.example", reference="r", text="x", headers=headers), NOW)


@pytest.mark.parametrize("text, subject", [("", "s"), (" \n", "s"), ("x", "s" * 999), ("\ud800", "s"), ("x", "\ud800")])
def test_what_cannot_be_sent_is_refused(text: str, subject: str) -> None:
    with pytest.raises(MessageRejected):
        build(LETTERHEAD, Outbound(to="a@b.example", reference="r", text=text, subject=subject), NOW)


def test_a_header_may_hold_a_name_that_is_not_ascii() -> None:
    headers = (("List-ID", "Été à la plage <summer.example.org>"),)
    raw = build(LETTERHEAD, Outbound(to="a@b.example", reference="r", text="x", headers=headers), NOW)
    assert raw.isascii()
    assert parsed(raw)["List-ID"] == "Été à la plage <summer.example.org>"
