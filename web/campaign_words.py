"""Campaigns in the reader's language: states, what each button does, what is in the way of a launch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import flask_babel  # type: ignore[import-untyped]

from broadcaster.core.templates_lint import Problem
from web.language import _, _l, number

STATES = {
    "draft": (_l("draft"), "secondary"),
    "scheduled": (_l("scheduled"), "azure"),
    "running": (_l("running"), "blue"),
    "paused": (_l("paused"), "yellow"),
    "finished": (_l("finished"), "green"),
    "cancelled": (_l("cancelled"), "secondary"),
}
#: Filter of the list -> its label and the states it shows.
FILTERS = {
    "": (_l("All"), ()),
    "draft": (_l("Drafts"), ("draft",)),
    "scheduled": (_l("Scheduled"), ("scheduled",)),
    "running": (_l("Under way"), ("running", "paused")),
    "done": (_l("Done"), ("finished", "cancelled")),
}
#: Delivery state -> colour and label of its part of the bar, in order.
BAR = {
    "accepted": ("green", _l("handed over")),
    "dispatching": ("blue", _l("on the wire")),
    "planned": ("azure", _l("waiting for their time")),
    "held": ("azure", _l("held")),
    "unknown": ("yellow", _l("outcome unknown")),
    "failed": ("red", _l("failed")),
    "skipped": ("secondary", _l("not sent, with a reason")),
}
#: What to call a problem the dry run or a launch finds, by code; the rest keep their own words.
PROBLEMS = {
    "nobody_to_send": _l("Nobody would get this message. The reasons below say why."),
    "missing_field": _l("Some people lack a value the template prints: give it a default, or they are left out."),
    "language_fallback": _l("Some people get it in another language than theirs."),
    "not_after_too_early": _l("The senders are too slow to send everything before “not after”; the rest would expire."),
    "in_the_past": _l("This moment lies in the past."),
    "too_far": _l("This is more than two years away."),
    "archived": _l("The audience or the template has been put away."),
    "no_account": _l("Choose a sender that exists."),
    "channel_not_ready": _l("A sender is paused, on hold or switched off."),
    "no_template": _l("The template says nothing for one of the channels."),
    "purpose": _l("Choose a purpose people can agree to."),
    "brand_missing": _l("The message does not say who writes: name the brand."),
    "postal_address_missing": _l("The message does not say where you are: give the postal address of the brand."),
    "optout_missing": _l("The message does not say how to stop: give a link or the word STOP."),
    "many_parts": _l("The SMS may take several parts, each of which is paid for."),
    "image_without_alt": _l("A picture has no alternative text."),
    "link_local": _l("A link leads to this machine or a private network."),
    "link_insecure": _l("A link is not https."),
    "not_carried": _l("This channel carries neither a subject nor HTML."),
    "too_many_buttons": _l("There are more buttons than this channel carries."),
    "media_not_carried": _l("This channel does not carry this kind of file."),
    "too_long": _l("The text is longer than this channel carries."),
    "empty": _l("Something is empty that must be said: the text, or the subject of an e-mail."),
}
#: A field a launch needs -> what is missing.
REQUIRED = {
    "audience": _l("No audience has been chosen yet."),
    "template": _l("No template has been chosen yet."),
    "channels": _l("No sender has been chosen yet."),
}
DECISIONS = {
    "leave": (_l("Leave as it is"), _l("It stays unknown and is never sent again by itself.")),
    "delivered": (_l("They got it"), _l("Count it as handed over.")),
    "lost": (_l("They did not get it"), _l("Count it as failed; nothing is sent.")),
    "resend": (_l("Send again"), _l("They may get it twice. Consent is asked once more before it leaves.")),
}

OUTCOMES = {
    "accepted": _l("taken by the provider"),
    "recipient_unreachable": _l("nobody is there"),
    "recipient_opted_out": _l("the person has blocked us"),
    "recipient_temporarily_unavailable": _l("nobody there at present"),
    "window_closed": _l("the window for replies is closed"),
    "frequency_capped": _l("the provider’s own limit for this person"),
    "message_rejected": _l("the provider refused the message"),
    "throttled": _l("the provider asked us to wait"),
    "quota_exhausted": _l("the quota is used up"),
    "credential": _l("the provider refused our password or key"),
    "account_restricted": _l("the provider has restricted the account"),
    "transient": _l("did not work, is tried again"),
    "unknown": _l("no answer came"),
    "not_started": _l("was not started"),
}


def outcome(name: str | None) -> str:
    """Say what one call came to."""
    return str(OUTCOMES.get(name or "", name or "–"))


def problem(one: Problem) -> str:
    """Say what stands in the way of a launch, or is worth a look."""
    if one.code == "required" and one.field in REQUIRED:
        return str(REQUIRED[one.field])
    return str(PROBLEMS.get(one.code, one.message))


def state(name: str) -> tuple[str, str]:
    """Return label and colour of a campaign's state."""
    return STATES.get(name, (name, "secondary"))


def bar(states: Mapping[str, int], more: int = 0) -> list[tuple[int, str, str]]:
    """Return the parts of a bar; *more*: people not looked at yet."""
    parts = [(states.get(name, 0), tone, str(label)) for name, (tone, label) in BAR.items()]
    return [*parts, (more, "azure", _("not looked at yet"))]


def total(states: Mapping[str, int]) -> str:
    """Return the sum in words: ``7 = 5 handed over + 2 not sent, with a reason``."""
    parts = [f"{number(count)} {label}" for count, _tone, label in bar(states) if count]
    return f"{number(sum(states.values()))} = {' + '.join(parts) or '0'}"


def lasting(start: datetime | None, end: datetime | None) -> str:
    """Return how long something takes."""
    if start is None or end is None:
        return ""
    return str(flask_babel.format_timedelta(max(end - start, timedelta(seconds=1)), threshold=1.2))
