"""The fake mail server, judged by the standard library's clients: it must not be obliging where real ones are not."""

from __future__ import annotations

import imaplib
import json
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster.fakes.mail import FakeMail

LOGIN = ("demo", "pa55")
MAIL = b"From: a@b.example\r\nTo: c@d.example\r\nMessage-ID: <1@b.example>\r\nSubject: x\r\n\r\n.\r\n..\r\nhello\r\n"


@pytest.fixture
def fake() -> Iterator[FakeMail]:
    with FakeMail() as server:
        yield server


def client(fake: FakeMail) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", fake.smtp_port, timeout=10)


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_mail_is_stored_as_it_was_sent(security: str) -> None:
    with FakeMail(security=security, login=LOGIN) as fake:
        trust = ssl.create_default_context(cadata=fake.certificate) if fake.certificate else None
        if security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL("127.0.0.1", fake.smtp_port, context=trust, timeout=10)
        else:
            smtp = client(fake)
        with smtp:
            if security == "starttls":
                smtp.starttls(context=trust)
            smtp.login(*LOGIN)
            smtp.sendmail("a@b.example", ["c@d.example"], MAIL)
        [mail] = fake.messages()
        assert (mail.sender, mail.recipient, mail.raw) == ("a@b.example", "c@d.example", MAIL)
        assert mail.message_id == "<1@b.example>"


def test_nothing_is_taken_without_signing_in() -> None:
    with FakeMail(login=LOGIN) as fake, client(fake) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            smtp.sendmail("a@b.example", ["c@d.example"], MAIL)
        assert refused.value.smtp_code == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("demo", "wrong")


@pytest.mark.parametrize("local, code", [("bounce550", 550), ("full452", 452), ("greylist", 450), ("throttle421", 421)])
def test_a_recipient_says_how_to_be_refused(fake: FakeMail, local: str, code: int) -> None:
    smtp = client(fake)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        smtp.sendmail("a@b.example", [f"{local}+7@d.example"], MAIL)
    assert refused.value.recipients[f"{local}+7@d.example"][0] == code
    smtp.close()
    assert fake.messages() == []


def test_greylisting_lets_the_second_try_through(fake: FakeMail) -> None:
    with client(fake) as smtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail("a@b.example", ["greylist@d.example"], MAIL)
        smtp.sendmail("a@b.example", ["greylist@d.example"], MAIL)
    assert len(fake.messages()) == 1


def test_the_content_can_be_refused_and_the_line_dropped(fake: FakeMail) -> None:
    with client(fake) as smtp, pytest.raises(smtplib.SMTPDataError):
        smtp.sendmail("a@b.example", ["reject-content@d.example"], MAIL)
    assert fake.messages() == []
    smtp = client(fake)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        smtp.sendmail("a@b.example", ["drop-after-dot@d.example"], MAIL)
    assert len(fake.messages()) == 1, "taken, and nobody was told"


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r"])
def test_only_crlf_dot_crlf_ends_a_mail(fake: FakeMail, end: bytes) -> None:
    """A server that took less would hide that a client smuggles."""
    with socket.create_connection(("127.0.0.1", fake.smtp_port), timeout=10) as raw, raw.makefile("rb") as replies:
        raw.sendall(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n")
        raw.sendall(b"Subject: x\r\n\r\nbody" + end + b"MAIL FROM:<evil@b.example>\r\n.\r\nQUIT\r\n")
        assert replies.readlines()[-2:] == [b"250 2.0.0 taken\r\n", b"221 2.0.0 bye\r\n"]
    [mail] = fake.messages()
    assert b"evil" in mail.raw


@pytest.mark.parametrize(
    "commands, code",
    [
        (b"RCPT TO:<c@d.example>", b"503"),
        (b"DATA", b"503"),
        (b"MAIL FROM:<a@b.example>\r\nDATA", b"554"),
        (b"MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>", b"503"),
        (b"MAIL FROM: <a@b.example>", b"501"),
        (b"MAIL FROM:<a b>", b"501"),
        (b"MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody>", b"501"),
        (b"MAIL FROM:<a@b.example> SIZE=99999999999", b"552"),
        (b"WHAT", b"502"),
    ],
)
def test_it_is_strict(fake: FakeMail, commands: bytes, code: bytes) -> None:
    with socket.create_connection(("127.0.0.1", fake.smtp_port), timeout=10) as raw, raw.makefile("rb") as replies:
        raw.sendall(b"EHLO x\r\n" + commands + b"\r\nQUIT\r\n")
        assert replies.readlines()[-2].startswith(code)


# the mailbox


def test_imaplib_can_read_the_mailbox(fake: FakeMail) -> None:
    fake.put(b"Subject: one\r\n\r\nx\r\n")
    fake.put(b"Subject: two\r\n\r\nx\r\n")
    with imaplib.IMAP4("127.0.0.1", fake.imap_port, timeout=10) as imap:
        imap.login("demo", "demo")
        assert imap.select("INBOX") == ("OK", [b"2"])
        assert imap.uid("SEARCH", "UID", "2:*") == ("OK", [b"2"])
        assert imap.uid("SEARCH", "UID", "9:*") == ("OK", [b"2"]), "n:* always names the last one"
        status, parts = imap.uid("FETCH", "2", "(BODY.PEEK[]<0.7>)")
        assert (status, parts[0][1]) == ("OK", b"Subject")
        assert imap.uid("STORE", "2", "+FLAGS", r"(\Seen)")[0] == "OK"


@pytest.mark.parametrize("user, password", [("demo", "no"), ("de mo", 'p"\\w')])
def test_the_mailbox_is_locked(fake: FakeMail, user: str, password: str) -> None:
    with imaplib.IMAP4("127.0.0.1", fake.imap_port, timeout=10) as imap, pytest.raises(imaplib.IMAP4.error):
        imap.login(user, password)


def test_answers_come_back_by_themselves_where_the_recipient_says_so(fake: FakeMail) -> None:
    with client(fake) as smtp:
        for local in ("bounce-later", "complain-later", "stop-later", "someone"):
            smtp.sendmail("a@b.example", [f"{local}@d.example"], MAIL)
    assert len(fake.messages()) == 4
    assert len(fake.mailbox.mails) == 3
    assert fake.unsubscribe(fake.messages()[0]) is None, "there is no List-Unsubscribe"


# keeping and counting


def test_a_store_is_read_again(tmp_path: Path) -> None:
    store = tmp_path / "mails.jsonl"
    with FakeMail(store=store) as fake, client(fake) as smtp:
        smtp.sendmail("a@b.example", ["c@d.example"], MAIL)
    with FakeMail(store=store) as again:
        assert [mail.raw for mail in again.messages()] == [MAIL]


def test_the_counter_counts_different_mails() -> None:
    command = [sys.executable, "-m", "broadcaster.fakes.mail", "--port", "0", "--count-only"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["smtp_port"]
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            for number in (1, 1, 2):
                smtp.sendmail("a@b.example", ["c@d.example"], MAIL.replace(b"<1@", b"<%d@" % number))
            code, answer = smtp.docmd("XCOUNT")
        assert (code, json.loads(answer)) == (250, {"total": 3, "unique": 2})
        process.terminate()
        assert json.loads(process.stdout.read()) == {"total": 3, "unique": 2}
    assert process.returncode == 0
