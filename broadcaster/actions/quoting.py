"""What we last wrote to an address, so that our own words sent back to us are not taken for a wish.

Campaigns keep no rendered text; their template's words are enough to know a quotation of eight words or more by.
"""

from __future__ import annotations

from broadcaster.actions.told import Told
from broadcaster.storage import conversations, people

_MOST = 3
_FEWEST_WORDS = 3  #: nobody quotes less


def recent(told: Told) -> list[str]:
    """Return the words of our last campaign messages and other messages to the address an event came from."""
    if len(told.words.split()) < _FEWEST_WORDS:
        return []
    found = [
        str(content.get("text", "")) for content in conversations.last_words_to(told.session, told.address.id, _MOST)
    ]
    sealed = conversations.last_answers_to(told.session, told.address.id, _MOST)
    key = people.person_keys(told.session, told.runtime.keys, [told.address.key_id or 0]).get(told.address.key_id or 0)
    return found if key is None else [*found, *(str(conversations.open_message(key, one)["text"]) for one in sealed)]
