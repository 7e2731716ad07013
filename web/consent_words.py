"""Words of consent that only its own pages need; the shared ones stand in ``vocabulary``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broadcaster.core.deliveries import Reason
from web import words
from web.language import _l
from web.public_words import channel_name as channel_name
from web.public_words import label as label
from web.vocabulary import purpose as purpose

STANDINGS = {
    None: (_l("not open"), "secondary"),
    "pending": (_l("waits for confirmation"), "yellow"),
    "granted": (_l("open"), "green"),
    "withdrawn": (_l("withdrawn"), "red"),
    "objected": (_l("objected"), "red"),
    "expired": (_l("expired"), "yellow"),
    "restricted": (_l("on hold"), "yellow"),
}
#: What still stands against writing, in a sentence.
REFUSALS = {
    Reason.OBJECTED: _l("the person has objected. Only they can change that, by writing START or confirming a link."),
    Reason.WITHDRAWN: _l("the person has withdrawn it. Only they can agree again, by START or by confirming a link."),
    Reason.RESTRICTED: _l("the address is on hold."),
    Reason.SUPPRESSED: _l("the address is on the list of those never to be written to."),
    Reason.EXPIRED: _l("this consent has expired since."),
    Reason.ADDRESS_INVALID: _l("messages to this address come back."),
    Reason.PENDING_CONFIRMATION: _l("it waits for the person's confirmation."),
}
EVIDENCE = {
    "proof": _l("Proof"),
    "reason": _l("Reason"),
    "words": _l("Words"),
    "rule": _l("Rule"),
    "form": _l("Form"),
    "page": _l("Page"),
    "network": _l("Network"),
    "agent": _l("Browser"),
    "scope": _l("Extent"),
    "scope_rule": _l("Rule of the extent"),
    "file": _l("File"),
    "line": _l("Line"),
    "provider_code": _l("Provider's code"),
}
#: What an action refuses, in the reader's language (``words.problem``).
PROBLEMS = {
    "address_missing": _l("Give the address."),
    "asked_already": _l("This address was asked within the last day and has not answered."),
    "basis_closed": _l("The law of their country does not have this purpose's ground for this person on this channel."),
    "basis_role": _l("Only for a professional in a role that this purpose concerns."),
    "basis_offer": _l(
        "A soft opt-in rests on a sale: give the order, the family of products, and that they could refuse."
    ),
    "date_invalid": _l("Write the date as 2026-05-31T14:00."),
    "date_range": _l("This date cannot be right: it lies ahead, or too far back."),
    "granted_already": _l("This address has agreed already."),
    "key": _l("A key is made of small letters, digits and _, at most 50, and begins with a letter."),
    "key_taken": _l("This key is in use already."),
    "label_missing": _l("Name it in words a customer understands, in one language at least."),
    "language_invalid": _l("Write a language as en, fr or pt-BR."),
    "length": _l("This is empty or too long."),
    "no_account": _l("There is no sender in use for this channel and brand."),
    "not_restricted": _l("This address is not on hold."),
    "phone_invalid": _l("This is not a telephone number that can be written to."),
    "proof_long": _l("At most 2000 characters; keep the file elsewhere and name it here."),
    "proof_missing": _l("A consent needs its proof: what was said or signed, or where it is kept."),
    "reason_missing": _l("Say why, in at most 2000 characters."),
    "refusal_stands": _l("This person has said no. Only they can change that."),
    "suppressed": _l("This address is on the list of those never to be written to. Only the person can change that."),
    "unknown_address": _l("We do not know this address: unknown means no."),
    "wording_other": _l("Choose the words the person agreed to."),
}
words.PROBLEMS.update(PROBLEMS)
#: In columns of their own, or of no use to a reader.
_HIDDEN = frozenset(
    ["channel", "recorded_by", "wording_sha256", "payload", "event_key", "request_id", "address", "detector", "step_id"]
)
#: Where somebody sat, not what they said: for those only who may see whole addresses.
_TRACES = frozenset({"network", "agent", "ip", "user_agent"})


def standing(value: str | None) -> tuple[str, str]:
    """Return (words, tone)."""
    words, tone = STANDINGS.get(value, (value or "", "secondary"))
    return str(words), tone


def evidence(told: Mapping[str, Any] | None, *, traces: bool) -> list[tuple[str, str]]:
    """Return evidence as (name, words); *traces*: also where the person sat."""
    hidden = _HIDDEN if traces else _HIDDEN | _TRACES
    shown = [(key, value) for key, value in (told or {}).items() if key not in hidden and value not in (None, "", [])]
    return [(str(EVIDENCE.get(key, key)), str(value)) for key, value in shown]
