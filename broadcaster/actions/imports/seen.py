"""A set of digests for a million rows in little memory: eight bytes each, in one table that doubles."""

from __future__ import annotations

from array import array


class Seen:
    """Remembers the first 64 bits of digests; two keyed hashes agree in those once in many lifetimes."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 4096))
        self._count = 0

    def add(self, digest: bytes) -> None:
        number = int.from_bytes(digest[:8], "big") or 1
        if self._put(self._slots, number):
            self._count += 1
            if self._count * 2 > len(self._slots):
                self._grow()

    def __contains__(self, digest: bytes) -> bool:
        number = int.from_bytes(digest[:8], "big") or 1
        slots, mask = self._slots, len(self._slots) - 1
        at = number & mask
        while (found := slots[at]) != 0:
            if found == number:
                return True
            at = (at + 1) & mask
        return False

    def __bool__(self) -> bool:
        return self._count > 0

    def _grow(self) -> None:
        larger = array("Q", bytes(16 * len(self._slots)))
        for number in self._slots:
            if number:
                self._put(larger, number)
        self._slots = larger

    @staticmethod
    def _put(slots: array[int], number: int) -> bool:
        mask = len(slots) - 1
        at = number & mask
        while (found := slots[at]) != 0:
            if found == number:
                return False
            at = (at + 1) & mask
        slots[at] = number
        return True
