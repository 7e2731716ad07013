"""What follows a word of the organisation's own: a question to confirm, or a contest's answer. Never consent itself."""

from __future__ import annotations

from broadcaster.actions import double_optin, messages
from broadcaster.actions.told import Told
from broadcaster.core.consent import Source
from broadcaster.core.errors import Conflict
from broadcaster.core.keywords.own import WordKind, forms
from broadcaster.core.replies import ReplyKind
from broadcaster.storage import own_words
from broadcaster.storage.tables import Message, OwnWord


def word_of(told: Told) -> OwnWord | None:
    """Return the word of ours that a message is, None for any other message or one that only names a topic."""
    found = own_words.find(told.session, told.config.channel, forms(told.words))
    return None if found is None or found.kind == WordKind.TOPIC else found


def follow(told: Told, kept: Message, word: OwnWord) -> None:
    """Answer a contest; ask somebody who wants to join to confirm the wording, by the account they wrote to."""
    if word.kind == WordKind.CONTEST:
        messages.queue_own_answer(told, kept, word.answer)
        return
    assert word.purpose_id is not None
    assert word.wording_id is not None
    try:
        double_optin.request_in(
            told.runtime,
            told.session,
            address_id=told.address.id,
            purpose_id=word.purpose_id,
            wording_id=word.wording_id,
            source=Source.KEYWORD,
            evidence={
                "words": told.words,
                "rule": kept.rule or "",
                "event_key": told.event.event_key,
                "campaign_id": word.campaign_id,
            },
            by_person=True,
            account_id=told.config.id,
        )
    except Conflict as problem:  # asked within a day: once is enough
        if problem.code == "granted_already":
            messages.queue_answer(told, kept, ReplyKind.STARTED)
