"""What a message may want, and what was decided of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Intent(StrEnum):
    """What the person wants."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    RIGHTS = "rights"  #: a data-protection request
    UNSURE = "unsure"  #: may be a refusal; pause and ask a person
    NONE = "none"


class Scope(StrEnum):
    """How far a refusal reaches."""

    CHANNEL = "channel"  #: all marketing on the channel it came by
    CHANNELS = "channels"  #: all marketing on the channels it names, and on its own unless that is spared
    TOPIC = "topic"  #: one topic of the organisation; an unknown one closes the channel
    EVERYWHERE = "everywhere"  #: every channel


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, and by which rule, so that an auditor can ask why."""

    intent: Intent
    rule: str
    scope: Scope = Scope.CHANNEL
    topic: str = ""  #: which one, if the scope is a topic
    channels: frozenset[str] = field(default=frozenset())  #: kinds of channel it closes by name
    spared: frozenset[str] = field(default=frozenset())  #: kinds of channel it says may go on

    @property
    def closes(self) -> bool:
        """Say whether sending must stop at once, for good or until a person has looked."""
        return self.intent in (Intent.OPT_OUT, Intent.RIGHTS, Intent.UNSURE)
