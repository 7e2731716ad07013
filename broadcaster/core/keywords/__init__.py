"""What an inbound message wants: to stop, to join, help, a right, or none of these."""

from broadcaster.core.keywords.engine import VERSION, classify
from broadcaster.core.keywords.intents import Decision, Intent, Scope
from broadcaster.core.keywords.scopes import phrase

__all__ = ["VERSION", "Decision", "Intent", "Scope", "classify", "phrase"]
