"""How far a refusal in a person's own words reaches: which of their addresses, which purposes, what we answer.

In doubt further: a topic we do not know closes the channel, a channel named closes beside the one it was named on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlmodel import Session

from broadcaster.actions import stopping
from broadcaster.actions.optin import ROOTS
from broadcaster.actions.stopping import Closing
from broadcaster.actions.told import Told
from broadcaster.core import keywords
from broadcaster.core.keywords import Decision, Scope
from broadcaster.core.law.rows import StopScope
from broadcaster.core.replies import CHANNELS, ReplyKind, Word
from broadcaster.storage import catalogue, consent_history, optin, own_words
from broadcaster.storage.tables import Address, Purpose


@dataclass(frozen=True, slots=True)
class Reach:
    """What a refusal closes, and the answer to it. Where nothing is closed we know no address that it means."""

    closing: Closing
    reply: ReplyKind
    names: Mapping[str, Word] = field(default_factory=dict)  #: what the answer names


def topics(session: Session, channel: str) -> dict[str, list[Purpose]]:
    """Return the words by which people may name a purpose of ours, folded: its key, its labels, its own words there."""
    found: dict[str, list[Purpose]] = defaultdict(list)
    known = {one.id: one for one in catalogue.purposes(session) if one.key not in ROOTS and one.kind != "internal"}
    for purpose in known.values():
        for name in {keywords.phrase(name) for name in (purpose.key, *purpose.label.values())} - {""}:
            found[name].append(purpose)
    for word in own_words.named(session, channel):
        if word.purpose_id in known:
            found[word.word].append(known[word.purpose_id])
    return found


def reach(told: Told, decision: Decision, known: Mapping[str, list[Purpose]]) -> Reach:
    """Return what the person refused; *known* are the ``topics`` the decision was made with."""
    if decision.scope is Scope.TOPIC:
        named = known[decision.topic]
        pairs = tuple(sorted((told.address.id, one.id) for one in named))
        return Reach(Closing(pairs, "topic"), ReplyKind.STOPPED_TOPIC, {"topic": named[0].label})
    beside = optin.addresses(told.session, consent_history.addresses_beside(told.session, told.address.id))
    meant = [one for one in beside if _meant(one, told.address, decision)]
    names_channels = decision.scope is Scope.CHANNELS
    closing = stopping.widened(
        told.session,
        told.address,
        [(one.id, told.marketing()) for one in meant],
        now=told.now,
        scopes={StopScope.CATEGORIES} if names_channels else frozenset(StopScope),
    )
    if names_channels:
        closed = sorted({one.channel for one in meant})
        names = {"channels": ", ".join(CHANNELS.get(one, one) for one in closed)}
        return Reach(closing, ReplyKind.STOPPED_CHANNELS, names)
    everywhere = decision.scope is Scope.EVERYWHERE or closing.everywhere
    return Reach(closing, ReplyKind.STOPPED_EVERYWHERE if everywhere else ReplyKind.STOPPED)


def _meant(one: Address, own: Address, decision: Decision) -> bool:
    """Say whether a refusal written from *own* closes *one* of the person's addresses.

    On a channel where each account knows a person by another name, all those names are the one channel to them.
    """
    if decision.scope is Scope.EVERYWHERE or one.channel in decision.channels:
        return True
    same = one.id == own.id or (one.channel == own.channel and one.account_id is not None)
    return same and own.channel not in decision.spared
