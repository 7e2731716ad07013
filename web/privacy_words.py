"""Requests about people's data, and what an erasure does, in words."""

from __future__ import annotations

from web.language import _l

KINDS = {
    "access": _l("Access"),
    "portability": _l("Data to take along"),
    "rectification": _l("Correction"),
    "erasure": _l("Erasure"),
    "objection": _l("Objection"),
    "restriction": _l("Restriction"),
}
#: What can be asked of us by a form; an erasure has a page of its own.
ASKED = {name: words for name, words in KINDS.items() if name != "erasure"}
ABOUT = {
    "access": _l("A copy of what is known about them."),
    "portability": _l("Their data in a file they can take elsewhere."),
    "rectification": _l("Something is wrong and has to be put right."),
    "objection": _l("No marketing any more: recorded on every address at once."),
    "restriction": _l("Nothing at all for now: every address is put on hold at once."),
}
STATES = {
    "received": (_l("received"), "yellow"),
    "running": (_l("under way"), "blue"),
    "done": (_l("done"), "green"),
    "refused": (_l("refused"), "red"),
}
#: The steps of an erasure, in order.
STEPS = {
    "stop": _l("Everything stopped; what was planned will not go out"),
    "close": _l("Refusal remembered by keyed hash, erasure written into the log"),
    "evidence": _l("Evidence of consent and log contents destroyed"),
    "sends": _l("Traces of campaign messages destroyed"),
    "messages": _l("Messages destroyed"),
    "mailboxes": _l("Messages as received destroyed"),
    "particulars": _l("Name, addresses, fields and history destroyed"),
    "keys": _l("The person's keys destroyed"),
    "scrub": _l("Storage scrubbed"),
}
#: What an erasure takes away, as ``privacy.what_would_go`` counts it.
KEPT = ("shared_addresses_kept", "in_flight", "planned_sends_stopped")
GOES = {
    "contacts": _l("Contacts that are this person"),
    "addresses": _l("Addresses that are theirs alone"),
    "consent_events_closed": _l("Evidence of consent"),
    "sends_closed": _l("Traces of campaign messages"),
    "messages": _l("Messages"),
    "conversations": _l("Conversations"),
    "inbound_events": _l("Messages as received"),
    "outbox_items": _l("Messages in the outbox"),
    "clicks": _l("Clicks"),
    "preferences": _l("Changes of what they told us"),
    "interests": _l("Interests"),
    "groups": _l("Memberships of groups"),
    "lists": _l("Memberships of lists"),
    "shared_addresses_kept": _l("Addresses shared with others: they stay, only the link goes"),
    "in_flight": _l("Messages on the wire: they are waited for"),
    "planned_sends_stopped": _l("Planned messages that will not go out"),
}
