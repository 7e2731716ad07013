"""How many calls of a lane may be open at once: what has a slot, and what will soon find one. Pure; no clock."""

from __future__ import annotations

#: Calls that wait for a slot pass the gate too, as many as will start within this time: many share an exchange's cost.
_AHEAD_SECONDS = 0.15
#: No more than this many of them, however many slots there are.
_AHEAD_MAX = 256
#: Where there are few slots (mail has ten connections) so many may wait all the same, while all goes well.
_AHEAD_FEW = 64
#: This part of them is left waiting when an exchange begins, or slots would stand empty as long as it takes.
_LEFT = 4
#: After a longer gap nothing was on the wire, which says nothing of the pace.
_GAP_SECONDS = 1.0
_STEP = 16
_LATEST_WEIGHS = 0.3


class Flow:
    """Follows how fast calls end and whether they start in time. Times are seconds of one steady clock."""

    def __init__(self, slots: int, *, now: float) -> None:
        self._capacity = max(slots, 1)
        self._most = self._capacity + _AHEAD_MAX  #: calls open at once: fewer when some come too late, then more
        self._ahead = 0  #: calls that may wait for a slot
        self._pace = 0.0  #: calls that end in a second
        self._accepted = 0  #: one after the other
        self._ended = now

    def room(self, free: int, *, flying: int) -> int:
        """Return how many more calls may pass the gate now, with *free* slots and *flying* calls open."""
        if free:
            self._capacity = free + flying
        # no more than there are slots, or a few: all of it would be unknown if we died, though none of it had begun
        few = min(self._accepted, _AHEAD_FEW)
        self._ahead = min(int(self._pace * _AHEAD_SECONDS), max(self._capacity, few), _AHEAD_MAX)
        return max(min(self._capacity + self._ahead, self._most) - flying, 0)

    def overfull(self, flying: int) -> bool:
        """Say whether more calls wait for a slot than will take one while the next exchange goes on."""
        return flying > self._capacity + self._ahead // _LEFT

    def gated(self, *, too_late: bool) -> None:
        """Take in whether calls of the last exchanges came too late to start."""
        most = self._capacity + _AHEAD_MAX
        self._most = max(min(self._most, most) // 2, 1) if too_late else min(self._most + _STEP, most)

    def ended(self, *, accepted: bool) -> None:
        """Take in how one call ended."""
        self._accepted = self._accepted + 1 if accepted else 0

    def waited(self, calls: int, *, begun: float, now: float, pause: float) -> None:
        """Take in that *calls* ended in a wait from *begun* to *now*, or since the wait before it."""
        since = begun - pause if begun - self._ended > _GAP_SECONDS else self._ended
        self._pace += (calls / max(now - since, 1e-3) - self._pace) * _LATEST_WEIGHS
        self._ended = now
