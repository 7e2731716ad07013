"""Every event the log can hold: one frozen class each, ids and field names only, never a value of a person."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar

from broadcaster.core.events import Json, canonical


def milliseconds(moment: datetime) -> int:
    """Return *moment* as whole milliseconds since 1970, UTC."""
    return round(moment.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. ``kind`` is all that the leaf tells in clear."""

    kind: ClassVar[str]

    def canonical(self, *, actor: str, at: datetime) -> bytes:
        """Return the committed bytes: the class, who, when, and the fields."""
        told: dict[str, Json] = {field.name: getattr(self, field.name) for field in fields(self)}
        return canonical({**told, "actor": actor, "at": milliseconds(at), "event": type(self).__name__})


@dataclass(frozen=True, slots=True)
class Changed(Event):
    """A thing that is no person was created, changed or archived: an audience, a template, a setting."""

    kind: ClassVar[str] = "admin"
    what: str
    id: int | str
    verb: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LawChanged(Event):
    """What the organisation asks beyond the law was changed: of which country or purpose, what was and what is."""

    kind: ClassVar[str] = "admin"
    rule: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContactChanged(Event):
    """A contact was created, edited, merged, unmerged or put into a group; names of fields, never values."""

    kind: ClassVar[str] = "contact"
    contact_id: int
    verb: str
    fields: tuple[str, ...] = ()
    other_id: int | None = None


@dataclass(frozen=True, slots=True)
class AddressSeen(Event):
    """An address came to be known."""

    kind: ClassVar[str] = "contact"
    address_id: int
    channel: str


@dataclass(frozen=True, slots=True)
class ConsentEvents(Event):
    """Consent events were recorded; ``digest`` is the SHA-256 over their commitments in the order of their ids."""

    kind: ClassVar[str] = "consent"
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class ImportProgress(Event):
    """An import was uploaded, started, committed a chunk, finished or was undone."""

    kind: ClassVar[str] = "contact"
    import_id: int
    verb: str
    row: int = 0
    created: int = 0
    changed: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class ImportTakenBack(Event):
    """An undo erased what only the import knew; ``digest`` is over the closed consent events, as in ``Erased``."""

    kind: ClassVar[str] = "erasure"
    import_id: int
    contacts: int
    addresses: int
    consents: int
    digest: str


@dataclass(frozen=True, slots=True)
class CampaignMoved(Event):
    kind: ClassVar[str] = "admin"
    campaign_id: int
    verb: str
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class WindowSettled(Event):
    """A window of sends ended; ``digest`` is the SHA-256 over their commitments in the order of their step ids."""

    kind: ClassVar[str] = "send"
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class UnknownResolved(Event):
    """A person decided what became of calls whose end nobody knew: leave, resend, delivered or lost."""

    kind: ClassVar[str] = "admin"
    run_id: int
    decision: str
    step_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MessageSettled(Event):
    """A message outside campaigns ended; ``permit`` names what allowed it."""

    kind: ClassVar[str] = "send"
    message_id: int
    message_kind: str
    permit: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AccountHeld(Event):
    """The provider refused an account's credentials, quota or standing; nothing is sent on it until it is resumed."""

    kind: ClassVar[str] = "admin"
    account_id: int
    outcome: str


@dataclass(frozen=True, slots=True)
class BreakerMoved(Event):
    """An account did not answer and is left alone for so many seconds (``opened``), or answers again (``closed``)."""

    kind: ClassVar[str] = "admin"
    account_id: int
    verb: str
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class SignedIn(Event):
    kind: ClassVar[str] = "admin"
    staff_id: int | None
    success: bool


@dataclass(frozen=True, slots=True)
class Exported(Event):
    """Somebody took data out: what, how many rows, whether unmasked, why."""

    kind: ClassVar[str] = "privacy"
    what: str
    rows: int
    unmasked: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Suppressed(Event):
    """Suppression entries were added or lifted; keyed hashes stand in their own table."""

    kind: ClassVar[str] = "privacy"
    verb: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class PrivacyRequestMoved(Event):
    kind: ClassVar[str] = "privacy"
    request_id: int
    verb: str


@dataclass(frozen=True, slots=True)
class Erased(Event):
    """A person was erased: which erasable halves were closed, as counts and one digest over their ids."""

    kind: ClassVar[str] = "erasure"
    contact_id: int
    request_id: int
    leaves: int
    consents: int
    steps: int
    digest: str
