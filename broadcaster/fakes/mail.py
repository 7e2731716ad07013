"""A mail server for the demo, the tests and for trying out: it takes mail by SMTP and hands answers out by IMAP.

    with FakeMail() as mail:
        ...                                  # send to mail.smtp_port
        mail.reply(mail.messages()[0], "STOP")   # lands in the mailbox at mail.imap_port

It never sends anything anywhere. ``python -m broadcaster.fakes.mail --port 2525`` runs it by itself;
with ``--count-only`` it keeps nothing but the Message-IDs, for measuring.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import signal
import ssl
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Self

from broadcaster.fakes.mail_answers import StoredMail, answer_to, bounce_of, complaint_about, unsubscribe_from
from broadcaster.fakes.mail_imap import ImapSession, Mailbox
from broadcaster.fakes.mail_smtp import SmtpRules, SmtpSession, behaviour
from broadcaster.fakes.mail_tls import Certificate

HOST = "127.0.0.1"
LOGIN = ("demo", "demo")


class FakeMail:
    """A server in a thread of its own. *security*: "none", "starttls" or "tls"; with the latter two IMAP speaks TLS.

    *store*: a file to which every mail is appended as a line of JSON, read again at the next start.
    """

    def __init__(
        self,
        *,
        security: str = "none",
        login: tuple[str, str] | None = None,
        smtp_port: int = 0,
        imap_port: int = 0,
        store: Path | None = None,
    ) -> None:
        self.security = security
        self.smtp_port = smtp_port
        self.imap_port = imap_port
        self.certificate = ""  #: PEM, for clients to trust
        self.rules = SmtpRules(self._deliver, login=login)
        self.mailbox = Mailbox(login or LOGIN)
        self._store = store
        self._mails: list[StoredMail] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake-mail", daemon=True)

    def __repr__(self) -> str:
        return f"FakeMail(smtp_port={self.smtp_port}, imap_port={self.imap_port}, mails={len(self._mails)})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to listen; ports given as 0 are chosen."""
        self._load()
        context = self._tls()
        self._loop.run_until_complete(self._listen(context))
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    # -- what was sent, what comes back

    def messages(self) -> list[StoredMail]:
        """Return the mails taken so far, oldest first."""
        return list(self._mails)

    def put(self, raw: bytes) -> int:
        """Put a mail into the mailbox and return its uid."""
        return self.mailbox.add(raw)

    def reply(self, mail: StoredMail, text: str, *, automatic: bool = False) -> int:
        return self.put(answer_to(mail, text, automatic=automatic))

    def bounce(self, mail: StoredMail, *, status: str = "5.1.1", action: str = "failed") -> int:
        return self.put(bounce_of(mail, status=status, action=action))

    def complain(self, mail: StoredMail, *, kind: str = "abuse", redacted: bool = False) -> int:
        return self.put(complaint_about(mail, kind=kind, redacted=redacted))

    def unsubscribe(self, mail: StoredMail) -> int | None:
        """Write to the mail's List-Unsubscribe address; None if it has none."""
        raw = unsubscribe_from(mail)
        return None if raw is None else self.put(raw)

    # -- inside

    def _deliver(self, sender: str, recipient: str, raw: bytes) -> None:
        mail = StoredMail(sender, recipient, raw)
        self._mails.append(mail)
        if self._store is not None:
            line = {"sender": sender, "recipient": recipient, "raw": base64.b64encode(raw).decode("ascii")}
            with self._store.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        how = behaviour(recipient)
        if how == "bounce-later":
            self.bounce(mail)
        elif how == "complain-later":
            self.complain(mail)
        elif how == "stop-later":
            self.reply(mail, "STOP")

    def _load(self) -> None:
        if self._store is not None and self._store.exists():
            for line in self._store.read_text(encoding="utf-8").splitlines():
                found = json.loads(line)
                raw = base64.b64decode(found["raw"])
                self._mails.append(StoredMail(found["sender"], found["recipient"], raw))

    def _tls(self) -> ssl.SSLContext | None:
        if self.security == "none":
            return None
        certificate = Certificate()
        self.certificate = certificate.pem
        if self.security == "starttls":
            self.rules.tls = certificate.context
        return certificate.context

    async def _listen(self, context: ssl.SSLContext | None) -> None:
        implicit = context if self.security == "tls" else None
        smtp = await self._loop.create_server(self._smtp, HOST, self.smtp_port, ssl=implicit, backlog=512)
        imap = await self._loop.create_server(lambda: ImapSession(self.mailbox), HOST, self.imap_port, ssl=context)
        self.smtp_port, self.imap_port = (server.sockets[0].getsockname()[1] for server in (smtp, imap))
        self._servers = (smtp, imap)

    def _smtp(self) -> SmtpSession:
        session = SmtpSession(self.rules)
        session.encrypted = self.security == "tls"
        return session

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for server in self._servers:
            server.close()
        transports = [session.transport for session in self.rules.open]
        transports += [session.transport for session in self.mailbox.open]
        for transport in transports:
            transport.abort()
        self._loop.run_until_complete(asyncio.sleep(0.01))  # transports close themselves in the next turns
        self._loop.close()


class Counter:
    """Keeps only how many mails came and how many different Message-IDs they had."""

    def __init__(self) -> None:
        self.total = 0
        self.unique: set[bytes] = set()

    def deliver(self, _sender: str, _recipient: str, raw: bytes) -> None:
        self.total += 1
        start = raw.find(b"Message-ID: ")
        if start >= 0:
            self.unique.add(raw[start + 12 : raw.find(b"\r\n", start)])

    def __str__(self) -> str:
        return json.dumps({"total": self.total, "unique": len(self.unique)})


async def _serve_counter(port: int, stop: asyncio.Event) -> None:
    counter = Counter()
    rules = SmtpRules(counter.deliver, count=lambda: str(counter))
    server = await asyncio.get_running_loop().create_server(lambda: SmtpSession(rules), HOST, port, backlog=512)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sys.stdout.write(json.dumps({"smtp_port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()
    sys.stdout.write(f"{counter}\n")


def main() -> None:
    """Run until told to stop; the first line of output is JSON with the ports."""
    parser = argparse.ArgumentParser(prog="python -m broadcaster.fakes.mail")
    parser.add_argument("--port", type=int, default=2525, help="for SMTP; 0: any")
    parser.add_argument("--imap-port", type=int, default=0, help="for IMAP; 0: any")
    parser.add_argument("--security", choices=("none", "starttls", "tls"), default="none")
    parser.add_argument("--store", type=Path, help="a file to keep mails in")
    parser.add_argument("--count-only", action="store_true", help="keep nothing but Message-IDs (for measuring)")
    options = parser.parse_args()
    if options.count_only:
        asyncio.run(_serve_counter(options.port, asyncio.Event()))
        return
    serve(FakeMail(security=options.security, smtp_port=options.port, imap_port=options.imap_port, store=options.store))


def run(port: int) -> None:
    """Serve until interrupted; *port* is that of SMTP, the mailbox takes a free one."""
    serve(FakeMail(smtp_port=port))


def serve(fake: FakeMail) -> None:
    """Run a server until told to stop, saying its ports first."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with fake:
        sys.stdout.write(json.dumps({"smtp_port": fake.smtp_port, "imap_port": fake.imap_port}) + "\n")
        sys.stdout.flush()
        stopped.wait()


if __name__ == "__main__":
    main()
