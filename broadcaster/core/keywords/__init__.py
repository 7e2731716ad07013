"""What an inbound message wants: to stop, to join, help, a right, or none of these."""

from broadcaster.core.keywords.engine import VERSION, Decision, Scope, classify
from broadcaster.core.keywords.intents import Intent

__all__ = ["VERSION", "Decision", "Intent", "Scope", "classify"]
