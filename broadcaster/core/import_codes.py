"""The codes an import gives to what it did not take, and their meaning in words."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """What is wrong, with which field; ``code`` is stable, ``explain`` says it in words."""

    field: str
    code: str


_WORDS = {
    "row_width": "the row has more or fewer cells than the header",
    "no_address": "the row has no address and no customer number",
    "email_invalid": "this is not an e-mail address",
    "phone_invalid": "this is not a telephone number that can be written to",
    "phone_scientific": "a spreadsheet has turned this number into a decimal",
    "control_character": "this contains a line break or a control character",
    "ambiguous_contact": "the addresses of this row belong to several contacts",
    "external_conflict": "this address belongs to a contact with another customer number",
    "suppressed": "this address must not be written to; it is not taken again",
    "contact_restricted": "this person's data is frozen",
    "consent_empty": "nothing says whether they agreed",
    "consent_unclear": "this is neither yes nor no",
    "consent_no_address": "the row has no address on the channel the consent is for",
    "consent_no_date": "consent without a date does not count",
    "consent_date": "this is not a date, or may be read as two",
    "consent_future": "this date has not come yet",
    "consent_before_birth": "this date is before the person's birth or in its year",
    "consent_no_wording": "the words they agreed to are not named or not known",
    "consent_no_source": "nothing says where they agreed",
    "consent_no_evidence": "consent without evidence does not count",
    "consent_evidence": "the evidence is too long or cannot be stored",
    "consent_opposite": "the file says yes and no for the same person; the no counts",
    "kept_withdrawn": "they have said no; only they can change that",
    "kept_suppressed": "this address must not be written to; only they can change that",
    "ineffective": "recorded, and changes nothing: something newer or stricter stands",
}


def explain(code: str) -> str:
    """Return what *code* means, in a sentence for a person."""
    return _WORDS.get(code, "this value is not acceptable")
