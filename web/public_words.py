"""Words of the pages for customers, in all their languages; what is said to staff too stands here once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web.language import _l, language

CHANNELS = {
    "email": _l("E-mail"),
    "sms": _l("SMS"),
    "telegram": "Telegram",
    "whatsapp": "WhatsApp",
}
#: Within a sentence: "by e-mail".
_IN_A_SENTENCE = {**CHANNELS, "email": _l("e-mail")}
#: Where a purpose stands, said to the person.
STANDINGS = {
    None: _l("You do not get these."),
    "pending": _l("Waits for you to confirm."),
    "granted": _l("You get these."),
    "withdrawn": _l("Stopped."),
    "objected": _l("Stopped."),
    "expired": _l("Your consent has run out."),
    "restricted": _l("On hold."),
}
#: What they did, in the history.
ACTIONS = {
    "requested": _l("You were asked to confirm"),
    "granted": _l("You agreed"),
    "confirmed": _l("You confirmed"),
    "withdrawn": _l("You stopped this"),
    "objected": _l("You objected"),
    "expired": _l("Your consent ran out"),
    "restricted": _l("Messages were put on hold"),
    "released": _l("The hold ended"),
}
#: By which way we know.
WAYS = {
    "web_form": _l("in a form"),
    "keyword": _l("by a message"),
    "one_click": _l("by the link in a message"),
    "preference_page": _l("on this page"),
    "import": _l("told by a list"),
    "api": _l("told by a programme"),
    "call": _l("by telephone"),
    "shop": _l("in a shop"),
    "paper": _l("on paper"),
    "complaint": _l("by marking a message as unwanted"),
    "provider": _l("in the messaging app"),
}
#: Groups of purposes, where somebody stopped a whole group.
GROUPS = {"all": _l("Everything"), "marketing": _l("All offers and news"), "service": _l("All service messages")}
#: What came of an act.
DONE = {
    "stopped": _l("Done. It is stopped."),
    "agreed": _l("Done. You get these messages."),
    "asked": _l("We have sent a question there. It counts once you press the button behind its link."),
    "changed": _l("These words have changed meanwhile. Please read them again."),
}


def channel_name(channel: str) -> str:
    return str(_IN_A_SENTENCE.get(channel, channel))


def channel_title(channel: str) -> str:
    return str(CHANNELS.get(channel, channel))


def label(labels: Mapping[str, Any], language_code: str | None = None) -> str:
    """Return a purpose's name in a language (the reader's), else in any."""
    wanted = language_code or language()
    return str(labels.get(wanted) or labels.get("en") or next(iter(labels.values()), ""))


def purpose_name(purpose: Any, language_code: str) -> str:
    """Return what a purpose is called; groups of them have names of ours."""
    return str(GROUPS.get(purpose.key) or label(purpose.label, language_code))
