"""Log events in a sentence. An event without one is shown by its class: nothing is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web.campaign_words import DECISIONS
from web.language import _, _l
from web.privacy_words import STEPS

THINGS = {
    "account": _l("Account"),
    "attribute": _l("Attribute"),
    "audience": _l("Audience"),
    "brand": _l("Brand"),
    "campaign": _l("Campaign"),
    "closed_day": _l("Closed day"),
    "group": _l("Group"),
    "interest": _l("Interest"),
    "address": _l("Address"),
    "media": _l("File"),
    "message": _l("Message"),
    "own_word": _l("Own word"),
    "purpose": _l("Purpose"),
    "setting": _l("Setting"),
    "signup_form": _l("Sign-up form"),
    "staff": _l("Staff member"),
    "template": _l("Template"),
    "wording": _l("Wording"),
}
VERBS = {
    "active": _l("switched on"),
    "added": _l("added"),
    "address_added": _l("address added"),
    "address_removed": _l("address taken away"),
    "archived": _l("archived"),
    "contradicted": _l("an event of the provider came again with other words; the first ones count"),
    "cancelled": _l("cancelled"),
    "changed": _l("changed"),
    "chunk": _l("a further part taken in"),
    "created": _l("created"),
    "disabled": _l("switched off"),
    "held": _l("put on hold"),
    "draft": _l("back to a draft"),
    "edited": _l("changed"),
    "enabled": _l("switched on"),
    "failed": _l("failed"),
    "finished": _l("ended"),
    "invalid": _l("found not to exist"),
    "invited": _l("got a sign-in link"),
    "left_groups": _l("people taken out of its groups"),
    "lifted": _l("lifted"),
    "merged": _l("merged"),
    "password": _l("got a new password"),
    "missed": _l("one of its dates missed while nothing ran"),
    "paused": _l("paused"),
    "removed": _l("removed"),
    "reopened": _l("opened again"),
    "restored": _l("fields put back"),
    "running": _l("under way"),
    "saved": _l("saved"),
    "scheduled": _l("put on the schedule"),
    "started": _l("started"),
    "test queued": _l("test asked for"),
    "undoing": _l("being taken back"),
    "undone": _l("undone"),
    "unlinked": _l("addresses taken away"),
    "unmerged": _l("taken apart again"),
    "uploaded": _l("uploaded"),
}
#: Fields of an event beside its sentence.
DETAILS = {
    "addresses": _l("addresses"),
    "after": _l("now"),
    "before": _l("until then"),
    "campaign_id": _l("campaign"),
    "changed": _l("changed"),
    "channel": _l("channel"),
    "consents": _l("consents"),
    "contacts": _l("contacts"),
    "created": _l("new"),
    "digest": _l("fingerprint"),
    "fields": _l("fields"),
    "leaves": _l("entries"),
    "message_kind": _l("kind"),
    "other_id": _l("other"),
    "outcome": _l("outcome"),
    "permit": _l("allowed by"),
    "reason": _l("reason"),
    "refused": _l("refused"),
    "request_id": _l("request"),
    "row": _l("up to row"),
    "run_id": _l("run"),
    "step_ids": _l("sends"),
    "steps": _l("sends"),
    "unmasked": _l("unmasked"),
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
    if not body["id"]:
        return _("%(thing)s: %(verb)s", thing=thing, verb=_verb(body))
    return _("%(thing)s %(id)s: %(verb)s", thing=thing, id=body["id"], verb=_verb(body))


def _law(body: Mapping[str, Any]) -> str:
    return _("Own rules of %(rule)s changed", rule=body["rule"])


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


def _breaker(body: Mapping[str, Any]) -> str:
    if body["verb"] == "closed":
        return _("Account %(id)s answers again", id=body["account_id"])
    return _(
        "Account %(id)s does not answer: left alone for %(seconds)s s", id=body["account_id"], seconds=body["seconds"]
    )


def _address(body: Mapping[str, Any]) -> str:
    return _("Address %(id)s came to be known", id=body["address_id"])


def _exported(body: Mapping[str, Any]) -> str:
    return _("Exported: %(what)s, %(rows)s rows", what=body["what"], rows=body["rows"])


def _erased(body: Mapping[str, Any]) -> str:
    return _("Contact %(id)s erased", id=body["contact_id"])


def _taken_back(body: Mapping[str, Any]) -> str:
    return _("Import %(id)s taken back", id=body["import_id"])


def _resolved(body: Mapping[str, Any]) -> str:
    return _("Unknown sends decided: %(decision)s", decision=DECISIONS[body["decision"]][0])


def _suppressed(body: Mapping[str, Any]) -> str:
    return _("Lasting refusal %(verb)s: %(count)s", verb=_verb(body), count=body["count"])


def _request(body: Mapping[str, Any]) -> str:
    """Say how far an erasure is; its steps are named as on its own page."""
    verb = str(body["verb"])
    step = STEPS.get(verb.removeprefix("erasure: "))
    said = {"erasure received": _("erasure asked for"), "erasure begun": _("erasure begun")}
    done = step if step is not None else said.get(verb, verb)
    return _("Privacy request %(id)s: %(verb)s", id=body["request_id"], verb=done)


def _verb(body: Mapping[str, Any]) -> str:
    return str(VERBS.get(body["verb"], body["verb"]))


_SENTENCES = {
    "AccountHeld": _held,
    "AddressSeen": _address,
    "BreakerMoved": _breaker,
    "CampaignMoved": _campaign,
    "Changed": _changed,
    "ConsentEvents": _consent,
    "ContactChanged": _contact,
    "Erased": _erased,
    "Exported": _exported,
    "ImportProgress": _import,
    "ImportTakenBack": _taken_back,
    "LawChanged": _law,
    "MessageSettled": _message,
    "PrivacyRequestMoved": _request,
    "SignedIn": _signed_in,
    "Suppressed": _suppressed,
    "UnknownResolved": _resolved,
    "WindowSettled": _window,
}
