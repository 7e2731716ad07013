"""What follows a word of the organisation's own: a question to confirm, or a contest's answer. Never consent itself."""

from __future__ import annotations

from collections.abc import Sequence

from broadcaster.actions import double_optin, messages
from broadcaster.actions.double_optin import Asking
from broadcaster.actions.told import Told
from broadcaster.core.consent import Source
from broadcaster.core.errors import Conflict
from broadcaster.core.events import Json
from broadcaster.core.keywords.own import WordKind, forms
from broadcaster.core.replies import ReplyKind
from broadcaster.storage import own_words
from broadcaster.storage.tables import Message, OwnWord


def word_of(told: Told) -> OwnWord | None:
    """Return the word of ours that a message is, None for any other message or one that only names a topic."""
    found = own_words.find(told.session, told.config.channel, forms(told.words))
    return None if found is None or found.kind == WordKind.TOPIC else found


def follow(told: Told, kept: Message, word: OwnWord) -> None:
    """Answer a contest; ask somebody who wants to join to confirm the wording."""
    if word.kind == WordKind.CONTEST:
        messages.queue_own_answer(told, kept, word.answer)
        return
    assert word.wording_id is not None
    ask(told, kept, [word.wording_id], campaign_id=word.campaign_id)


def ask(told: Told, kept: Message, wording_ids: Sequence[int], **evidence: Json) -> None:
    """Ask the person to confirm these wordings, by the account they wrote to; once a day is enough."""
    said: dict[str, Json] = {"words": told.words, "rule": kept.rule or "", "event_key": told.event.event_key}
    try:
        double_optin.request_in(
            told.runtime,
            told.session,
            address_id=told.address.id,
            wording_ids=wording_ids,
            who=Asking(Source.KEYWORD, {**said, **evidence}),
            account_id=told.config.id,
        )
    except Conflict as problem:
        if problem.code == "granted_already":
            messages.queue_answer(told, kept, ReplyKind.STARTED)
