"""Write one chunk by bulk statements, in the caller's transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions import consent as consents
from broadcaster.actions.consent import Recorded
from broadcaster.actions.imports.judging import Judge
from broadcaster.actions.imports.plan import ChunkPlan, Person
from broadcaster.actions.imports.preparing import Chunk
from broadcaster.actions.imports.reading import Job
from broadcaster.actions.imports.sealing import Sealer, Stock, Tables, Verdict
from broadcaster.actions.runtime import Runtime
from broadcaster.core.contacts import SECRET_FIELDS
from broadcaster.core.import_known import KnownContact
from broadcaster.storage import consent as ledger
from broadcaster.storage import contacts
from broadcaster.storage import imports as rows
from broadcaster.storage.database import allocate


def stock(session: Session, *, contacts: int, addresses: int, events: int, at: datetime) -> Stock:
    """Reserve ids for so many contacts, addresses and consent events."""
    return Stock(
        allocate(session, "person_key", contacts + addresses),
        allocate(session, "address", addresses),
        allocate(session, "contact", contacts),
        allocate(session, "consent_event", events),
        allocate(session, "log_entry", 1)[0],
        at,
    )


def reserve(runtime: Runtime, job: Job) -> Stock:
    """Reserve what one chunk needs at most."""
    columns = [target.removeprefix("address:").partition("#")[0] for target in job.mapping.columns]
    places = sum(target.startswith("address:") for target in job.mapping.columns)
    acts = sum(columns.count(rule.channel) for rule in job.mapping.consents)
    with runtime.db.transaction() as session:
        count = job.chunk_rows
        return stock(session, contacts=count, addresses=count * places, events=count * acts, at=runtime.db.now(session))


class Writer:
    """Writes a chunk: addresses, contacts, links, history, consent. The caller writes the log event and commits."""

    def __init__(self, runtime: Runtime, session: Session, *, job: Job, now: datetime):
        self.runtime, self.session, self.job, self.now = runtime, session, job, now
        told = (job.import_id, job.sha256, job.staff_id)
        self.sealer = Sealer(job.keys, job.catalogue, *told, secrets.token_bytes)

    def write_sealed(self, chunk: Chunk) -> None:
        """Write what a chunk has ready; nobody in it is known."""
        self._insert(chunk.tables)
        rows.insert_rejects(self.session, self.job.import_id, chunk.rejects)

    def write(self, plan: ChunkPlan, judge: Judge) -> Recorded:
        """Write a plan; return what became of consent at addresses we knew (to be waited out after the commit)."""
        verdicts: list[Verdict] = [(act, *verdict) for act in plan.acts if (verdict := judge.judge(act)) is not None]
        known = [one for one in verdicts if one[0].place.id is not None]
        fresh = [one for one in verdicts if one[0].place.id is None]
        ids = stock(self.session, contacts=len(plan.people), addresses=len(plan.places), events=len(fresh), at=self.now)
        tables = self.sealer.seal(plan, fresh, judge, ids)
        self.sealer.ties(plan.edited, tables, at=self.now)
        self._insert(tables)
        self._edits([person for person in plan.edited if person.known is not None])
        rows.insert_rejects(self.session, self.job.import_id, plan.rejects)
        acts = [self.sealer.consent(*one) for one in known]
        return consents.record_in(self.runtime, self.session, acts) if acts else Recorded()

    def _insert(self, tables: Tables) -> None:
        ledger.record_leaf(self.session, tables.get("consent_event", ()), at=self.now)
        rows.insert(self.session, tables)

    def _edits(self, edited: Sequence[Person]) -> None:
        plain: list[tuple[int, dict[str, Any]]] = []
        history: list[tuple[KnownContact, str, Any, Any]] = []
        for person in edited:
            known = person.known
            assert known is not None, "only contacts we know are edited"
            changes = self._history(person, known)
            if changes and (known.key is None or any(name in SECRET_FIELDS for name in person.changes)):
                self._secrets(person, known)
            values = {name: after for name, (_, after) in person.changes.items() if name not in SECRET_FIELDS}
            if changes:
                plain.append((known.id, values))
            history.extend((known, *change) for change in changes)
        rows.update_plain(self.session, plain, now=self.now)
        rows.insert_history(self.session, self.runtime.keys, history, import_id=self.job.import_id, now=self.now)

    def _history(self, person: Person, known: KnownContact) -> list[tuple[str, Any, Any]]:
        changes = [(name, before, after) for name, (before, after) in person.changes.items()]
        if person.interests:
            changes.append(("interests", sorted(known.interests), sorted(known.interests | person.interests)))
        return changes

    def _secrets(self, person: Person, known: KnownContact) -> None:
        row = contacts.get(self.session, known.id, lock=True)
        contacts.put_secrets(
            self.session, self.runtime.keys, row, {name: person.fields.get(name) for name in SECRET_FIELDS}
        )
        self.session.flush()
        known.key = contacts.key_of(self.session, self.runtime.keys, row)
