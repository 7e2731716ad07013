"""The closed words of consent, channels and deliveries, as a person reads them; an unknown word shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babel import Locale
from flask import Flask

from web.language import _l, language
from web.public_words import CHANNELS as CHANNELS

CONTACT_KINDS = {
    "consumer": _l("Consumer"),
    "professional": _l("Professional"),
    "internal": _l("Working group"),
}
ACTIONS = {
    "requested": _l("Asked to confirm"),
    "granted": _l("Agreed"),
    "confirmed": _l("Confirmed"),
    "withdrawn": _l("Withdrew"),
    "objected": _l("Objected"),
    "expired": _l("Ran out"),
    "restricted": _l("Put on hold"),
    "released": _l("Hold ended"),
}
ACTION_TONES = {
    "granted": "green",
    "confirmed": "green",
    "withdrawn": "red",
    "objected": "red",
    "expired": "yellow",
    "restricted": "yellow",
}
SOURCES = {
    "web_form": _l("Web form"),
    "keyword": _l("Message from the person"),
    "one_click": _l("Link in a message"),
    "preference_page": _l("Preference page"),
    "import": _l("Import"),
    "api": _l("Programme"),
    "call": _l("Telephone"),
    "shop": _l("Shop"),
    "paper": _l("Paper"),
    "complaint": _l("Complaint"),
    "provider": _l("Provider"),
    "bounce": _l("Bounce"),
    "system": _l("This programme"),
    "staff": _l("Staff"),
    "undo": _l("Import taken back"),
}
ACTORS = {
    "person": _l("The person"),
    "staff": _l("Staff"),
    "system": _l("System"),
    "provider": _l("Provider"),
}
REASONS = {
    "no_consent": _l("No consent is known, and unknown means no."),
    "pending_confirmation": _l("Asked to confirm, not confirmed yet."),
    "withdrawn": _l("They withdrew this consent."),
    "objected": _l("They objected to being written to here."),
    "expired": _l("The consent has run out."),
    "restricted": _l("On hold: a review, a legal hold or a pause."),
    "no_basis": _l("The ground for writing does not hold for this person in their country."),
    "minor": _l("Below the age at which one's own consent counts in their country."),
    "suppressed": _l("This address must not be written to; only the person can change that."),
    "erased": _l("The person was erased."),
    "no_address": _l("No address on a channel of the campaign."),
    "duplicate_address": _l("Another contact of the campaign has the same address."),
    "excluded": _l("Excluded from the campaign."),
    "address_invalid": _l("The address is known not to work."),
    "unreachable": _l("The provider says nobody is there."),
    "temporarily_unreachable": _l("Tried several times; nobody there at present."),
    "provider_opt_out": _l("The provider says they blocked us."),
    "missing_field": _l("The message needs something we do not know of them."),
    "no_template": _l("No text for this channel and language."),
    "render_failed": _l("The message could not be composed."),
    "rejected": _l("The provider refused the message."),
    "no_time_zone": _l("Nothing says what time it is where they are."),
    "window_passed": _l("No permitted hour was left."),
    "frequency_cap": _l("They have had enough messages lately."),
    "window_closed": _l("The platform's window for replies is closed."),
    "no_account": _l("No usable sender on this channel."),
    "cancelled": _l("The campaign was cancelled first."),
    "gave_up": _l("Tried as often as allowed."),
    "parked": _l("Something went wrong three times; a person must look."),
    "lost": _l("Somebody decided that it was not delivered."),
}
STATES = {
    "planned": _l("planned"),
    "held": _l("waiting"),
    "dispatching": _l("being sent"),
    "accepted": _l("handed over"),
    "unknown": _l("outcome unknown"),
    "failed": _l("failed"),
    "skipped": _l("not sent"),
}
STATE_TONES = {"accepted": "green", "failed": "red", "unknown": "yellow", "planned": "blue", "dispatching": "blue"}
RECEIPTS = {"sent": _l("sent"), "delivered": _l("delivered"), "read": _l("read"), "failed": _l("failed")}
MESSAGE_KINDS = {
    "delivery": _l("Campaign"),
    "inbound": _l("They wrote"),
    "reply": _l("We answered"),
    "confirmation": _l("Confirmation of their choice"),
    "help": _l("Answer to HELP"),
    "doi": _l("Question to confirm"),
    "service": _l("Service message"),
}
INTENTS = {
    "opt_out": _l("understood as STOP"),
    "opt_in": _l("understood as START"),
    "help": _l("understood as HELP"),
    "rights": _l("a request about their data"),
    "unsure": _l("to be read by a person"),
}
CONSENT = _l("Consent")
FIELDS = {
    "first_name": _l("First name"),
    "last_name": _l("Last name"),
    "name": _l("Whole name"),
    "kind": _l("Kind"),
    "language": _l("Language"),
    "country": _l("Country"),
    "time_zone": _l("Time zone"),
    "birth_year": _l("Year of birth"),
    "profession": _l("Profession"),
    "preferred_channel": _l("Preferred channel"),
    "part_of_day": _l("Part of the day"),
    "rest_days": _l("Days between two messages"),
    "external_id": _l("Customer number"),
    "note": _l("Note"),
    "groups": _l("Groups"),
    "interests": _l("Interests"),
    "attributes": _l("Further fields"),
    "addresses": _l("Addresses"),
    "row": _l("The row"),
    "address": _l("Addresses"),
}


def install(app: Flask) -> None:
    """Give the templates a filter for each table: ``{{ reason|reason_words }}``."""
    app.jinja_env.filters.update(
        channel=lambda word: said(CHANNELS, word),
        contact_kind=lambda word: said(CONTACT_KINDS, word),
        action=lambda word: said(ACTIONS, word),
        action_tone=lambda word: ACTION_TONES.get(word, "secondary"),
        source=lambda word: said(SOURCES, word),
        actor=lambda word: said(ACTORS, word.partition(":")[0]),
        reason=lambda word: said(REASONS, word),
        state=lambda word: said(STATES, word),
        state_tone=lambda word: STATE_TONES.get(word, "secondary"),
        receipt=lambda word: said(RECEIPTS, word),
        message_kind=lambda word: said(MESSAGE_KINDS, word),
        intent=lambda word: said(INTENTS, word),
        field_name=field_name,
        country=country,
        tongue=tongue,
        label=label,
        plain=plain,
    )


def said(table: Mapping[str, str], word: str) -> str:
    return str(table.get(word, word))


def field_name(name: str) -> str:
    """Return what a field of a contact or of a file is called: ``address:email``, ``attribute:size``, ``note``."""
    kind, _colon, rest = name.partition(":")
    if kind == "address" and rest:
        return said(CHANNELS, rest.partition("#")[0])
    if kind == "consent":
        return f"{CONSENT}: {rest}"
    return rest if kind == "attribute" else said(FIELDS, name)


def country(code: str | None) -> str:
    """Return a country's name in the reader's language."""
    return str(_names().territories.get(code or "", code or ""))


def tongue(code: str | None) -> str:
    """Return a language's name in the reader's language."""
    known = _names().languages
    return str(known.get((code or "").replace("-", "_")) or known.get((code or "").partition("-")[0]) or code or "")


def plain(value: Any) -> str:
    """Return any stored value as a person reads it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(one)}" for key, one in value.items()) or "–"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value) or "–"
    return "–" if value in (None, "") else str(value)


def label(words: Mapping[str, Any], key: str = "") -> str:
    """Return the words for the reader among those per language, else any, else *key*."""
    return str(words.get(language()) or words.get("en") or next(iter(words.values()), "") or key)


def purpose(row: Any) -> str:
    """Return what a purpose is called; the nodes above have names of ours."""
    return said(_NODES, row.key) if row.key in _NODES else label(row.label, row.key)


_NODES = {
    "all": _l("Everything"),
    "marketing": _l("All marketing"),
    "service": _l("All service messages"),
    "internal": _l("All internal messages"),
}


def countries() -> list[tuple[str, str]]:
    """Return (code, name) of all countries, by name."""
    known = _names().territories
    found = [(code, str(name)) for code, name in known.items() if len(code) == 2 and code.isalpha()]
    return sorted((one for one in found if one[0] not in _NOT_COUNTRIES), key=lambda one: one[1])


_NOT_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"})


def tongues() -> list[tuple[str, str]]:
    """Return (code, name) of the languages people choose most, by name."""
    return sorted(((code, tongue(code)) for code in _COMMON), key=lambda one: one[1].casefold())


_COMMON = (
    *("ar", "bg", "br", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "he", "hi"),
    *("hr", "hu", "hy", "id", "is", "it", "ja", "ko", "lb", "lt", "lv", "mt", "nb", "nl", "pl", "pt", "ro", "ru"),
    *("sk", "sl", "sq", "sr", "sv", "sw", "th", "tr", "uk", "ur", "vi", "zh"),
)


def _names() -> Locale:
    return Locale.parse(language())
