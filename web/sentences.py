"""What the verifier and an account's check say, in the reader's language.

The inner rooms speak English and know no catalogue: their sentences are recognised here, with whatever number or name
stands in them. One that is not known stays as it is.
"""

from __future__ import annotations

import re

from web.language import _, marked

_VERIFIER = (
    marked("address %(id)s: the state is not what its events add up to"),
    marked("the trigger %(name)s is missing"),
    marked("%(count)s entries have had no number for more than %(seconds)s s"),
    marked("leaf %(place)s is missing"),
    marked("leaf %(place)s is not a leaf"),
    marked("the checkpoint speaks of %(told)s leaves, the log has %(size)s"),
    marked("checkpoint %(size)s: %(why)s"),
    marked("the tree of size %(size)s is not the one that was signed"),
    marked("leaf %(place)s cannot be opened and no erasure covers it"),
    marked("leaf %(place)s: the event is not what was committed to"),
    marked("leaf %(place)s: the row names another event than was committed to"),
    marked("consent event %(id)s cannot be opened and no erasure covers it"),
    marked("consent event %(id)s: the evidence is not what was committed to"),
    marked("consent event %(id)s: the row says something else than was committed to"),
    marked("the consent events of entry %(id)s are missing"),
    marked("send %(id)s has lost its salt and no erasure covers it"),
    marked("send %(id)s: the row is not what was committed to"),
    marked("the sends of entry %(id)s are missing"),
    marked("the erasure of entry %(id)s does not cover what is missing"),
    marked("the %(kind)s leaf of entry %(id)s does not cover its items"),
    marked("the %(kind)s items of entry %(id)s stand under no leaf of theirs"),
    marked("consent"),
    marked("send"),
    marked("the signature on this checkpoint is wrong"),
    marked("no known key has signed this checkpoint"),
    marked("this is not a signed note"),
    marked("this note has too many signatures"),
    marked("a signature line of this note is malformed"),
    marked("a checkpoint has an origin, a size and a root"),
    marked("the size or the root of this checkpoint is malformed"),
    marked("the text of a note is whole lines without control characters"),
    marked("the text of a note is Unicode"),
)
_CHECKS = (
    marked("the sender %(name)s: %(why)s"),
    marked("no marketing from numbers that begin with %(begins)s (%(place)s: %(source)s); use: %(use)s"),
    marked("no marketing from numbers that begin with %(begins)s (%(place)s: %(source)s)"),
    marked("short code 36xxx; 38xxx for transactional messages"),
    marked("messages go to the sandbox outbox and reach nobody"),
    marked("signed in"),
    marked("The server offers: %(what)s"),
    marked("the setting %(name)s is empty or holds characters that cannot be sent"),
    marked("the setting sender is empty"),
    marked("Twilio does not accept the account SID with this credential"),
    marked("Twilio did not answer (%(why)s)"),
    marked("the account is not active"),
    marked("without a public URL neither replies (STOP) nor receipts reach us"),
    marked("Telegram does not know this bot token"),
    marked("a webhook is set for this bot: updates are pushed and cannot be polled"),
    marked("Telegram refused the parameters of %(method)s"),
    marked("Telegram did not answer %(method)s (%(why)s)"),
    marked("Telegram sends updates to another address than the configured one"),
    marked("the webhook does not deliver all updates we need (blocked bots would go unnoticed)"),
    marked("Telegram's last call of the webhook failed"),
    marked("Telegram's answer was not a list of updates"),
    marked("the webhook secret must be 1-256 of A-Z a-z 0-9 _ -"),
    marked("The mail server's name is not known."),
    marked("The mail server's certificate is not trusted, or is not for this name."),
    marked("The mail server does not offer STARTTLS; nothing is sent in clear text."),
    marked("The mail server offers no way to sign in that we know (PLAIN, LOGIN)."),
    marked("Without encryption the password would be readable on the way; it is not sent."),
    marked("The mail server did not answer in time."),
    marked("The mail server could not be reached, or closed the connection."),
    marked("The mail server could not be reached."),
    marked("Encryption could not be agreed upon; perhaps the port belongs to the other kind."),
    marked("What answers there is not a mail server."),
    marked("The mail server refused the user name or the password (%(code)s)."),
    marked("The mail server refused us (%(code)s)."),
    marked("The connection is not encrypted: mail and addresses can be read on the way."),
    marked("Mail is not signed here (DKIM): make sure that the mail server signs it."),
    marked("The setting %(name)s must be a whole number from %(low)s to %(high)s."),
    marked("The mail server's name, or ours, is not a host name."),
    marked("The encryption must be starttls, tls or none."),
    marked("The certificate to trust is not a PEM certificate."),
    marked("The sender's name or address cannot be written into a mail."),
    marked("The domain for bounces is not a domain name."),
    marked("The DKIM domain or selector is not a domain name."),
    marked("The DKIM private key is not an unencrypted PEM key."),
    marked("The DKIM key has less than %(bits)s bits."),
    marked("The DKIM private key is neither RSA nor Ed25519."),
)


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%\\?\((\w+)\\?\)s", r"(?P<\1>.+?)", re.escape(sentence)), re.DOTALL)


_LAW = (
    marked("the law asks %(asks)s (%(place)s: %(source)s, %(date)s)"),
    marked("at least %(count)s years"),
    marked("at most %(count)s months"),
    marked("%(day)s at the latest"),
)


_KNOWN = [(_pattern(one), one) for one in (*_VERIFIER, *_CHECKS, *_LAW)]


def said(sentence: str) -> str:
    """Return a sentence in the reader's language, and so what is quoted in it."""
    for pattern, english in _KNOWN:
        found = pattern.fullmatch(sentence)
        if found is not None:
            return _(english, **{name: said(value) for name, value in found.groupdict().items()})
    return sentence
