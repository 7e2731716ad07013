"""One inbound event with everything that is known about it, and the consent event it may be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions.consent import Recorded
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.channels.contract import AccountConfig
from broadcaster.core import keywords
from broadcaster.core.consent import Action, Actor, Source
from broadcaster.core.events import Json
from broadcaster.core.messages import Inbound
from broadcaster.storage import consent
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address


@dataclass(frozen=True, slots=True)
class Told:
    """One event with everything that is known about it."""

    runtime: Runtime
    session: Session
    config: AccountConfig
    event: Inbound
    address: Address
    step_id: int | None
    now: datetime

    @property
    def words(self) -> str:
        """Return what is kept of the person's words."""
        return self.event.text[: registry.capabilities_of(self.config.channel).inbound_max]

    def act(
        self,
        action: Action,
        purpose_id: int,
        *,
        actor: Actor,
        source: Source,
        rule: str = "",
        address_id: int | None = None,
        **evidence: Json,
    ) -> NewConsent:
        """Return the consent event that this inbound event is, at its own address or at another of the person.

        The words stay with the address they came from: somebody else may share the other one.
        """
        own = address_id in (None, self.address.id)
        fact = f"inbound:{self.config.id}:{self.event.event_key}:{purpose_id}:{action.value}"
        said: dict[str, Json] = {"words": self.event.text[:2000], "payload": self.event.payload[:200]}
        return NewConsent(
            key=hashlib.sha256((fact if own else f"{fact}:{address_id}").encode()).digest(),
            address_id=address_id or self.address.id,
            purpose_id=purpose_id,
            action=action,
            actor=actor,
            source=source,
            occurred_at=self._when(action),
            clock=f"account:{self.config.id}",
            evidence={
                **(said if own else {}),
                "rule": rule,
                "detector": keywords.VERSION,
                "event_key": self.event.event_key,
                **evidence,
            },
            step_id=self.step_id if own else None,
        )

    def _when(self, action: Action) -> datetime:
        """A refusal dated by the person's own machine counts from its receipt: a slow clock must not undo it."""
        trusted = registry.capabilities_of(self.config.channel).trusted_clock
        return self.now if not trusted and action in consent_actions.CLOSING else self.event.occurred_at

    def record(self, *acts: NewConsent) -> Recorded:
        return consent_actions.record_in(self.runtime, self.session, acts)

    def marketing(self) -> int:
        return consent.purpose_id(self.session, "marketing")
