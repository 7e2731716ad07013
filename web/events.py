"""Log events in a sentence. An event without one is shown by its class: nothing is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web.language import _, _l

THINGS = {
    "account": _l("Account"),
    "attribute": _l("Attribute"),
    "audience": _l("Audience"),
    "brand": _l("Brand"),
    "campaign": _l("Campaign"),
    "closed_day": _l("Closed day"),
    "group": _l("Group"),
    "interest": _l("Interest"),
    "media": _l("File"),
    "purpose": _l("Purpose"),
    "setting": _l("Setting"),
    "staff": _l("Staff member"),
    "template": _l("Template"),
    "wording": _l("Wording"),
}
VERBS = {
    "archived": _l("archived"),
    "cancelled": _l("cancelled"),
    "changed": _l("changed"),
    "created": _l("created"),
    "deleted": _l("deleted"),
    "disabled": _l("switched off"),
    "enabled": _l("switched on"),
    "finished": _l("finished"),
    "invited": _l("got a sign-in link"),
    "launched": _l("launched"),
    "paused": _l("paused"),
    "password": _l("got a new password"),
    "resumed": _l("resumed"),
    "scheduled": _l("scheduled"),
    "started": _l("started"),
    "undone": _l("undone"),
    "uploaded": _l("uploaded"),
}
KINDS = {
    "admin": _l("Administration"),
    "consent": _l("Consent"),
    "contact": _l("Contact"),
    "erasure": _l("Erasure"),
    "privacy": _l("Privacy"),
    "send": _l("Sending"),
}


def sentence(event: str, body: Mapping[str, Any]) -> str:
    """Say what happened."""
    make = _SENTENCES.get(event)
    return event if make is None or not body else make(body)


def actor(name: str, names: Mapping[int, str]) -> str:
    """Say who did it."""
    kind, _colon, rest = name.partition(":")
    if kind == "staff" and rest.isdigit():
        return names.get(int(rest), _("Staff member %(id)s", id=rest))
    if kind == "cli":
        return _("Command line")
    known = {"system": _("System"), "person": _("The person"), "provider": _("Provider")}
    return known.get(kind, kind)


def _changed(body: Mapping[str, Any]) -> str:
    thing = THINGS.get(body["what"], str(body["what"]))
    return _("%(thing)s %(id)s: %(verb)s", thing=thing, id=body["id"], verb=_verb(body))


def _signed_in(body: Mapping[str, Any]) -> str:
    return _("Signed in") if body.get("success") else _("Sign-in refused")


def _contact(body: Mapping[str, Any]) -> str:
    return _("Contact %(id)s: %(verb)s", id=body["contact_id"], verb=_verb(body))


def _consent(body: Mapping[str, Any]) -> str:
    return _("Consent recorded: %(count)s", count=body["count"])


def _campaign(body: Mapping[str, Any]) -> str:
    return _("Campaign %(id)s: %(verb)s", id=body["campaign_id"], verb=_verb(body))


def _import(body: Mapping[str, Any]) -> str:
    return _("Import %(id)s: %(verb)s", id=body["import_id"], verb=_verb(body))


def _window(body: Mapping[str, Any]) -> str:
    return _("Messages settled: %(count)s", count=body["count"])


def _message(body: Mapping[str, Any]) -> str:
    return _("Message %(id)s settled", id=body["message_id"])


def _held(body: Mapping[str, Any]) -> str:
    return _("Account %(id)s put on hold", id=body["account_id"])


def _address(body: Mapping[str, Any]) -> str:
    return _("Address %(id)s came to be known", id=body["address_id"])


def _exported(body: Mapping[str, Any]) -> str:
    return _("Exported: %(what)s, %(rows)s rows", what=body["what"], rows=body["rows"])


def _erased(body: Mapping[str, Any]) -> str:
    return _("Contact %(id)s erased", id=body["contact_id"])


def _verb(body: Mapping[str, Any]) -> str:
    return str(VERBS.get(body["verb"], body["verb"]))


_SENTENCES = {
    "AccountHeld": _held,
    "AddressSeen": _address,
    "CampaignMoved": _campaign,
    "Changed": _changed,
    "ConsentEvents": _consent,
    "ContactChanged": _contact,
    "Erased": _erased,
    "Exported": _exported,
    "ImportProgress": _import,
    "MessageSettled": _message,
    "SignedIn": _signed_in,
    "WindowSettled": _window,
}
