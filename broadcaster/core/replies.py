"""What we say by ourselves: one confirmation of a stop, one of a start, and who we are. Never any marketing.

Sources: 47 CFR 64.1200(a)(12) (one confirmation, within five minutes, no marketing), CTIA (HELP always answers).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

#: A word of an answer: as it is, or by language.
Word = str | Mapping[str, str]


class ReplyKind(StrEnum):
    STOPPED = "stopped"
    STOPPED_TOPIC = "stopped_topic"
    STOPPED_CHANNELS = "stopped_channels"
    STOPPED_EVERYWHERE = "stopped_everywhere"
    STARTED = "started"
    HELP = "help"
    CONFIRM = "confirm"


TEXTS: dict[ReplyKind, dict[str, str]] = {
    ReplyKind.STOPPED: {
        "en": "{brand}: you will get no more offers from us here. Reply START if you change your mind.",
        "fr": "{brand} : vous ne recevrez plus d'offres de notre part ici. Répondez START si vous changez d'avis.",
    },
    ReplyKind.STOPPED_TOPIC: {
        "en": "{brand}: you will get no more messages about “{topic}” here. Reply STOP to end all our offers.",
        "fr": "{brand} : vous ne recevrez plus ici de messages « {topic} »."
        " Répondez STOP pour arrêter toutes nos offres.",
    },
    ReplyKind.STOPPED_CHANNELS: {
        "en": "{brand}: you will get no more offers from us by {channels}.",
        "fr": "{brand} : vous ne recevrez plus d'offres de notre part par {channels}.",
    },
    ReplyKind.STOPPED_EVERYWHERE: {
        "en": "{brand}: you will get no more offers from us, on any channel. Reply START to get them here again.",
        "fr": "{brand} : vous ne recevrez plus d'offres de notre part, sur aucun canal."
        " Répondez START pour les recevoir ici de nouveau.",
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


#: Channels within a sentence, the same in all the languages we speak: "by e-mail".
CHANNELS = {"email": "e-mail", "sms": "SMS", "telegram": "Telegram", "whatsapp": "WhatsApp"}


def reply(kind: ReplyKind, language: str | None, **values: Word) -> str:
    """Return our own words in *language*, English where we do not speak it."""
    texts = TEXTS[kind]
    spoken = (language or "en").split("-")[0].lower()
    told = {name: _in(spoken, word) for name, word in values.items()}
    return " ".join(texts.get(spoken, texts["en"]).format(**told).split())


def _in(spoken: str, word: Word) -> str:
    return word if isinstance(word, str) else word.get(spoken) or word.get("en") or next(iter(word.values()), "")
