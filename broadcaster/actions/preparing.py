"""From a leased batch to messages ready for the wire: open the address, choose the words, render, build the bytes."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlmodel import Session

from broadcaster.actions import lawful
from broadcaster.actions.organisation import frequency_limits, law
from broadcaster.actions.outbox import told
from broadcaster.actions.rendering import Composer, Person
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.windows import Place, Windows
from broadcaster.channels import registry
from broadcaster.channels.contract import AccountConfig, Sender
from broadcaster.core.deliveries import Idempotency, Reason
from broadcaster.core.errors import InvalidInput, MessageRejected
from broadcaster.core.keys import seal
from broadcaster.core.law.terms import Law
from broadcaster.core.merge_liquid import MissingField
from broadcaster.core.messages import Outbound
from broadcaster.core.pacing import Limit, with_rest
from broadcaster.storage import batches, consent, domains, outbox, people
from broadcaster.storage import deliveries as rows
from broadcaster.storage.batches import LeasedBatch
from broadcaster.storage.deliveries import LoadedStep
from broadcaster.storage.tables import Purpose, Run

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Item:
    """One due step in a worker's hands."""

    step_id: int
    attempt: int
    batch_id: int
    run_id: int
    address_id: int
    purpose_id: int
    above: tuple[int, ...]
    row: LoadedStep = field(repr=False)
    composer: Composer = field(repr=False)
    place: Place
    channel: str
    windows: Windows = field(repr=False)
    law: Law = field(repr=False)
    limits: tuple[Limit, ...] = ()
    barred: bool = False  #: the account's sender may not carry this purpose's messages
    waits_for: int | None = None  #: the mail domain for which its batch waits
    variant_id: int = 0
    outbound: Outbound | None = field(default=None, repr=False)
    prepared: Any = field(default=None, repr=False)


class _Shared(NamedTuple):
    """What all items of a run share."""

    composer: Composer
    above: tuple[int, ...]
    windows: Windows
    limits: tuple[Limit, ...] | None  #: None: they do not apply
    law: Law
    barred: bool


class Preparer:
    """Makes items of one account's batches, and messages of items. Templates are parsed once per run."""

    def __init__(self, runtime: Runtime, config: AccountConfig, *, provider: str, sender: Sender) -> None:
        self._runtime = runtime
        self._config = config
        self._sender = sender
        capabilities = registry.get(provider).capabilities
        self._keyed = capabilities.idempotency is Idempotency.KEYED
        self._sandbox = provider == registry.SANDBOX
        self._runs: dict[int, _Shared] = {}

    def load(self, session: Session, batch: LeasedBatch, *, now: datetime) -> list[Item]:
        """Read a batch's due steps; where workers died over it only the first, unless that is what ends them."""
        if batch.careful and batches.skip_suspect(session, batch.id, now=now):
            logger.error("a message ends whoever builds it", extra={"batch": batch.id})
        key = batch.domain_key
        most = None if key is None else domains.worth_reading(session, batch.account_id, key, now=now)
        due = rows.load_steps(session, batch.id, now=now, most=most)
        if batch.careful and due:
            del due[1:]
            batches.suspect(session, batch.id, due[0].id)
        run = self._run(session, batch.run_id)
        return [
            Item(
                step_id=row.id,
                attempt=row.attempt,
                batch_id=batch.id,
                run_id=batch.run_id,
                address_id=row.address_id,
                purpose_id=run.composer.purpose_id,
                above=run.above,
                row=row,
                composer=run.composer,
                place=Place(row.time_zone, row.address_zones, row.country or row.address_country, row.part_of_day),
                channel=self._config.channel,
                windows=run.windows,
                law=run.law,
                limits=() if run.limits is None else with_rest(run.limits, row.rest_days),
                barred=run.barred,
                waits_for=key,
            )
            for row in due
        ]

    def _run(self, session: Session, run_id: int) -> _Shared:
        known = self._runs.get(run_id)
        if known is None:
            run = session.get_one(Run, run_id)
            above = consent.above(session, run.purpose_id)
            purpose = session.get_one(Purpose, run.purpose_id)
            marketing = purpose.kind == "marketing"
            known = _Shared(
                composer=Composer(self._runtime, session, run),
                above=above,
                windows=Windows.load(session, marketing=marketing),
                limits=frequency_limits(session) if marketing else None,
                law=law(session, purpose=purpose.key, marketing=marketing),
                barred=lawful.barred_sender(session, self._config, purpose) is not None,
            )
            self._runs[run_id] = known
        return known

    def prepare(self, item: Item) -> Reason | None:
        """Render an item and build its bytes; return the reason if that cannot be done."""
        row = item.row
        if item.barred:
            return Reason.NO_ACCOUNT
        if row.address_key is None or row.value_ct is None:
            return Reason.ERASED
        variant = item.composer.words.choose(self._config.channel, row.language)
        if variant is None:
            return Reason.NO_TEMPLATE
        item.variant_id = variant.id
        key = people.unwrap(self._runtime.keys, row.address_key_id, row.address_wrapping, row.address_key)
        try:
            item.outbound = item.composer.compose(
                variant,
                self._person(row),
                to=people.open_address(key, row.address_id, row.value_ct),
                digest=row.digest,
                step_id=item.step_id,
                attempt=0 if self._keyed else item.attempt + 1,
            )
            item.prepared = self._sender.prepare(item.outbound)
        except MissingField:
            return Reason.MISSING_FIELD
        except MessageRejected:
            return Reason.REJECTED
        except InvalidInput:
            return Reason.RENDER_FAILED
        if not self._sandbox:
            item.outbound = None
        return None

    def _person(self, row: LoadedStep) -> Person:
        name: dict[str, str] = {}
        if row.name_ct is not None and row.contact_key is not None:
            key = people.unwrap(self._runtime.keys, row.contact_key_id, row.contact_wrapping, row.contact_key)
            name = people.open_name(key, row.contact_id, row.name_ct)
        return Person(
            first_name=name.get("first", ""),
            last_name=name.get("last", ""),
            language=row.language,
            country=row.country,
            profession=row.profession,
            attributes=row.attributes or {},
        )

    def keep_outbox(self, session: Session, items: Sequence[Item], *, now: datetime) -> None:
        """Keep what the sandbox would have sent, so that a newcomer can read it on screen."""
        if not self._sandbox or not items:
            return
        outbox.add(session, [self._outbox_row(item, now) for item in items])

    def _outbox_row(self, item: Item, now: datetime) -> dict[str, Any]:
        row, out = item.row, item.outbound
        assert out is not None, "the sandbox keeps what it was given"
        assert row.address_key is not None, "and it was given the address"
        key = people.unwrap(self._runtime.keys, row.address_key_id, row.address_wrapping, row.address_key)
        body = seal(key, json.dumps(told(out), ensure_ascii=False).encode(), b"outbox:step:%d" % item.step_id)
        common = {"account_id": self._config.id, "address_id": item.address_id, "message_id": None}
        return {**common, "step_id": item.step_id, "body_ct": body, "created_at": now}
