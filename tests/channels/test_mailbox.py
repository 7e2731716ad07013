"""Mail that comes in: what it means, and that nothing in it can stop the reader."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.channels.contract import AccountConfig
from broadcaster.channels.mail_reader import read_mail
from broadcaster.channels.smtp import Smtp
from broadcaster.core.deliveries import Outcome, ReceiptKind
from broadcaster.core.errors import Misconfigured, Unavailable
from broadcaster.core.messages import ChannelEvent, Inbound, InboundKind, Receipt
from broadcaster.fakes.mail import FakeMail
from broadcaster.fakes.mail_answers import (
    StoredMail,
    answer_to,
    bounce_of,
    complaint_about,
    unsubscribe_from,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PERSON = "ann@example.com"
LOGIN = ("answers", "s3cret-pa55")
SENT = StoredMail(
    "bounce+ref-1@bounces.example.org",
    PERSON,
    b"From: News <news@example.org>\r\nReply-To: answers@example.org\r\nTo: ann@example.com\r\nSubject: Spring\r\n"
    b"Message-ID: <ref-1@example.org>\r\n"
    b"List-Unsubscribe: <https://example.org/u/TOK-1>, <mailto:unsub+TOK-1@example.org>\r\n\r\nReply STOP to stop\r\n",
)


def only(raw: bytes) -> Inbound:
    [event] = read_mail(raw, received=NOW)
    assert isinstance(event, Inbound)
    return event


def letter(*headers: str, body: str = "STOP") -> bytes:
    return "\r\n".join(["From: Ann <Ann@Example.com>", "To: answers@example.org", *headers, "", body]).encode()


# answers


def test_an_answer_is_a_text_with_its_history_and_what_it_answers() -> None:
    """The keyword engine strips the quoted lines; here nothing is cut."""
    event = only(answer_to(SENT, "STOP"))
    assert (event.kind, event.sender, event.about) == (InboundKind.TEXT, PERSON, "ref-1")
    assert event.text.startswith("STOP\n")
    assert "> Reply STOP to stop" in event.text


@pytest.mark.parametrize(
    "headers, about",
    [
        (["In-Reply-To: <ref-1@example.org>"], "ref-1"),
        (["References: <old@example.org> <ref-1@example.org>"], "ref-1"),
        (["Delivered-To: bounce+ref-1@bounces.example.org"], "ref-1"),
        ([], ""),
    ],
)
def test_what_it_answers_is_found(headers: list[str], about: str) -> None:
    assert only(letter(*headers)).about == about


@pytest.mark.parametrize(
    "head, body, text",
    [
        ("Content-Type: text/plain; charset=iso-8859-1", "Arrêtez".encode("latin-1"), "Arrêtez"),
        ("Content-Type: text/plain; charset=koi8-r", "Стоп".encode("koi8-r"), "Стоп"),
        ("Content-Type: text/plain; charset=no-such-charset", "Arrêtez".encode(), "Arrêtez"),
        ("Content-Type: text/plain; charset=utf-8", "Arrêtez".encode("latin-1"), "Arrêtez"),
        ("Content-Type: text/plain; charset=hex", b"STOP", "STOP"),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", b"U1RPUA==", "STOP"),
        ("Content-Type: text/html", b"<html><body><p>STOP</p></body></html>", "STOP"),
        ("Subject: =?utf-8?q?Arr=C3=AAtez?=", b"", "Arrêtez"),
        ("Subject: =?utf-8?b?broken", b"", "=?utf-8?b?broken"),
    ],
)
def test_any_charset_right_or_wrong_is_read(head: str, body: bytes, text: str) -> None:
    raw = b"From: ann@example.com\r\n" + head.encode() + b"\r\n\r\n" + body
    assert only(raw).text.strip() == text


def test_the_plain_part_is_taken_and_attachments_are_not() -> None:
    raw = letter(
        "Content-Type: multipart/mixed; boundary=b",
        body="--b\r\nContent-Type: text/html\r\n\r\n<p>html\r\n--b\r\nContent-Type: text/plain\r\n\r\nSTOP\r\n"
        "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nattached\r\n--b--\r\n",
    )
    assert only(raw).text == "STOP"


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated (vacation)",
        "X-Autoreply: yes",
        "Precedence: auto_reply",
        "Return-Path: <>",
    ],
)
def test_what_nobody_wrote_means_nothing(header: str) -> None:
    """RFC 3834: an out-of-office note with the word stop in it is not a refusal, and is never answered."""
    assert only(letter(header)).kind is InboundKind.OTHER


def test_auto_submitted_no_is_a_person() -> None:
    assert only(letter("Auto-Submitted: no")).kind is InboundKind.TEXT


# refusals by mail


def test_the_unsubscribe_address_is_an_opt_out_with_its_token() -> None:
    raw = unsubscribe_from(SENT)
    assert raw is not None
    event = only(raw)
    assert (event.kind, event.sender, event.payload) == (InboundKind.OPT_OUT, PERSON, "TOK-1")


def test_an_unsubscription_counts_even_when_a_machine_sent_it() -> None:
    raw = letter("Auto-Submitted: auto-generated", "Delivered-To: unsub+T.o~k=1@example.org")
    event = only(raw)
    assert (event.kind, event.payload) == (InboundKind.OPT_OUT, "T.o~k=1")


@pytest.mark.parametrize(
    "kind, meaning",
    [
        ("abuse", InboundKind.COMPLAINT),
        ("opt-out", InboundKind.OPT_OUT),
        ("not-spam", InboundKind.OTHER),
        ("auth-failure", InboundKind.OTHER),
    ],
)
def test_a_feedback_report_is_read(kind: str, meaning: InboundKind) -> None:
    event = only(complaint_about(SENT, kind=kind))
    assert (event.kind, event.sender, event.about, event.payload) == (meaning, PERSON, "ref-1", "TOK-1")


def test_a_redacted_report_still_says_which_mail_it_is_about() -> None:
    redacted = StoredMail(SENT.sender, PERSON, SENT.raw.replace(b"To: ann@example.com\r\n", b"To: x\r\n"))
    event = only(complaint_about(redacted, redacted=True))
    assert (event.kind, event.sender, event.about) == (InboundKind.COMPLAINT, "", "ref-1")


# bounces


@pytest.mark.parametrize("status", ["5.1.1", "5.1.10", "5.2.1", "5.4.4", "5.0.0"])
def test_a_hard_bounce_is_unreachable(status: str) -> None:
    event = only(bounce_of(SENT, status=status))
    assert (event.kind, event.sender, event.about) == (InboundKind.UNREACHABLE, PERSON, "ref-1")


@pytest.mark.parametrize(
    "status, action", [("4.2.2", "delayed"), ("4.4.7", "failed"), ("2.0.0", "delivered"), ("5.1.1", "delayed")]
)
def test_a_delay_is_not_a_bounce(status: str, action: str) -> None:
    assert only(bounce_of(SENT, status=status, action=action)).kind is InboundKind.OTHER


@pytest.mark.parametrize(
    "status, outcome",
    [("5.7.1", Outcome.MESSAGE_REJECTED), ("5.2.2", Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE)],
)
def test_a_refused_mail_says_nothing_against_the_address(status: str, outcome: Outcome) -> None:
    [event] = read_mail(bounce_of(SENT, status=status), received=NOW)
    assert isinstance(event, Receipt)
    assert (event.kind, event.provider_id, event.outcome) == (ReceiptKind.FAILED, "<ref-1@example.org>", outcome)
    assert event.reference == "ref-1"


def test_a_bounce_that_follows_no_standard_is_recognised() -> None:
    """qmail writes prose; flufl.bounce knows it."""
    raw = (
        b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.net\r\nTo: bounce+ref-1@bounces.example.org\r\n"
        b"Subject: failure notice\r\n\r\nHi. This is the qmail-send program at mx.example.net.\r\n"
        b"I'm afraid I wasn't able to deliver your message to the following addresses.\r\n"
        b"This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n"
        b"<ann@example.com>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n"
        b"--- Below this line is a copy of the message.\r\n\r\nReturn-Path: <x@example.org>\r\n"
    )
    event = only(raw)
    assert (event.kind, event.sender, event.about) == (InboundKind.UNREACHABLE, PERSON, "ref-1")


def test_a_person_who_quotes_a_bounce_is_not_one() -> None:
    event = only(letter(body="This is the qmail-send program at x\r\n<v@example.net>:\r\nSorry (#5.1.1)\r\n"))
    assert (event.kind, event.sender) == (InboundKind.TEXT, PERSON)


# identity and time


def test_the_same_mail_has_the_same_key_and_another_has_not() -> None:
    first, again = only(letter("Message-ID: <a@b>")), only(letter("Message-ID: <a@b>", "Received: twice"))
    other, forged = only(letter("Message-ID: <c@b>")), letter("Message-ID: <a@b>").replace(b"Ann@Ex", b"Bob@Ex")
    assert first.event_key == again.event_key
    assert len({first.event_key, other.event_key, only(forged).event_key}) == 3
    assert only(letter()).event_key == only(letter()).event_key != only(letter(body="x")).event_key
    assert PERSON not in first.event_key


@pytest.mark.parametrize(
    "date, expected",
    [
        ("Mon, 01 Jun 2026 11:00:00 +0000", NOW - timedelta(hours=1)),
        ("Mon, 01 Jun 2026 11:00:00 -0000", NOW - timedelta(hours=1)),
        ("Mon, 01 Jun 2026 13:00:00 +0200", NOW - timedelta(hours=1)),
        ("Mon, 01 Jun 2099 13:00:00 +0200", NOW),
        ("Mon, 01 Jun 1999 13:00:00 +0200", NOW),
        ("yesterday", NOW),
        ("Mon, 99 Jun 2026 99:00:00 +9999", NOW),
        ("Mon, 01 Jun 2026 11:00:00 +999999999999", NOW),
    ],
)
def test_a_date_is_believed_within_reason(date: str, expected: datetime) -> None:
    assert only(letter(f"Date: {date}")).occurred_at == expected


# hostile mail


def nested(levels: int) -> bytes:
    head = b"From: a@b.example\r\n"
    for level in range(levels):
        head += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)
    return head + b"\r\nSTOP"


HOSTILE = {
    "nothing": b"",
    "NULs": b"\0" * 1000,
    "no header": b"\r\n\r\n",
    "nested 20": nested(20),
    "nested 5000": nested(5000),
    "nested mails": b"Content-Type: message/rfc822\r\n\r\n" * 5000,
    "one header of a megabyte": b"From: " + b"(" * 1_000_000 + b"\r\n\r\nx",
    "a hundred thousand headers": b"X: y\r\n" * 100_000 + b"\r\nx",
    "a hundred thousand recipients": b"To: " + b"a@b.example, " * 100_000 + b"\r\n\r\nSTOP",
    "two megabytes": b"From: a@b.example\r\n\r\n" + b"x" * 2_000_000,
    "deep html": b"Content-Type: text/html\r\n\r\n" + b"<div>" * 30_000,
    "broken words": b"From: =?utf-8?b?////?= <a@b.example>\r\nSubject: =?x?q?=FF?= =?utf-8?b?a\r\n\r\n",
    "a thousand parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nSTOP\r\n" * 1000 + b"--b--",
    "parameters": b"Content-Type: text/plain; charset*0*=%FF; charset*1*=x; boundary*=''%00\r\n\r\nSTOP",
    "report without blocks": b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: message/delivery-status\r\n\r\n--b--",
    "surrogates": b"From: \xed\xa0\x80@\xff.example\r\nMessage-ID: <\xff@\xfe>\r\n\r\n\xff\xfe",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_hostile_mail_is_stored_and_stops_nothing(name: str) -> None:
    """B and F rows of the reliability list: sizes, depth and nonsense."""
    [event] = read_mail(HOSTILE[name], received=NOW)
    assert isinstance(event, Inbound)
    assert event.kind in (InboundKind.TEXT, InboundKind.OTHER)
    assert len(event.text) <= 250_000
    event.text.encode()
    event.sender.encode()
    event.about.encode()


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_reading_never_raises(raw: bytes) -> None:
    assert read_mail(raw, received=NOW)


# the mailbox


@pytest.fixture(params=["none", "tls"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeMail]:
    with FakeMail(security=request.param, login=LOGIN) as server:
        yield server


def account(fake: FakeMail, **settings: str) -> AccountConfig:
    known = {
        "imap_host": "127.0.0.1",
        "imap_port": str(fake.imap_port),
        "imap_security": fake.security,
        "imap_username": LOGIN[0],
        "tls_authority": fake.certificate,
    }
    return AccountConfig(1, "email", "", known | settings, {"imap_password": LOGIN[1]})


def texts(events: tuple[ChannelEvent, ...] | list[ChannelEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Inbound)]


def poll(config: AccountConfig, cursor: str) -> tuple[list[str], str]:
    events, cursor = Smtp().poll(config, cursor)
    return texts(list(events)), cursor


def test_a_poll_hands_out_what_is_new_until_the_cursor_moves(fake: FakeMail) -> None:
    config = account(fake)
    assert poll(config, "") == ([], "1:0")
    fake.put(letter(body="one"))
    fake.put(letter(body="two"))
    assert poll(config, "1:0") == (["one", "two"], "1:2")
    assert poll(config, "1:0") == (["one", "two"], "1:2"), "again, until the caller comes back with the new cursor"
    assert poll(config, "1:2") == ([], "1:2")
    fake.put(letter(body="three"))
    assert poll(config, "1:2") == (["three"], "1:3")


def test_new_numbers_of_the_server_hand_everything_out_again(fake: FakeMail) -> None:
    """UIDVALIDITY changed: nothing may be missed; the event keys show what is known already."""
    fake.put(letter(body="one"))
    fake.mailbox.validity = 7
    assert poll(account(fake), "1:1") == (["one"], "7:1")
    assert poll(account(fake), "nonsense") == (["one"], "7:1")


def test_a_poll_takes_a_hundred_at_a_time_and_a_megabyte_of_each(fake: FakeMail) -> None:
    fake.put(letter(body="x" * 2_000_000))
    for number in range(120):
        fake.put(letter(body=str(number)))
    first, cursor = poll(account(fake), "")
    rest, _ = poll(account(fake), cursor)
    assert (len(first), len(rest)) == (100, 21)


def test_a_deleted_mail_is_passed_over(fake: FakeMail) -> None:
    for body in ("one", "two", "three"):
        fake.put(letter(body=body))
    del fake.mailbox.mails[2]
    assert poll(account(fake), "") == (["one", "three"], "1:3")


def test_without_a_mailbox_nothing_comes_in(fake: FakeMail) -> None:
    assert poll(account(fake, imap_host=""), "1:5") == ([], "1:5")


@pytest.mark.parametrize(
    "settings",
    [
        {"imap_username": "other"},
        {"imap_folder": "Elsewhere"},
        {"imap_folder": 'a" b'},
        {"imap_port": "x"},
        {"imap_security": "maybe"},
        {"tls_authority": "none"},
    ],
)
def test_wrong_settings_are_the_operators_to_mend(fake: FakeMail, settings: dict[str, str]) -> None:
    with pytest.raises(Misconfigured) as caught:
        poll(account(fake, **settings), "")
    assert LOGIN[1] not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_an_untrusted_certificate_is_refused() -> None:
    with FakeMail(security="tls", login=LOGIN) as fake, pytest.raises(Misconfigured):
        poll(account(fake, tls_authority=""), "")


def test_a_mailbox_that_is_away_can_be_tried_again(fake: FakeMail) -> None:
    with pytest.raises(Unavailable):
        poll(account(fake, imap_port="1"), "")
    with pytest.raises(Unavailable):
        poll(account(fake, imap_port=str(fake.smtp_port)), "")
