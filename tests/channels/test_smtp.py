"""E-mail by SMTP: every end of a call has the outcome that its evidence allows, and each mail is one mail."""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dkim  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.channels.contract import AccountConfig, boottime
from broadcaster.channels.smtp import Smtp, wire_form
from broadcaster.channels.smtp_replies import ProtocolError, Reply, Stage, classify, take_reply
from broadcaster.core.deliveries import Outcome
from broadcaster.core.errors import InvalidInput, MessageRejected, Misconfigured
from broadcaster.core.messages import Button, ButtonKind, Media, MediaKind, Outbound
from broadcaster.fakes.mail import FakeMail
from tests.channels.contract import send

LOGIN = ("campaigns", "s3cret-pa55")
PERSON = "ann@example.com"
SMTP = Smtp()


@pytest.fixture
def fake() -> Iterator[FakeMail]:
    with FakeMail(login=LOGIN) as server:
        yield server


def account(fake: FakeMail, **settings: str) -> AccountConfig:
    known = {
        "host": "127.0.0.1",
        "port": str(fake.smtp_port),
        "security": fake.security,
        "username": LOGIN[0],
        "from_name": "Café",
        "from_address": "news@example.org",
        "tls_authority": fake.certificate,
        "connections": "4",
    }
    return AccountConfig(1, "email", "", known | settings, {"password": LOGIN[1]})


def mail(to: str = PERSON, reference: str = "ref-1", text: str = "Hello Ann", **more: Any) -> Outbound:
    return Outbound(to=to, reference=reference, text=text, **more)


# the whole way


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_mail_arrives_whatever_the_encryption(security: str) -> None:
    with FakeMail(security=security, login=LOGIN) as fake:
        sender = SMTP.sender(account(fake))
        sender.warm(3)
        assert sender.slots() == 3
        results = send(sender, *[mail(reference=f"ref-{number}") for number in range(3)])
        sender.close()
        assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 3
        assert [result.provider_id for result in results] == [f"<ref-{number}@example.org>" for number in range(3)]
        assert {one.message_id for one in fake.messages()} == {result.provider_id for result in results}
        assert {(one.sender, one.recipient) for one in fake.messages()} == {("news@example.org", PERSON)}


def test_many_mails_share_few_connections(fake: FakeMail) -> None:
    """More calls than slots wait their turn; every one ends once."""
    sender = SMTP.sender(account(fake))
    sender.warm(4)
    results = send(sender, *[mail(reference=f"r{number}") for number in range(200)])
    sender.close()
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert len({one.message_id for one in fake.messages()}) == len(fake.messages()) == 200
    assert fake.rules.connections == 4


def test_a_connection_is_replaced_after_its_share(fake: FakeMail) -> None:
    sender = SMTP.sender(account(fake, connections="1", letters_per_connection="2"))
    sender.warm(1)
    results = send(sender, *[mail(reference=f"r{number}") for number in range(5)])
    sender.close()
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert fake.rules.connections == 3


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",), ("SMTPUTF8", "8BITMIME")])
def test_it_speaks_to_servers_that_offer_less(fake: FakeMail, extensions: tuple[str, ...]) -> None:
    fake.rules.extensions = extensions
    sender = SMTP.sender(account(fake))
    results = send(sender, mail(), mail("bounce550@example.com"), mail())
    sender.close()
    assert [one.outcome for one in results] == [Outcome.ACCEPTED, Outcome.RECIPIENT_UNREACHABLE, Outcome.ACCEPTED]


def test_verp_and_dkim_go_with_the_mail(fake: FakeMail) -> None:
    """The bounce finds its way back by the envelope, and the signature survives dot stuffing."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    chosen = account(fake, bounce_domain="bounces.example.org", dkim_domain="example.org", dkim_selector="s1")
    sender = SMTP.sender(replace(chosen, secrets={**chosen.secrets, "dkim_private_key": pem}))
    send(sender, mail(text=".\n..\né" + "long " * 100, html="<p>é" + "x" * 500))
    sender.close()
    [taken] = fake.messages()
    assert taken.sender == "bounce+ref-1@bounces.example.org"
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + b"".join(public.splitlines()[1:-1])
    assert dkim.verify(taken.raw, dnsfunc=lambda name, timeout=5: record)


# how a call can end

BY_RECIPIENT = {
    "bounce550": Outcome.RECIPIENT_UNREACHABLE,
    "full452": Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE,
    "greylist": Outcome.TRANSIENT,
    "throttle421": Outcome.THROTTLED,
    "reject-content": Outcome.MESSAGE_REJECTED,
    "drop-in-data": Outcome.TRANSIENT,
    "drop-after-dot": Outcome.UNKNOWN,
    "slow": Outcome.ACCEPTED,
}


@pytest.mark.parametrize("local, outcome", BY_RECIPIENT.items())
def test_every_end_has_its_outcome_and_the_next_mail_goes_out(fake: FakeMail, local: str, outcome: Outcome) -> None:
    """Lost before the final dot is safe to repeat; lost after it nobody knows (reliability, section 4)."""
    fake.rules.slow_seconds = 0.05
    sender = SMTP.sender(account(fake, connections="1"))
    sender.warm(1)
    [first] = send(sender, mail(f"{local}@example.com"))
    [second] = send(sender, mail(reference="after"))
    sender.close()
    assert first.outcome is outcome
    assert (first.provider_id is None) == (outcome is not Outcome.ACCEPTED)
    assert second.outcome is Outcome.ACCEPTED


BY_VERB = [
    ("MAIL", b"550 5.7.1 no", Outcome.ACCOUNT_RESTRICTED),
    ("MAIL", b"530 5.7.0 sign in", Outcome.CREDENTIAL),
    ("MAIL", b"451 4.3.0 later", Outcome.TRANSIENT),
    ("MAIL", b"421 4.3.2 going down", Outcome.THROTTLED),
    ("MAIL", b"552 too large", Outcome.MESSAGE_REJECTED),
    ("RCPT", b"550-5.1.1 several\r\n550-5.1.1 lines\r\n550 5.1.1 of it", Outcome.RECIPIENT_UNREACHABLE),
    ("RCPT", b"450 4.2.2 full", Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE),
    ("RCPT", b"550 5.7.1 policy", Outcome.MESSAGE_REJECTED),
    ("DATA", b"451 later", Outcome.TRANSIENT),
    ("DATA", b"554 5.7.1 spam", Outcome.MESSAGE_REJECTED),
    ("DATA", b"250 what", Outcome.TRANSIENT),
    ("EHLO", b"554 5.7.1 your address is blocked", Outcome.ACCOUNT_RESTRICTED),
    ("CONNECT", b"250 what", Outcome.TRANSIENT),
    ("AUTH", b"250 what", Outcome.TRANSIENT),
    ("CONNECT", b"421 busy", Outcome.THROTTLED),
    ("CONNECT", b"554 no service", Outcome.ACCOUNT_RESTRICTED),
    ("CONNECT", b"HTTP/1.1 400 Bad Request", Outcome.TRANSIENT),
    ("AUTH", b"454 4.7.0 later", Outcome.THROTTLED),
    ("AUTH", b"535 5.7.8 wrong", Outcome.CREDENTIAL),
    ("AUTH", b"550 who knows", Outcome.CREDENTIAL),
]


@pytest.mark.parametrize("verb, answer, outcome", BY_VERB)
def test_a_refusal_at_any_verb(fake: FakeMail, verb: str, answer: bytes, outcome: Outcome) -> None:
    fake.rules.answers[verb] = answer
    sender = SMTP.sender(account(fake, connections="1"))
    [result] = send(sender, mail())
    sender.close()
    assert result.outcome is outcome
    assert fake.messages() == []


def test_a_refused_recipient_leaves_the_connection_usable(fake: FakeMail) -> None:
    sender = SMTP.sender(account(fake, connections="1"))
    results = send(sender, *[mail("bounce550@example.com"), mail("full452@example.com"), mail()] * 3)
    sender.close()
    assert [one.outcome for one in results[2::3]] == [Outcome.ACCEPTED] * 3
    assert fake.rules.connections == 1


def test_nothing_starts_after_the_deadline(fake: FakeMail) -> None:
    """The gate's permission has run out: an opt-out may have been answered meanwhile."""
    sender = SMTP.sender(account(fake))
    late = boottime() - 0.001
    assert send(sender, mail(), deadline=late)[0].outcome is Outcome.NOT_STARTED
    sender.warm(2)
    results = send(sender, mail(), mail(), deadline=late)
    sender.close()
    assert {one.outcome for one in results} == {Outcome.NOT_STARTED}
    assert fake.messages() == []


def test_nobody_listening_is_safe_to_try_again(fake: FakeMail) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    sender = SMTP.sender(account(fake, port=port))
    sender.warm(2)
    assert sender.slots() > 0, "a failure shows when a call is started"
    results = send(sender, mail(), mail())
    sender.close()
    assert {one.outcome for one in results} == {Outcome.TRANSIENT}


def test_a_wrong_password_condemns_the_account(fake: FakeMail) -> None:
    wrong = replace(account(fake), secrets={"password": "other"})
    sender = SMTP.sender(wrong)
    [result] = send(sender, mail())
    sender.close()
    assert (result.outcome, result.provider_code) == (Outcome.CREDENTIAL, "535 5.7.8")
    assert not SMTP.check(wrong).ok


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "CRAM-MD5 LOGIN"])
def test_it_signs_in_by_what_is_offered(fake: FakeMail, mechanisms: str) -> None:
    fake.rules.mechanisms = mechanisms
    assert SMTP.check(account(fake)).ok


# scripted servers


class Scripted:
    """A server of raw sockets for one connection after the other; *serve* plays its part."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = str(self.listener.getsockname()[1])
        self.serve = serve
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    self.serve(connection)
                except OSError:
                    pass

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def plain(port: str, **settings: str) -> AccountConfig:
    known = {"host": "127.0.0.1", "port": port, "security": "none", "from_address": "news@example.org"}
    return AccountConfig(1, "email", "", known | settings, {})


def open_session(connection: socket.socket, offers: bytes = b"250-x\r\n250 PIPELINING\r\n") -> None:
    connection.sendall(b"220 hi\r\n")
    connection.recv(1000)
    connection.sendall(offers)


def until(connection: socket.socket, end: bytes) -> bytes:
    seen = bytearray()
    while not seen.endswith(end):
        try:
            octets = connection.recv(65536)
        except ConnectionError:
            break
        if not octets:
            break
        seen += octets
    return bytes(seen)


def test_replies_may_come_byte_by_byte() -> None:
    def serve(connection: socket.socket) -> None:
        for octet in b"220-hello\r\n220 there\r\n":
            connection.sendall(bytes([octet]))
        connection.recv(1000)
        connection.sendall(b"250-x\r\n250-PIPELINING\r\n250 SIZE 99999\r\n")
        until(connection, b"DATA\r\n")
        for octet in b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n":
            connection.sendall(bytes([octet]))
        until(connection, b"\r\n.\r\n")
        connection.sendall(b"250-2.0.0 taken\r\n250 2.0.0 as 42\r\n")
        connection.recv(1000)

    with Scripted(serve) as server:
        sender = SMTP.sender(plain(server.port))
        [result] = send(sender, mail())
        sender.close()
    assert result.outcome is Outcome.ACCEPTED


def test_a_refused_recipient_never_gets_the_message_even_if_the_server_asks() -> None:
    """RFC 2920, 3.1: a server may answer DATA with 354 although every recipient was refused."""
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        open_session(connection)
        until(connection, b"DATA\r\n")
        connection.sendall(b"250 ok\r\n550 5.1.1 nobody\r\n354 go\r\n")
        seen.append(connection.recv(1000))

    with Scripted(serve) as server:
        sender = SMTP.sender(plain(server.port))
        [result] = send(sender, mail())
        sender.close()
    assert result.outcome is Outcome.RECIPIENT_UNREACHABLE
    assert seen == [b""]


def test_a_time_limit_after_the_dot_is_unknown_before_it_safe() -> None:
    def serve(connection: socket.socket) -> None:
        open_session(connection)
        mails = until(connection, b"DATA\r\n")
        if b"silent@" in mails:
            connection.recv(1000)
            return
        connection.sendall(b"250 ok\r\n250 ok\r\n354 go\r\n")
        until(connection, b"\r\n.\r\n")
        connection.recv(1000)

    with Scripted(serve) as server:
        limits = {"command_seconds": "1", "final_seconds": "1", "connections": "1"}
        sender = SMTP.sender(plain(server.port, **limits))
        results = send(sender, mail("silent@example.com"), mail())
        sender.close()
    assert [one.outcome for one in results] == [Outcome.TRANSIENT, Outcome.UNKNOWN]


def test_a_connection_the_server_has_closed_meanwhile_costs_nothing() -> None:
    """Kept-alive connections die; the call moves to a new one as long as its deadline holds."""
    served: list[int] = []
    closed = threading.Event()

    def serve(connection: socket.socket) -> None:
        open_session(connection)
        until(connection, b"DATA\r\n")
        connection.sendall(b"250 ok\r\n250 ok\r\n354 go\r\n")
        until(connection, b"\r\n.\r\n")
        served.append(1)
        connection.sendall(b"250 taken\r\n")
        if len(served) == 1:
            until(connection, b"DATA\r\n")
            connection.close()
            closed.set()
        else:
            connection.recv(1000)

    with Scripted(serve) as server:
        sender = SMTP.sender(plain(server.port, connections="1"))
        first = send(sender, mail())
        second = send(sender, mail())
        sender.close()
    assert closed.is_set()
    assert [one.outcome for one in first + second] == [Outcome.ACCEPTED] * 2
    assert len(served) == 2


def test_a_refusal_in_the_middle_of_a_message_ends_the_connection() -> None:
    """Else the rest of the message would be read as commands."""
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        open_session(connection)
        until(connection, b"DATA\r\n")
        connection.sendall(b"250 ok\r\n250 ok\r\n354 go\r\n")
        connection.recv(10)
        connection.sendall(b"552 5.3.4 enough\r\n")
        seen.append(until(connection, b"\r\n.\r\n"))

    with Scripted(serve) as server:
        sender = SMTP.sender(plain(server.port))
        [result] = send(sender, mail(html="<p>" + "x" * 4_500_000))
        sender.close()
    assert result.outcome is Outcome.MESSAGE_REJECTED
    assert not seen[0].endswith(b"\r\n.\r\n")


# encryption and sign-in


def test_a_stripped_starttls_stops_everything(fake: FakeMail) -> None:
    """Never fall back to clear text: that is what an attacker in between wants."""
    stripped = account(fake, security="starttls")
    sender = SMTP.sender(stripped)
    [result] = send(sender, mail())
    sender.close()
    assert (result.outcome, result.provider_code) == (Outcome.CREDENTIAL, "starttls_missing")
    assert not SMTP.check(stripped).ok


def test_clear_text_behind_starttls_is_not_believed() -> None:
    def serve(connection: socket.socket) -> None:
        open_session(connection, b"250-x\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(b"220 go\r\n250 injected\r\n")
        connection.recv(1000)

    with Scripted(serve) as server:
        sender = SMTP.sender(plain(server.port, security="starttls"))
        [result] = send(sender, mail())
        sender.close()
    assert (result.outcome, result.provider_code) == (Outcome.TRANSIENT, "protocol")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_untrusted_certificate_is_the_accounts_fault(security: str) -> None:
    with FakeMail(security=security) as fake:
        unknown = account(fake, tls_authority="")
        sender = SMTP.sender(unknown)
        [result] = send(sender, mail())
        sender.close()
        assert (result.outcome, result.provider_code) == (Outcome.CREDENTIAL, "tls_certificate")
        assert "certificate" in SMTP.check(unknown).problems[0]


def test_a_check_signs_in_sends_nothing_and_warns(fake: FakeMail) -> None:
    found = SMTP.check(account(fake))
    assert found.ok
    assert "PIPELINING" in found.detail
    assert any("not encrypted" in problem for problem in found.problems)
    assert fake.messages() == []
    assert not SMTP.check(account(fake, host="nowhere.invalid")).ok


@pytest.mark.parametrize(
    "settings",
    [
        {"port": "0"},
        {"port": "x"},
        {"security": "maybe"},
        {"host": "a b"},
        {"host": "a\r\nQUIT"},
        {"from_address": "x"},
        {"from_address": "a@b.example\r\nBcc: v@example.net"},
        {"from_name": "x\r\nBcc: v@example.net"},
        {"reply_to": "a@b.example\nBcc: v@example.net"},
        {"helo_name": "x\r\nMAIL"},
        {"bounce_domain": "x>\r\nRCPT"},
        {"connections": "-1"},
        {"tls_authority": "none", "security": "tls"},
    ],
)
def test_settings_that_cannot_work_are_refused(fake: FakeMail, settings: dict[str, str]) -> None:
    with pytest.raises(Misconfigured) as caught:
        SMTP.sender(account(fake, **settings))
    assert "example.net" not in str(caught.value)
    assert not SMTP.check(account(fake, **settings)).ok


# nothing gets through that ends a command, a header or a message


SMUGGLED = ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r\n", "\r.\n"]


@pytest.mark.parametrize("end", SMUGGLED, ids=repr)
def test_one_mail_stays_one_mail(fake: FakeMail, end: str) -> None:
    """X29: whatever the text holds, the server sees one mail with that text."""
    smuggled = f"before{end}MAIL FROM:<evil@example.net>\r\nRCPT TO:<v@example.net>\r\nDATA\r\nSubject: x\r\n\r\n{end}"
    sender = SMTP.sender(account(fake))
    results = send(sender, mail(text=smuggled, html=smuggled), mail(reference="next"))
    sender.close()
    assert [one.outcome for one in results] == [Outcome.ACCEPTED] * 2
    assert len(fake.messages()) == 2
    first = next(one for one in fake.messages() if one.message_id == "<ref-1@example.org>")
    body = first.message.get_body(("plain",))
    assert body is not None
    assert body.get_content().split() == smuggled.split()


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text("\r\n.x", max_size=60).map(str.encode))
def test_the_wire_form_ends_once(message: bytes) -> None:
    """Only the last line is a single dot, and every line end is CRLF."""
    data = wire_form(message)
    assert data.endswith(b"\r\n.\r\n") or data == b".\r\n"
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", data) is None
    assert [line for line in data.split(b"\r\n")[:-2] if line == b"."] == []
    undone = [line[1:] if line.startswith(b".") else line for line in data[:-3].split(b"\r\n")]
    given = re.split(rb"\r\n|\r|\n", message)
    assert undone == (given if given[-1] == b"" and len(given) > 1 else [*given, b""])


@pytest.mark.parametrize("to", ["a@b.example>\r\nRCPT TO:<v@example.net", "a b@c.example", "<a@b.example>", "", "a@"])
def test_an_address_cannot_hold_a_command(fake: FakeMail, to: str) -> None:
    sender = SMTP.sender(account(fake))
    with pytest.raises(MessageRejected):
        sender.prepare(mail(to))
    sender.close()


def test_what_mail_cannot_express_is_refused(fake: FakeMail) -> None:
    sender = SMTP.sender(account(fake))
    for bad in (
        mail(text=""),
        mail(text="x" * 100_001),
        mail(html="x" * 6_000_000),
        mail(media=(Media(MediaKind.IMAGE, "https://example.org/a.png"),)),
        mail(buttons=(Button(ButtonKind.REPLY, "Yes", "yes"),)),
        mail(subject="a\r\nBcc: v@example.net"),
    ):
        with pytest.raises(MessageRejected):
            sender.prepare(bad)
    sender.close()


def test_a_mail_larger_than_the_server_takes_is_not_begun(fake: FakeMail) -> None:
    fake.rules.size_max = 1000
    sender = SMTP.sender(account(fake))
    [result] = send(sender, mail(text="x" * 2000))
    sender.close()
    assert (result.outcome, result.provider_code) == (Outcome.MESSAGE_REJECTED, "size")


def test_an_address_that_is_not_ascii_needs_smtputf8(fake: FakeMail) -> None:
    sender = SMTP.sender(account(fake))
    [result] = send(sender, mail("jürgen@example.com"))
    sender.close()
    assert result.outcome is Outcome.ACCEPTED
    assert fake.messages()[0].recipient == "jürgen@example.com"
    fake.rules.extensions = ("PIPELINING",)
    sender = SMTP.sender(account(fake))
    [result] = send(sender, mail("jürgen@example.com"))
    sender.close()
    assert (result.outcome, result.provider_code) == (Outcome.MESSAGE_REJECTED, "smtputf8_missing")


# replies

CODES = [
    (550, "5.1.1", Stage.RCPT, Outcome.RECIPIENT_UNREACHABLE),
    (550, "5.1.1", Stage.DATA, Outcome.RECIPIENT_UNREACHABLE),
    (556, "5.1.10", Stage.RCPT, Outcome.RECIPIENT_UNREACHABLE),
    (550, "5.2.1", Stage.RCPT, Outcome.RECIPIENT_UNREACHABLE),
    (550, "5.4.4", Stage.RCPT, Outcome.RECIPIENT_UNREACHABLE),
    (551, "", Stage.RCPT, Outcome.RECIPIENT_UNREACHABLE),
    (550, "", Stage.MAIL, Outcome.ACCOUNT_RESTRICTED),
    (550, "5.1.8", Stage.MAIL, Outcome.ACCOUNT_RESTRICTED),
    (552, "5.2.2", Stage.RCPT, Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE),
    (552, "", Stage.RCPT, Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE),
    (552, "5.3.4", Stage.MAIL, Outcome.MESSAGE_REJECTED),
    (552, "", Stage.DATA, Outcome.MESSAGE_REJECTED),
    (554, "5.6.0", Stage.DATA, Outcome.MESSAGE_REJECTED),
    (554, "5.7.1", Stage.DATA, Outcome.MESSAGE_REJECTED),
    (550, "5.7.26", Stage.DATA, Outcome.ACCOUNT_RESTRICTED),
    (550, "5.7.606", Stage.RCPT, Outcome.ACCOUNT_RESTRICTED),
    (535, "5.7.8", Stage.SIGN_IN, Outcome.CREDENTIAL),
    (530, "", Stage.MAIL, Outcome.CREDENTIAL),
    (421, "", Stage.DATA, Outcome.THROTTLED),
    (450, "4.7.28", Stage.RCPT, Outcome.THROTTLED),
    (452, "4.5.3", Stage.RCPT, Outcome.THROTTLED),
    (452, "4.2.2", Stage.RCPT, Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE),
    (451, "", Stage.DATA, Outcome.TRANSIENT),
    (250, "2.0.0", Stage.DATA, Outcome.ACCEPTED),
]


@pytest.mark.parametrize("code, enhanced, stage, outcome", CODES)
def test_a_code_means(code: int, enhanced: str, stage: Stage, outcome: Outcome) -> None:
    """The table of docs/channels.md, section e-mail."""
    assert classify(Reply(code, enhanced), stage) is outcome


@pytest.mark.parametrize(
    "octets", [b"hello\r\n", b"25 x\r\n", b"\r\n", b"250-a\r\nx\r\n", b"x" * 5000, b"250-" + b"y" * 5000 + b"\r\n"]
)
def test_what_is_no_reply_is_refused(octets: bytes) -> None:
    with pytest.raises(ProtocolError):
        take_reply(bytearray(octets))


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_reading_a_reply_ends(octets: bytes) -> None:
    try:
        reply = take_reply(bytearray(octets))
    except ProtocolError:
        return
    assert reply is None or 200 <= reply.code <= 599


# the house


def test_the_address_is_made_canonical() -> None:
    assert SMTP.normalise(" Ann@Exämple.FR ") == "ann@xn--exmple-cua.fr"
    with pytest.raises(InvalidInput):
        SMTP.normalise("a@b.fr\r\nBcc: x@y")


def test_neither_secret_nor_address_shows_anywhere(
    fake: FakeMail, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    chosen = account(fake)
    sender = SMTP.sender(chosen)
    shown: list[object] = [chosen.secrets.keys(), sender, mail(), sender.prepare(mail()), SMTP.check(chosen)]
    for local in BY_RECIPIENT:
        shown += send(sender, mail(f"{local}+secret-person@example.com"))
    fake.rules.answers["RCPT"] = b"550 5.1.1 secret-person is not here"
    shown += send(sender, mail("x+secret-person@example.com"))
    shown += [sender, fake, fake.messages()]
    sender.close()
    printed = capfd.readouterr()
    everything = "\n".join([*map(repr, shown), *map(str, shown), caplog.text, printed.out, printed.err])
    for secret in (LOGIN[1], PERSON, "secret-person", "Hello Ann"):
        assert secret not in everything
