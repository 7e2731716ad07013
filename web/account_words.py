"""Sender accounts in the reader's language: providers, states, the labels of their settings, what a check found."""

from __future__ import annotations

from broadcaster.channels.contract import Field
from web import vocabulary
from web.language import _l

PROVIDERS = {
    "sandbox": (
        _l("Sandbox"),
        _l("Any channel without an account anywhere: sends nothing, what would have gone out stands in the outbox."),
        "flask",
    ),
    "smtp": (_l("E-mail (SMTP)"), _l("Any mail server; answers and bounces are read from a mailbox."), "mail"),
    "telegram": (_l("Telegram bot"), _l("People start a chat with your bot first."), "brand-telegram"),
    "twilio": (_l("SMS by Twilio"), _l("A number or a messaging service at Twilio."), "device-mobile"),
}
STATES = {
    "active": (_l("active"), "green"),
    "paused": (_l("paused"), "yellow"),
    "held": (_l("on hold"), "red"),
    "disabled": (_l("switched off"), "secondary"),
}
#: Why an account is held -> what happened, what to do.
HELD = {
    "credential": (
        _l("The provider no longer accepts the password or key."),
        _l("Enter a new one, press “Check”, then resume."),
    ),
    "account_restricted": (
        _l("The provider has restricted this account."),
        _l("Ask the provider why, put it right, press “Check”, then resume."),
    ),
    "quota_exhausted": (
        _l("The provider’s quota or balance is used up."),
        _l("Raise the quota or top up the balance there, then resume."),
    ),
}
HELD_OTHER = (_l("The provider refused us."), _l("Press “Check” to see why, put it right, then resume."))

CHOICES = {
    "starttls": _l("STARTTLS"),
    "tls": _l("TLS from the start"),
    "none": _l("none (only on this machine)"),
    "twilio": _l("Twilio"),
    "us": _l("we do"),
}
#: Labels and hints of the settings, as the channels write them -> in the reader's language.
WORDS = {
    "Mail server": _l("Mail server"),
    "such as smtp.example.org": _l("such as smtp.example.org"),
    "Port": _l("Port"),
    "Encryption": _l("Encryption"),
    "User name": _l("User name"),
    "empty: the server takes mail without signing in": _l("empty: the server takes mail without signing in"),
    "Password": _l("Password"),
    "Sender's name": _l("Sender's name"),
    "Sender's address": _l("Sender's address"),
    "Answers go to": _l("Answers go to"),
    "empty: the sender's address": _l("empty: the sender's address"),
    "Domain for bounces": _l("Domain for bounces"),
    "bounces go to bounce+...@ this domain": _l("bounces go to bounce+...@ this domain"),
    "DKIM domain": _l("DKIM domain"),
    "empty: the server signs, or nobody does": _l("empty: the server signs, or nobody does"),
    "DKIM selector": _l("DKIM selector"),
    "DKIM private key (PEM)": _l("DKIM private key (PEM)"),
    "Connections at a time": _l("Connections at a time"),
    "Mails per connection": _l("Mails per connection"),
    "Our name towards the server": _l("Our name towards the server"),
    "empty: the sender's domain": _l("empty: the sender's domain"),
    "Certificate to trust (PEM)": _l("Certificate to trust (PEM)"),
    "for a server with its own certificate": _l("for a server with its own certificate"),
    "Time to connect (s)": _l("Time to connect (s)"),
    "Time to answer a command (s)": _l("Time to answer a command (s)"),
    "Time to take a mail (s)": _l("Time to take a mail (s)"),
    "Mailbox: server": _l("Mailbox: server"),
    "empty: answers by mail are not read": _l("empty: answers by mail are not read"),
    "Mailbox: port": _l("Mailbox: port"),
    "Mailbox: encryption": _l("Mailbox: encryption"),
    "Mailbox: user name": _l("Mailbox: user name"),
    "Mailbox: password": _l("Mailbox: password"),
    "Mailbox: folder": _l("Mailbox: folder"),
    "Account SID": _l("Account SID"),
    "AC and 32 hexadecimal digits.": _l("AC and 32 hexadecimal digits."),
    "Sender": _l("Sender"),
    "A number (+15550100), a name, or a messaging service (MG...).": _l(
        "A number (+15550100), a name, or a messaging service (MG...)."
    ),
    "Auth token": _l("Auth token"),
    "Signs the callbacks; also signs in without an API key.": _l(
        "Signs the callbacks; also signs in without an API key."
    ),
    "Previous auth token": _l("Previous auth token"),
    "API key SID": _l("API key SID"),
    "API key secret": _l("API key secret"),
    "Who answers STOP": _l("Who answers STOP"),
    "twilio: its own opt-out handling is on, as by default; us: it was switched off for this sender.": _l(
        "Twilio: its own opt-out handling is on, as by default. We do: it was switched off for this sender."
    ),
    "Bot token": _l("Bot token"),
    "Bot's name": _l("Bot's name"),
    "for links to the bot: t.me/...": _l("for links to the bot: t.me/..."),
    "From @BotFather: digits, a colon, letters.": _l("From @BotFather: digits, a colon, letters."),
    "Webhook secret": _l("Webhook secret"),
    "1-256 of A-Z a-z 0-9 _ -": _l("1-256 of A-Z a-z 0-9 _ -"),
    "Previous webhook secret": _l("Previous webhook secret"),
}


def said(text: str) -> str:
    """Return a label or hint of a channel in the reader's language; an unknown one as it is."""
    return str(WORDS.get(text, text))


def channel(name: str) -> str:
    return vocabulary.said(vocabulary.CHANNELS, name)


def provider(name: str) -> str:
    known = PROVIDERS.get(name)
    return name if known is None else str(known[0])


def held(reason: str) -> tuple[str, str]:
    """Return what happened to a held account, and what to do."""
    happened, todo = HELD.get(reason, HELD_OTHER)
    return str(happened), str(todo)


def choices(field: Field) -> list[tuple[str, str]]:
    """Return what a setting may be, for a list to choose from."""
    return [(one, str(CHOICES.get(one, one))) for one in field.choices]


def value(field: Field, told: str) -> str:
    """Return what a setting is, as its list of choices says it."""
    return dict(choices(field)).get(told, told)


#: Parts of the form, in order; the first has no title.
GROUPS = {
    "": "",
    "mailbox": _l("Answers and bounces: the mailbox"),
    "dkim": _l("Signature and bounces"),
    "fine": _l("Fine tuning"),
}
_FINE = frozenset(
    {"connections", "letters_per_connection", "helo_name", "tls_authority", "connect_seconds", "command_seconds"}
    | {"final_seconds", "auth_token_previous", "webhook_secret_previous", "stop_handling"}
)


def group(field: Field) -> str:
    """Return the part of the form a setting belongs to, a key of ``GROUPS``."""
    if field.name.startswith("imap_"):
        return "mailbox"
    if field.name.startswith("dkim_") or field.name == "bounce_domain":
        return "dkim"
    return "fine" if field.name in _FINE else ""
