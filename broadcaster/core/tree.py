"""The Merkle tree of RFC 6962: one hash stands for every leaf of the log, in order.

Below, a *leaf* is always a leaf hash of 32 bytes, as ``leaf_hash`` makes it from a log entry. ``Frontier`` is what the
one who appends needs (one hash per set bit of the size); ``Tree`` is what the one who proves needs (every leaf).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from broadcaster.core.errors import IntegrityFailure

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash one log entry as a leaf (RFC 6962 2.1: prefix 0x00, so that no leaf can pass for a node)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent (RFC 6962 2.1: prefix 0x01)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of an append-only tree: the roots of its full subtrees, largest first.

    At most 64 hashes; appending costs two hashes on average. Stored as 8 bytes of size and then the hashes.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._peaks: list[bytes] = []

    @property
    def size(self) -> int:
        """Return how many leaves have been appended."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf at the end."""
        if len(leaf) != HASH_BYTES:
            raise ValueError(f"a leaf hash has {HASH_BYTES} bytes, not {len(leaf)}")
        carry = self._size
        while carry & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            carry >>= 1
        self._peaks.append(leaf)
        self._size += 1

    def root(self) -> bytes:
        """Return the head of all leaves so far; SHA-256 of nothing while there are none."""
        if not self._peaks:
            return EMPTY_ROOT
        head = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            head = node_hash(peak, head)
        return head

    def to_bytes(self) -> bytes:
        """Return what ``from_bytes`` reads."""
        return self._size.to_bytes(8, "big") + b"".join(self._peaks)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Frontier:
        """Read a stored frontier. Raises IntegrityFailure when the number of hashes does not fit the size."""
        size = int.from_bytes(stored[:8], "big")
        if len(stored) != 8 + HASH_BYTES * size.bit_count():
            raise IntegrityFailure("the stored edge of the log's tree has the wrong length")
        frontier = cls()
        frontier._size = size
        frontier._peaks = [stored[at : at + HASH_BYTES] for at in range(8, len(stored), HASH_BYTES)]
        return frontier


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the head of these leaves."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


class Tree:
    """Every full subtree of a list of leaves, so that many proofs cost little: one pass, then O(log² n) a proof."""

    __slots__ = ("_levels", "size")

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size = len(leaves)
        self._levels = [list(leaves)]
        while len(below := self._levels[-1]) > 1:
            self._levels.append([node_hash(*pair) for pair in zip(below[::2], below[1::2], strict=False)])

    def root(self, size: int | None = None) -> bytes:
        """Return the head of the first *size* leaves, or of all."""
        size = self.size if size is None else size
        _within(size, 0, self.size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Prove that the leaf at *index* is in the head of the first *size* leaves (RFC 6962 2.1.1)."""
        size = self.size if size is None else size
        _within(size, 0, self.size)
        _within(index, 0, size - 1)
        return self._path(index, 0, size)

    def consistency_proof(self, old_size: int, size: int | None = None) -> list[bytes]:
        """Prove that the head of *size* leaves extends the head of the first *old_size* (RFC 6962 2.1.2)."""
        size = self.size if size is None else size
        _within(size, 0, self.size)
        _within(old_size, 0, size)
        return self._extension(old_size, 0, size, complete=True) if 0 < old_size < size else []

    def _range(self, start: int, end: int) -> bytes:
        width = end - start
        if width & (width - 1) == 0:  # a full subtree: the splits of RFC 6962 keep it aligned
            return self._levels[width.bit_length() - 1][start // width]
        middle = start + _split(width)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self._range(middle, end)]
        return [*self._path(index, middle, end), self._range(start, middle)]

    def _extension(self, old_size: int, start: int, end: int, *, complete: bool) -> list[bytes]:
        if old_size == end:
            return [] if complete else [self._range(start, end)]
        middle = start + _split(end - start)
        if old_size <= middle:
            return [*self._extension(old_size, start, middle, complete=complete), self._range(middle, end)]
        return [*self._extension(old_size, middle, end, complete=False), self._range(start, middle)]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Prove that the leaf at *index* (from 0) is in the head of *leaves*; for many proofs keep a ``Tree``."""
    return Tree(leaves).inclusion_proof(index)


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Prove that the head of *leaves* extends the head of the first *old_size* of them."""
    return Tree(leaves).consistency_proof(old_size)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], head: bytes) -> None:
    """Check that *leaf* is entry *index* under *head* of *size* leaves (RFC 9162 2.1.3.2). Raises IntegrityFailure."""
    if not 0 <= index < size:
        raise IntegrityFailure("the log entry lies outside the log")
    at, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0 or len(sibling) != HASH_BYTES:
            raise IntegrityFailure("the inclusion proof has the wrong length")
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    if last or node != head:
        raise IntegrityFailure("the log entry is not in this head of the log")


def verify_consistency(old_size: int, old_head: bytes, size: int, head: bytes, proof: Sequence[bytes]) -> None:
    """Check that *head* of *size* leaves extends *old_head* (RFC 9162 2.1.4.2). Raises IntegrityFailure."""
    if not 0 <= old_size <= size:
        raise IntegrityFailure("the log has become shorter")
    if old_size in (0, size):
        expected = EMPTY_ROOT if old_size == 0 else head
        if proof or old_head != expected or (size == 0 and head != EMPTY_ROOT):
            raise IntegrityFailure("the log has been rewritten")
        return
    if any(len(node) != HASH_BYTES for node in proof):
        raise IntegrityFailure("the consistency proof holds something that is no hash")
    if _replay(old_size, old_head, size, proof) != (old_head, head):
        raise IntegrityFailure("the log has been rewritten")


def _replay(old_size: int, old_head: bytes, size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    nodes = list(proof) if old_size & (old_size - 1) else [old_head, *proof]
    if not proof:
        return None
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, node)
        at, last = at >> 1, last >> 1
    return None if last else (old, new)


def _split(width: int) -> int:
    """Return the largest power of two below *width* (> 1)."""
    return 1 << ((width - 1).bit_length() - 1)


def _within(value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{value} is not between {low} and {high}")
