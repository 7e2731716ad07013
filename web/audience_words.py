"""Labels of the audience builder."""

from __future__ import annotations

from web.language import _l

GROUPS = {
    "all": _l("all of these hold"),
    "any": _l("at least one of these holds"),
    "none": _l("none of these holds"),
}
CONDITIONS = {
    "country": _l("Country"),
    "language": _l("Language"),
    "consent": _l("Consent"),
    "has_channel": _l("Has an address on"),
    "interest": _l("Interest"),
    "group": _l("Group"),
    "attribute": _l("Attribute"),
    "age": _l("Age"),
    "kind": _l("Kind of contact"),
    "profession": _l("Profession"),
    "time_zone": _l("Time zone"),
    "behaviour": _l("What they did"),
    "list": _l("Member of a list"),
    "everybody": _l("Everybody"),
}
KINDS = {"consumer": _l("Consumers"), "professional": _l("Professionals"), "internal": _l("Our own people")}
STANDINGS = {
    "granted": _l("has agreed"),
    "pending": _l("has been asked to confirm"),
    "withdrawn": _l("has withdrawn"),
    "objected": _l("has refused everything"),
    "expired": _l("agreement has expired"),
    "restricted": _l("is restricted"),
    "none": _l("nothing is known"),
}
DEEDS = {
    "received": _l("received"),
    "read": _l("read"),
    "clicked": _l("clicked in"),
    "replied": _l("replied to"),
}
OPERATORS = {
    "eq": _l("is"),
    "ne": _l("is not"),
    "in": _l("is one of"),
    "lt": _l("is less than"),
    "lte": _l("is at most"),
    "gt": _l("is more than"),
    "gte": _l("is at least"),
    "contains": _l("contains"),
    "starts_with": _l("begins with"),
    "is_set": _l("is known"),
    "is_not_set": _l("is not known"),
}
TYPED_HELP = {
    "country": _l("Two letters each, with commas: FR, BE"),
    "language": _l("Codes with commas: fr, en"),
    "time_zone": _l("Names with commas: Europe/Paris"),
    "profession": _l("With commas between them"),
}
PROBLEMS = {
    "filter_cost": _l("This rule is too large or too deep. Use a list of contacts instead."),
    "filter_json": _l("This is not JSON."),
    "operator": _l("This comparison does not fit the attribute."),
    "value": _l("This value does not fit the attribute."),
    "age": _l("Give a least age, a greatest age, or both in order."),
    "union_tag_invalid": _l("Choose what the condition is about."),
    "union_tag_not_found": _l("Choose what the condition is about."),
    "string_pattern_mismatch": _l("Please write it as in the example."),
}
EMPTY = _l("Add at least one condition. Who means everybody says so: choose “Everybody”.")
