"""Number what was recorded, append it to the tree, sign the head; and verify all of it.

Business transactions leave unnumbered entries and wait for nobody. One sequencer at a time, under a lease by the
database's clock, makes them leaves within about a second.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core import checkpoints, events, tree
from broadcaster.core.errors import IntegrityFailure
from broadcaster.core.keys import open_sealed
from broadcaster.storage import log, people, privacy, proofs, triggers
from broadcaster.storage.database import take_lease
from broadcaster.storage.tables import Checkpoint

ORIGIN = "broadcaster/log"
PAGE = 5000
#: An entry that has no number after this long means that the sequencer does not run, or that somebody cut the log.
LATEST = timedelta(seconds=60)


def sequence(runtime: Runtime, *, owner: str | None = None) -> int:
    """Number what is unnumbered and sign the new head; return how many leaves were added."""
    total = 0
    while True:
        with runtime.db.transaction() as session:
            holder = owner or runtime.db.owner
            if not take_lease(session, runtime.db, "sequencer", owner=holder, seconds=10):
                return total
            added = _append(runtime, session)
        total += added
        if added < PAGE:
            return total


def _append(runtime: Runtime, session: Session) -> int:
    waiting = log.unnumbered(session, PAGE)
    if not waiting:
        return 0
    head = log.head(session)
    frontier = tree.Frontier() if head is None else tree.Frontier.from_bytes(head.frontier)
    start = frontier.size
    for _, kind, commitment in waiting:
        frontier.append(tree.leaf_hash(events.leaf_bytes(kind, bytes(commitment))))
    log.number(session, [(row[0], start + place) for place, row in enumerate(waiting)])
    root = frontier.root()
    note = checkpoints.sign_checkpoint(ORIGIN, frontier.size, root, ORIGIN, runtime.keys.signing[0].secret)
    now = runtime.db.now(session)
    session.add(Checkpoint(size=frontier.size, root=root, note=note, frontier=frontier.to_bytes(), created_at=now))
    return len(waiting)


def verifier_keys(runtime: Runtime) -> list[str]:
    """Return the public keys that may have signed a head, newest first, in the C2SP form."""
    return [checkpoints.vkey(ORIGIN, key.secret) for key in runtime.keys.signing]


@dataclass(slots=True)
class Verification:
    """What ``verify`` found. ``problems`` is empty when the log holds."""

    size: int = 0
    root: str = ""
    opened: int = 0
    erased: int = 0
    consents: int = 0
    consents_erased: int = 0
    sends: int = 0
    sends_erased: int = 0
    unnumbered: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(runtime: Runtime, *, most: int = 50) -> Verification:
    """Walk the whole log: every leaf, every commitment under it, the root, the signature. Constant memory.

    An unopened half is accepted only if an erasure covers it. At most *most* problems are listed.
    """
    found = Verification()
    with runtime.db.reading(snapshot=True) as session:
        for problem in _problems(runtime, session, found):
            found.problems.append(problem)
            if len(found.problems) >= most:
                break
    return found


def _problems(runtime: Runtime, session: Session, found: Verification) -> Iterator[str]:
    yield from _walk_leaves(runtime, session, found)
    yield from _walk_consents(runtime, session, found)
    yield from _walk_sends(session, found)
    yield from _walk_erasures(session)
    yield from (f"address {one}: the state is not what its events add up to" for one in proofs.wrong_states(session))
    yield from (f"the trigger {name} is missing" for name in sorted(triggers.missing(session.connection())))
    found.unnumbered = log.count_unnumbered_before(session, runtime.db.now(session) - LATEST)
    if found.unnumbered:
        yield f"{found.unnumbered} entries have had no number for more than {LATEST.seconds} s"


def _walk_leaves(runtime: Runtime, session: Session, found: Verification) -> Iterator[str]:
    frontier = tree.Frontier()
    signed = {point.size: point for point in proofs.checkpoints(session)}
    known = verifier_keys(runtime)
    for leaf in log.leaves(session):
        if leaf.position != frontier.size:
            yield f"leaf {frontier.size} is missing"
            return
        try:
            frontier.append(tree.leaf_hash(events.leaf_bytes(leaf.kind, leaf.commitment)))
        except ValueError:
            yield f"leaf {leaf.position} is not a leaf"
            return
        yield from _open_leaf(runtime, session, leaf, found)
        point = signed.get(frontier.size)
        if point is not None:
            yield from _check_head(point, frontier.root(), known)
    found.size, found.root = frontier.size, frontier.root().hex()
    newest = max(signed, default=0)
    if newest != frontier.size:
        yield f"the checkpoint speaks of {newest} leaves, the log has {frontier.size}"


def _check_head(point: Checkpoint, root: bytes, known: list[str]) -> Iterator[str]:
    """The signature is by us, and what it signs is this tree; the row beside it says the same."""
    try:
        told = checkpoints.verify_checkpoint(point.note, *known)
    except IntegrityFailure as problem:
        yield f"checkpoint {point.size}: {problem.message}"
        return
    if told.origin != ORIGIN or (told.size, told.root) != (point.size, root) or bytes(point.root) != root:
        yield f"the tree of size {point.size} is not the one that was signed"


def _open_leaf(runtime: Runtime, session: Session, leaf: log.Leaf, found: Verification) -> Iterator[str]:
    if leaf.body is None or leaf.salt is None:
        found.erased += 1
        if not leaf.erased:
            yield f"leaf {leaf.position} cannot be opened and no erasure covers it"
        return
    found.opened += 1
    body: bytes | None = bytes(leaf.body)
    if leaf.key_id is not None:
        keys = people.person_keys(session, runtime.keys, [leaf.key_id])
        body = _unsealed(keys.get(leaf.key_id), bytes(leaf.body), b"leaf:%d" % leaf.entry_id)
    if not _is_committed(leaf.salt, body, leaf.commitment):
        yield f"leaf {leaf.position}: the event is not what was committed to"
    elif body is not None and json.loads(body).get("event") != leaf.event:
        yield f"leaf {leaf.position}: the row names another event than was committed to"


def _unsealed(key: bytes | None, sealed: bytes, aad: bytes) -> bytes | None:
    """Return the plain bytes, None if they were changed, moved, or have lost their key."""
    try:
        return None if key is None else open_sealed(key, sealed, aad)
    except IntegrityFailure:
        return None


def _is_committed(salt: bytes, body: bytes | None, commitment: bytes) -> bool:
    if body is None or len(salt) != events.SALT_BYTES:
        return False
    return hmac.compare_digest(events.commit(bytes(salt), body), bytes(commitment))


def _walk_consents(runtime: Runtime, session: Session, found: Verification) -> Iterator[str]:
    """Every consent event opens to its commitment, and every leaf over consents covers exactly its events."""
    for page in proofs.consents(session):
        raw = people.person_keys(session, runtime.keys, [row.key_id for row in page if row.body_ct is not None])
        for row in page:
            found.consents += 1
            if row.body_ct is None:
                found.consents_erased += 1
                if not row.erased:
                    yield f"consent event {row.id} cannot be opened and no erasure covers it"
                continue
            body = _unsealed(raw.get(row.key_id), bytes(row.body_ct), b"consent:%d" % row.id)
            if not _is_committed(row.salt, body, row.commitment):
                yield f"consent event {row.id}: the evidence is not what was committed to"
            elif body is not None and not proofs.says_the_same(row.told, body):
                yield f"consent event {row.id}: the row says something else than was committed to"
    yield from _check_groups("consent", proofs.consent_groups(session))
    yield from (f"the consent events of entry {one} are missing" for one in proofs.leaves_without_consents(session))


def _walk_sends(session: Session, found: Verification) -> Iterator[str]:
    for row in proofs.sends(session):
        found.sends += 1
        if row.salt is None:
            found.sends_erased += 1
            if not row.erased:
                yield f"send {row.id}.{row.attempt} has lost its salt and no erasure covers it"
            continue
        if not _is_committed(row.salt, proofs.send_bytes(row), row.commitment):
            yield f"send {row.id}.{row.attempt}: the row is not what was committed to"
    yield from _check_groups("send", proofs.send_groups(session))
    yield from (f"the sends of entry {one} are missing" for one in proofs.leaves_without_sends(session))


def _walk_erasures(session: Session) -> Iterator[str]:
    """What is said to be erased stands under an erasure event that names exactly this."""
    for group in proofs.erasures(session):
        told = group.told or {}
        named = told.get("event") in ("Erased", "ImportTakenBack")
        if group.kind != "erasure" or not named or told.get("digest") != privacy.digest_of(group.items):
            yield f"the erasure of entry {group.entry_id} does not cover what is missing"


def _check_groups(kind: str, groups: Iterator[proofs.Group]) -> Iterator[str]:
    for group in groups:
        digest = hashlib.sha256(b"".join(group.commitments)).hexdigest()
        if group.kind != kind:
            yield f"the {kind} items of entry {group.entry_id} stand under no leaf of theirs"
        elif group.told is None:
            continue
        elif group.told.get("digest") != digest or group.told.get("count") != len(group.commitments):
            yield f"the {kind} leaf of entry {group.entry_id} does not cover its items"


__all__ = ["ORIGIN", "Verification", "sequence", "verify"]
