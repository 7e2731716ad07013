"""E-mail by SMTP: any server that takes mail, with kept-alive connections and pipelining.

A call starts with MAIL FROM; connecting, TLS and signing in come before. What a reply means is in ``smtp_replies``,
what a broken line means in ``smtp_dialogue``. Replies and bounces come in by ``mailbox``.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import time
from collections.abc import Callable, Sequence

from broadcaster.channels import mailbox
from broadcaster.channels.contract import (
    AccountConfig,
    Capabilities,
    CheckResult,
    Field,
    WebhookAnswer,
    WebhookRequest,
)
from broadcaster.channels.dkim import Signer
from broadcaster.channels.mime import Letterhead, build, message_id, require_address, require_header_value
from broadcaster.channels.smtp_dialogue import Connection, Letter
from broadcaster.channels.smtp_sender import Limits, SmtpSender
from broadcaster.channels.smtp_wire import Access
from broadcaster.core import addresses
from broadcaster.core.deliveries import Outcome
from broadcaster.core.errors import InvalidInput, MessageRejected, Misconfigured
from broadcaster.core.messages import CallResult, ChannelEvent, Outbound

MESSAGE_OCTETS_MAX = 5_000_000
TEXT_MAX = 100_000  #: characters; mail readers cut longer ones (Gmail at 102 kB)

_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")

FIELDS = (
    Field("host", "Mail server", help="such as smtp.example.org"),
    Field("port", "Port", default="587"),
    Field("security", "Encryption", default="starttls", choices=("starttls", "tls", "none")),
    Field("username", "User name", required=False, help="empty: the server takes mail without signing in"),
    Field("password", "Password", secret=True, required=False),
    Field("from_name", "Sender's name", required=False),
    Field("from_address", "Sender's address"),
    Field("reply_to", "Answers go to", required=False, help="empty: the sender's address"),
    Field("bounce_domain", "Domain for bounces", required=False, help="bounces go to bounce+...@ this domain"),
    Field("dkim_domain", "DKIM domain", required=False, help="empty: the server signs, or nobody does"),
    Field("dkim_selector", "DKIM selector", required=False),
    Field("dkim_private_key", "DKIM private key (PEM)", secret=True, required=False),
    Field("connections", "Connections at a time", required=False, default="10"),
    Field("letters_per_connection", "Mails per connection", required=False, default="1000"),
    Field("helo_name", "Our name towards the server", required=False, help="empty: the sender's domain"),
    Field("tls_authority", "Certificate to trust (PEM)", required=False, help="for a server with its own certificate"),
    Field("connect_seconds", "Time to connect (s)", required=False, default="20"),
    Field("command_seconds", "Time to answer a command (s)", required=False, default="120"),
    Field("final_seconds", "Time to take a mail (s)", required=False, default="600"),
    *mailbox.FIELDS,
)


class Smtp:
    """The e-mail channel over SMTP and IMAP."""

    capabilities = Capabilities(
        channel="email",
        address_kind="email",
        address_scope="global",
        text_max=TEXT_MAX,
        receipts=False,  # bounces come, but nobody reports a mail as delivered: silence means nothing
        polls=True,
        needs_html=True,
        trusted_clock=False,  # the Date header
    )
    fields: Sequence[Field] = FIELDS

    def normalise(self, address: str, *, region: str | None = None) -> str:
        """Return the canonical form of an address. Raises InvalidInput."""
        return addresses.normalise_email(address)

    def sender(self, account: AccountConfig) -> SmtpSender:
        """Return a line to the account's server. Raises Misconfigured."""
        limits = Limits(
            connections=min(_number(account, "connections", 1, 200), max(1, account.concurrency)),
            letters_per_connection=_number(account, "letters_per_connection", 1, 1_000_000),
        )
        return SmtpSender(_access(account), _number(account, "port", 1, 65535), limits, writer(account))

    def check(self, account: AccountConfig) -> CheckResult:
        """Connect, go over to TLS, sign in, and say what the server offers."""
        try:
            sender = self.sender(account)
        except Misconfigured as error:
            return CheckResult(False, problems=(error.message,))
        try:
            sender.warm(1)
            connection = sender.first_ready()
            if connection is None:
                return CheckResult(False, problems=(_explain(sender.failure),))
            problems = tuple(_warnings(account, connection))
            return CheckResult(True, "The server offers: " + ", ".join(sorted(connection.features)), problems)
        finally:
            sender.close()

    def parse_webhook(self, account: AccountConfig, request: WebhookRequest) -> Sequence[ChannelEvent]:
        """Refuse: plain SMTP has no webhook."""
        raise InvalidInput("This channel has no webhook; answers come in through its mailbox.", code="no_webhook")

    def webhook_answer(self, account: AccountConfig, events: Sequence[ChannelEvent]) -> WebhookAnswer:
        return WebhookAnswer()

    def poll(self, account: AccountConfig, cursor: str) -> tuple[Sequence[ChannelEvent], str]:
        """Fetch new mail from the account's mailbox; nothing when none is configured."""
        return mailbox.poll(account, cursor)


def setting(account: AccountConfig, name: str) -> str:
    """Return a setting of the account, or its default."""
    value = account.settings.get(name, "").strip()
    return value or next((field.default for field in FIELDS if field.name == name), "")


def _number(account: AccountConfig, name: str, low: int, high: int) -> int:
    text = setting(account, name)
    if not (text.isascii() and text.isdigit() and len(text) < 12 and low <= int(text) <= high):
        raise Misconfigured(f"The setting {name} must be a whole number from {low} to {high}.", code="setting")
    return int(text)


def _access(account: AccountConfig) -> Access:
    """Return how to reach the account's server. Raises Misconfigured."""
    host, security = setting(account, "host"), setting(account, "security")
    helo = setting(account, "helo_name") or letterhead(account).message_domain
    if _HOST.fullmatch(host) is None or _HOST.fullmatch(helo) is None:
        raise Misconfigured("The mail server's name, or ours, is not a host name.", code="setting")
    if security not in ("starttls", "tls", "none"):
        raise Misconfigured("The encryption must be starttls, tls or none.", code="setting")
    return Access(
        host=host,
        security=security,
        helo=helo,
        tls=None if security == "none" else _tls(setting(account, "tls_authority")),
        username=setting(account, "username"),
        password=account.secrets.get("password", ""),
        trusted_line=_on_this_machine(host),
        connect_seconds=_number(account, "connect_seconds", 1, 300),
        command_seconds=_number(account, "command_seconds", 1, 600),
        final_seconds=_number(account, "final_seconds", 1, 3600),
    )


def _tls(authority: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=authority or None)
    except (ssl.SSLError, ValueError):
        raise Misconfigured("The certificate to trust is not a PEM certificate.", code="setting") from None


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def letterhead(account: AccountConfig) -> Letterhead:
    """Return who the account's mail is from. Raises Misconfigured."""
    sender = Letterhead(setting(account, "from_address"), setting(account, "from_name"), setting(account, "reply_to"))
    try:
        require_header_value(sender.from_name)
        for address in filter(None, (sender.from_address, sender.reply_to)):
            require_address(address)
            if not address.isascii():
                raise MessageRejected("not ASCII")
        require_address(sender.from_address)
    except MessageRejected:
        raise Misconfigured("The sender's name or address cannot be written into a mail.", code="setting") from None
    return sender


def writer(account: AccountConfig) -> Callable[[Outbound], Letter]:
    """Return what turns an Outbound into a letter of this account. Raises Misconfigured."""
    sender = letterhead(account)
    key = account.secrets.get("dkim_private_key", "")
    signer = Signer(setting(account, "dkim_domain"), setting(account, "dkim_selector"), key) if key.strip() else None
    bounces = setting(account, "bounce_domain")
    if bounces and _HOST.fullmatch(bounces) is None:
        raise Misconfigured("The domain for bounces is not a domain name.", code="setting")

    def write(outbound: Outbound) -> Letter:
        if outbound.media or outbound.buttons:
            raise MessageRejected("E-mail carries links and pictures inside its HTML only.", code="not_expressible")
        if len(outbound.text) > TEXT_MAX:
            raise MessageRejected(f"The text is longer than {TEXT_MAX} characters.", code="too_long")
        now = time.time()
        octets = build(sender, outbound, now)
        if signer is not None:
            octets = signer.sign(octets, now) + octets
        if len(octets) > MESSAGE_OCTETS_MAX:
            raise MessageRejected(f"The mail is larger than {MESSAGE_OCTETS_MAX} octets.", code="too_large")
        return Letter(
            sender=f"bounce+{outbound.reference}@{bounces}" if bounces else sender.from_address,
            recipient=outbound.to,
            data=wire_form(octets),
            message_id=message_id(outbound.reference, sender.message_domain),
            size=len(octets),
            utf8=not outbound.to.isascii(),
        )

    return write


def wire_form(message: bytes) -> bytes:
    """Return *message* as DATA carries it: CRLF only, leading dots doubled, the final dot added (RFC 5321, 4.5.2).

    A bare CR or LF never leaves: with it, one mail could become two at a careless server (SMTP smuggling).
    """
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        message = _BARE_LINE_END.sub(b"\r\n", message)
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    message = message.replace(b"\r\n.", b"\r\n..")
    if message.startswith(b"."):
        message = b"." + message
    return message + b".\r\n"


_EXPLAINED = {
    "host_unknown": "The mail server's name is not known.",
    "tls_certificate": "The mail server's certificate is not trusted, or is not for this name.",
    "starttls_missing": "The mail server does not offer STARTTLS; nothing is sent in clear text.",
    "auth_missing": "The mail server offers no way to sign in that we know (PLAIN, LOGIN).",
    "auth_without_tls": "Without encryption the password would be readable on the way; it is not sent.",
    "timeout": "The mail server did not answer in time.",
    "connection_lost": "The mail server could not be reached, or closed the connection.",
    "connect": "The mail server could not be reached.",
    "tls": "Encryption could not be agreed upon; perhaps the port belongs to the other kind.",
    "protocol": "What answers there is not a mail server.",
}


def _explain(failure: CallResult | None) -> str:
    code = "timeout" if failure is None else failure.provider_code or ""
    if code in _EXPLAINED:
        return _EXPLAINED[code]
    if failure is not None and failure.outcome is Outcome.CREDENTIAL:
        return f"The mail server refused the user name or the password ({code})."
    return f"The mail server refused us ({code})."


def _warnings(account: AccountConfig, connection: Connection) -> list[str]:
    problems = []
    if not connection.encrypted:
        problems.append("The connection is not encrypted: mail and addresses can be read on the way.")
    if not account.secrets.get("dkim_private_key", "").strip():
        problems.append("Mail is not signed here (DKIM): make sure that the mail server signs it.")
    return problems
