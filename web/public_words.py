"""Words of the pages for customers, in all their languages; what is said to staff too stands here once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babel import Locale, UnknownLocaleError

from web.language import _, _l, language

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
#: What can be chosen, field by field.
PARTS_OF_DAY = {
    "": _l("At any hour"),
    "morning": _l("In the morning"),
    "afternoon": _l("In the afternoon"),
    "evening": _l("In the evening"),
}
RESTS = {
    "": _l("As they come"),
    "7": _l("At most one a week"),
    "14": _l("At most one in two weeks"),
    "30": _l("At most one a month"),
}
FIELDS = {
    "language": _l("Language of the messages"),
    "preferred_channel": _l("Where you like to read us"),
    "part_of_day": _l("When you like to hear from us"),
    "rest_days": _l("How often"),
    "interests": _l("What interests you"),
}
#: What was asked about one's data, and how far it is.
ASKED = {
    "access": _l("You asked for your data"),
    "portability": _l("You asked for your data to take along"),
    "rectification": _l("You asked for a correction"),
    "erasure": _l("You asked to be erased"),
    "objection": _l("You objected"),
    "restriction": _l("You asked us to hold your data"),
}
PROGRESS = {"done": _l("Answered."), "refused": _l("Refused; we have told you why.")}
#: What came of an act.
DONE = {
    "stopped": _l("Done. It is stopped."),
    "agreed": _l("Done. You get these messages."),
    "asked": _l("We have sent a question there. It counts once you press the button behind its link."),
    "asked_for": _l("Done. We have noted it; you see below by when we answer."),
    "kept": _l("Done. We keep to it."),
    "paused": _l("Done. You get no offers or news until then."),
    "resumed": _l("Done. The pause is over."),
    "bad_date": _l("Choose a day from tomorrow on, within a year."),
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


def preference(field: str, value: Any, labels: Mapping[str, str]) -> str:
    """Return a preference as a person reads it; *labels* names the interests."""
    if field == "interests":
        return ", ".join(labels.get(key, key) for key in sorted(value or ())) or "–"
    said = str(value or "")
    if field == "language":
        return tongue(said) if said else str(_("As we know it"))
    if field == "preferred_channel":
        return channel_title(said) if said else str(_("Any"))
    if field == "part_of_day":
        return str(PARTS_OF_DAY.get(said, said))
    return str(RESTS.get(said) or _("At most one in %(days)s days", days=said))


def tongue(code: str) -> str:
    """Return a language's name in itself."""
    try:
        name = Locale.parse(code.replace("-", "_")).language_name
    except (ValueError, UnknownLocaleError):
        name = None
    return str(name or code).capitalize()
