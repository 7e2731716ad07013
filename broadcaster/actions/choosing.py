"""What a person changes on the page behind a link: each act is theirs, recorded with where it was made.

A link proves the address it was sent to, and no other. A yes for another address, or to a purpose that asks everybody
to confirm, therefore asks there first. A no needs no proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum

from sqlmodel import Session

from broadcaster.actions import choices, double_optin
from broadcaster.actions import consent as consent_actions
from broadcaster.actions.optin import agreed, why_not
from broadcaster.actions.public import Stop, credited, stop_in
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Basis, Source
from broadcaster.core.errors import Conflict
from broadcaster.core.events import Json
from broadcaster.storage import consent as ledger
from broadcaster.storage import people
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address, Purpose, Wording


class Done(StrEnum):
    """What came of an act, as the page says it."""

    STOPPED = "stopped"
    AGREED = "agreed"
    ASKED = "asked"  #: a question went to the address, or had gone there within the last day
    CHANGED = "changed"  #: these words are no longer in use; nothing was recorded
    ASKED_FOR = "asked_for"  #: a request about their data was noted
    SURE = "sure"  #: nothing was done: the person is asked whether they are sure
    KEPT = "kept"  #: a preference
    PAUSED = "paused"
    RESUMED = "resumed"
    BAD_DATE = "bad_date"  #: over, or too far away; nothing was recorded


def stop(
    runtime: Runtime, token: str, *, address_id: int, purpose_id: int | None, evidence: Mapping[str, Json]
) -> Done | None:
    """Stop one purpose, or all marketing (None), at one address of the page; None where the link does not reach."""
    with runtime.db.transaction("person") as session:
        found = choices.reach(runtime, session, token)
        marketing = ledger.purpose_id(session, "marketing")
        refused = marketing if purpose_id is None else purpose_id
        if found is None or not found.has(address_id) or refused not in {marketing, *_shown(session)}:
            return None
        steps = {address_id: credited(session, found.step_id, address_id)}
        recorded = stop_in(
            runtime, session, [(address_id, refused)], Stop(token, Source.PREFERENCE_PAGE, evidence, steps)
        )
    consent_actions.wait_out(runtime, recorded)
    return Done.STOPPED


def _shown(session: Session) -> set[int]:
    paths = ledger.paths(session)
    roots = {ledger.purpose_id(session, kind) for kind in choices.KINDS}
    return {purpose for purpose, path in paths.items() if roots & set(path[:-1])}


def agree(
    runtime: Runtime, token: str, *, address_id: int, wording_id: int, evidence: Mapping[str, Json]
) -> Done | None:
    """Record a yes to words shown on the page, or ask at the address where the link is no proof of it.

    None where the link does not reach.
    """
    with runtime.db.transaction("person") as session:
        found = choices.reach(runtime, session, token)
        if found is None or not found.has(address_id) or (found.contact and found.contact.state != "active"):
            return None
        wording = next((one for one in choices.newest_wordings(session).values() if one.id == wording_id), None)
        if wording is None:
            return Done.CHANGED
        purpose, wording = agreed(session, wording.purpose_id, wording.id)
        if purpose.kind not in choices.KINDS or purpose.brand_id != found.purpose.brand_id:
            return None
        if found.address.id == address_id and not purpose.double_opt_in:
            _grant(runtime, session, token, people.lock_address(session, address_id), purpose, wording, evidence)
            return Done.AGREED
        purpose_id = purpose.id
    return _ask(runtime, address_id, purpose_id, wording_id, evidence)


def _grant(
    runtime: Runtime,
    session: Session,
    token: str,
    address: Address,
    purpose: Purpose,
    wording: Wording,
    evidence: Mapping[str, Json],
) -> None:
    """Record the yes, once: whoever presses again has agreed already."""
    now = runtime.db.now(session)
    if why_not(session, address, purpose.id, now=now) is None:
        return
    last = max((one.id for one in ledger.events_of(session, [address.id]).get(address.id, [])), default=0)
    act = NewConsent(
        key=hashlib.sha256(f"link:{token}:agreed:{wording.id}:{last}".encode()).digest(),
        address_id=address.id,
        purpose_id=purpose.id,
        action=Action.GRANTED,
        actor=Actor.PERSON,
        source=Source.PREFERENCE_PAGE,
        occurred_at=now,
        clock=OUR_CLOCK,
        evidence={**evidence, "wording_sha256": wording.sha256},
        basis=Basis.CONSENT,  # whatever else the purpose rests on: they say yes to the words
        wording_id=wording.id,
    )
    consent_actions.record_in(runtime, session, [act])


def _ask(runtime: Runtime, address_id: int, purpose_id: int, wording_id: int, evidence: Mapping[str, Json]) -> Done:
    try:
        double_optin.request(
            runtime,
            address_id=address_id,
            purpose_id=purpose_id,
            wording_id=wording_id,
            source=Source.PREFERENCE_PAGE,
            evidence=evidence,
            by_person=True,
            actor="person",
        )
    except Conflict:
        pass  # asked within the last day, agreed since, or no sender: the page shows where it stands
    return Done.ASKED
