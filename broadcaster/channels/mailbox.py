"""Fetch answers, bounces and complaints from a mailbox over IMAP (RFC 3501).

The cursor is ``uidvalidity:uid``. When the server starts its numbers anew, everything is handed out again; event keys
come from the mail itself, so what is known already is recognised.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from broadcaster.channels.contract import AccountConfig, Field
from broadcaster.channels.mail_reader import MAIL_OCTETS_MAX, read_mail
from broadcaster.core.errors import Misconfigured, Unavailable
from broadcaster.core.messages import ChannelEvent

__all__ = ["FIELDS", "poll", "read_mail"]

MAILS_PER_POLL = 100
IMAP_SECONDS = 30.0

_CURSOR = re.compile(r"(\d{1,10}):(\d{1,10})")
_FOLDER = re.compile(r'[^\x00-\x1f\x7f"\\]{1,200}')

FIELDS = (
    Field("imap_host", "Mailbox: server", required=False, help="empty: answers by mail are not read"),
    Field("imap_port", "Mailbox: port", required=False, default="993"),
    Field("imap_security", "Mailbox: encryption", required=False, default="tls", choices=("tls", "starttls", "none")),
    Field("imap_username", "Mailbox: user name", required=False),
    Field("imap_password", "Mailbox: password", secret=True, required=False),
    Field("imap_folder", "Mailbox: folder", required=False, default="INBOX"),
)


def poll(account: AccountConfig, cursor: str) -> tuple[Sequence[ChannelEvent], str]:
    """Return what came in since *cursor* and the next cursor; at most 100 mails, oldest first.

    Raises Misconfigured (name, password, folder) and Unavailable (anything that may pass).
    """
    if not account.settings.get("imap_host", "").strip():
        return (), cursor
    with _signed_in(account) as server:
        validity = _select(server, _setting(account, "imap_folder"))
        known, last = _read_cursor(cursor)
        if known != validity:
            last = 0
        events: list[ChannelEvent] = []
        for uid in _new_uids(server, last):
            raw = _fetch(server, uid)
            if raw is not None:
                events.extend(read_mail(raw, received=datetime.now(UTC)))
            last = uid
        return events, f"{validity}:{last}"


def _setting(account: AccountConfig, name: str) -> str:
    value = account.settings.get(name, "").strip()
    return value or next((field.default for field in FIELDS if field.name == name), "")


def _read_cursor(cursor: str) -> tuple[int, int]:
    match = _CURSOR.fullmatch(cursor)
    return (int(match[1]), int(match[2])) if match is not None else (0, 0)


@contextlib.contextmanager
def _signed_in(account: AccountConfig) -> Iterator[imaplib.IMAP4]:
    """Open the mailbox's server and leave it afterwards; no error quotes what the server or the account said."""
    server: imaplib.IMAP4 | None = None
    try:
        server = _connect(account)
        try:
            server.login(account.settings.get("imap_username", ""), account.secrets.get("imap_password", ""))
        except imaplib.IMAP4.abort:
            raise
        except (imaplib.IMAP4.error, UnicodeEncodeError):
            raise Misconfigured("The mailbox refused the user name or the password.", code="imap_login") from None
        yield server
    except ssl.SSLCertVerificationError:
        raise Misconfigured("The mailbox server's certificate is not trusted.", code="imap_tls") from None
    except (OSError, imaplib.IMAP4.error):
        raise Unavailable("The mailbox does not answer as it should.", code="imap") from None
    finally:
        if server is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                server.logout()


def _connect(account: AccountConfig) -> imaplib.IMAP4:
    host, port = _setting(account, "imap_host"), _setting(account, "imap_port")
    security = _setting(account, "imap_security")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65536):
        raise Misconfigured("The mailbox's port must be a number.", code="setting")
    try:
        tls = ssl.create_default_context(cadata=account.settings.get("tls_authority", "").strip() or None)
    except (ssl.SSLError, ValueError):
        raise Misconfigured("The certificate to trust is not a PEM certificate.", code="setting") from None
    if security == "tls":
        return imaplib.IMAP4_SSL(host, int(port), ssl_context=tls, timeout=IMAP_SECONDS)
    if security not in ("starttls", "none"):
        raise Misconfigured("The mailbox's encryption must be tls, starttls or none.", code="setting")
    server = imaplib.IMAP4(host, int(port), timeout=IMAP_SECONDS)
    if security == "starttls":
        try:
            server.starttls(tls)
        except BaseException:
            server.shutdown()
            raise
    return server


def _select(server: imaplib.IMAP4, folder: str) -> int:
    """Open *folder* for reading and return its UIDVALIDITY."""
    if _FOLDER.fullmatch(folder) is None or not folder.isascii():
        raise Misconfigured("The mailbox's folder has a name that cannot be used.", code="setting")
    status, _ = server.select(f'"{folder}"', readonly=True)
    if status != "OK":
        raise Misconfigured("The mailbox has no such folder.", code="imap_folder")
    _, values = server.response("UIDVALIDITY")
    value = values[0] if values else None
    if not isinstance(value, bytes) or not value.isdigit():
        raise Unavailable("The mailbox does not number its mail.", code="imap")
    return int(value)


def _new_uids(server: imaplib.IMAP4, last: int) -> list[int]:
    """Return the next uids after *last*. ``n:*`` also names the last mail when it is older (RFC 3501, 6.4.8)."""
    status, values = server.uid("SEARCH", "UID", f"{last + 1}:*")
    if status != "OK":
        raise Unavailable("The mailbox does not search.", code="imap")
    found = b" ".join(value for value in values if isinstance(value, bytes)).split()
    uids = sorted({int(uid) for uid in found if uid.isdigit()})
    return [uid for uid in uids if uid > last][:MAILS_PER_POLL]


def _fetch(server: imaplib.IMAP4, uid: int) -> bytes | None:
    """Return a mail's first octets without marking it as read; None if it is gone meanwhile."""
    status, parts = server.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{MAIL_OCTETS_MAX}>)")
    if status != "OK":
        raise Unavailable("The mailbox does not hand out a mail.", code="imap")
    return next((part[1] for part in parts if isinstance(part, tuple) and isinstance(part[1], bytes)), None)
