"""What comes back after a mail: answers, bounces (RFC 3464), complaints (RFC 5965), unsubscriptions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail the server took."""

    sender: str = field(repr=False)  #: of the envelope
    recipient: str = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def message(self) -> EmailMessage:
        """Return the mail read by the standard library."""
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def message_id(self) -> str:
        found = re.search(rb"^Message-ID: *(\S+)", self.raw, re.MULTILINE | re.IGNORECASE)
        return found[1].decode("ascii", "replace") if found is not None else ""


def answer_to(mail: StoredMail, text: str, *, automatic: bool = False) -> bytes:
    """Return what the recipient writes back, with the mail quoted below as mail programs do."""
    original = mail.message
    answer = _mail(mail.recipient, str(original["Reply-To"] or original["From"]), f"Re: {original['Subject']}")
    answer["In-Reply-To"] = answer["References"] = mail.message_id
    if automatic:
        answer["Auto-Submitted"] = "auto-replied"
    body = original.get_body(("plain", "html"))
    quoted = "\n".join(f"> {line}" for line in (body.get_content() if body is not None else "").splitlines())
    answer.set_content(f"{text}\n\nOn some day the sender wrote:\n{quoted}\n")
    return answer.as_bytes()


def unsubscribe_from(mail: StoredMail) -> bytes | None:
    """Return the mail that a mail program sends to the List-Unsubscribe address; None if there is none."""
    found = re.search(r"<mailto:([^>?]+)", str(mail.message["List-Unsubscribe"] or ""))
    if found is None:
        return None
    request = _mail(mail.recipient, found[1], "unsubscribe")
    request.set_content("This message was automatically generated.\n")
    return request.as_bytes()


def bounce_of(mail: StoredMail, *, status: str = "5.1.1", action: str = "failed") -> bytes:
    """Return the report of a mail system that could not deliver."""
    report = _mail("MAILER-DAEMON@fake.test", mail.sender, "Undelivered Mail Returned to Sender")
    report["Auto-Submitted"] = "auto-replied"
    report["Return-Path"] = "<>"
    fields = (
        "Reporting-MTA: dns; fake.test\r\n\r\n"
        f"Final-Recipient: rfc822; {mail.recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} nobody here of that name\r\n"
    )
    return _report(report, "delivery-status", "Your mail could not be delivered.\r\n", fields, mail)


def complaint_about(mail: StoredMail, *, kind: str = "abuse", redacted: bool = False) -> bytes:
    """Return the report of a mail provider whose user pressed "this is spam"."""
    report = _mail("feedback@fake.test", mail.sender, "FW: a complaint")
    fields = f"Feedback-Type: {kind}\r\nUser-Agent: fake/1\r\nVersion: 1\r\nOriginal-Mail-From: <{mail.sender}>\r\n"
    if not redacted:
        fields += f"Original-Rcpt-To: <{mail.recipient}>\r\n"
    return _report(report, "feedback-report", "This is a complaint about a mail.\r\n", fields, mail)


def _mail(sender: str, to: str, subject: str) -> EmailMessage:
    message = EmailMessage(policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain="fake.test")
    return message


def _report(report: EmailMessage, kind: str, prose: str, fields: str, mail: StoredMail) -> bytes:
    """Write the three parts of a multipart/report (RFC 6522) as they go over the wire."""
    boundary = "report-" + report["Message-ID"].strip("<>").partition("@")[0]
    head = mail.raw.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    parts = (("text/plain", prose), (f"message/{kind}", fields), ("text/rfc822-headers", head + "\r\n"))
    text = "".join(f"--{boundary}\r\nContent-Type: {part}\r\n\r\n{body}\r\n" for part, body in parts)
    headers = "".join(f"{name}: {value}\r\n" for name, value in report.items())
    headers += f'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type={kind}; boundary="{boundary}"\r\n\r\n'
    return headers.encode() + text.encode() + f"--{boundary}--\r\n".encode()
