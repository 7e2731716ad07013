"""What we say by ourselves: one confirmation of a stop, one of a start, and who we are. Never any marketing.

Sources: 47 CFR 64.1200(a)(12) (one confirmation, within five minutes, no marketing), CTIA (HELP always answers).
"""

from __future__ import annotations

from enum import StrEnum


class ReplyKind(StrEnum):
    STOPPED = "stopped"
    STARTED = "started"
    HELP = "help"
    CONFIRM = "confirm"


TEXTS: dict[ReplyKind, dict[str, str]] = {
    ReplyKind.STOPPED: {
        "en": "{brand}: you will get no more offers from us here. Reply START if you change your mind.",
        "fr": "{brand} : vous ne recevrez plus d'offres de notre part ici. Répondez START si vous changez d'avis.",
    },
    ReplyKind.STARTED: {
        "en": "{brand}: you will get our messages here again. Reply STOP at any time to end them.",
        "fr": "{brand} : vous recevrez de nouveau nos messages ici. Répondez STOP à tout moment pour les arrêter.",
    },
    ReplyKind.HELP: {
        "en": "{brand}: {contact} Reply STOP to get no more messages.",
        "fr": "{brand} : {contact} Répondez STOP pour ne plus recevoir de messages.",
    },
    ReplyKind.CONFIRM: {
        "en": "{brand}: reply YES to agree to the following, or ignore this message. {wording}",
        "fr": "{brand} : répondez OUI pour accepter ce qui suit, ou ignorez ce message. {wording}",
    },
}


def reply(kind: ReplyKind, language: str | None, **values: str) -> str:
    """Return our own words in *language*, English where we do not speak it."""
    texts = TEXTS[kind]
    spoken = (language or "en").split("-")[0].lower()
    return " ".join(texts.get(spoken, texts["en"]).format(**values).split())
