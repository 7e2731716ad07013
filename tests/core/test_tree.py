"""The tree against the reference roots of Certificate Transparency, and its proofs against every change of one bit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core import tree
from broadcaster.core.errors import IntegrityFailure

ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
LEAVES = [tree.leaf_hash(entry) for entry in ENTRIES]

REFERENCE_ROOTS = [
    ("e3b0c442", "b855"),
    ("6e340b9c", "a01d"),
    ("fac54203", "c125"),
    ("aeb6bcfe", "6e77"),
    ("d37ee418", "14b7"),
    ("4e3bbb1f", "64d4"),
    ("76e67dad", "87ef"),
    ("ddb89be4", "4c8c"),
    ("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328", "4328"),
]

sizes = st.integers(0, 70)


def some_leaves(count):
    return [tree.leaf_hash(str(n).encode()) for n in range(count)]


def naive_root(leaves):
    """The definition of RFC 6962 2.1, word by word."""
    if not leaves:
        return tree.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return tree.node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size):
    """Any other RFC 6962 implementation must come to the same head."""
    start, end = REFERENCE_ROOTS[size]
    head = tree.root(LEAVES[:size]).hex()
    assert (head.startswith(start), head.endswith(end)) == (True, True)
    assert tree.Tree(LEAVES).root(size).hex() == head


@given(sizes)
def test_root_is_the_definition(size):
    leaves = some_leaves(size)
    assert tree.root(leaves) == naive_root(leaves) == tree.Tree(leaves).root()


@given(sizes, sizes)
def test_a_stored_frontier_goes_on_where_it_stopped(first, more):
    """The sequencer keeps only the frontier between two heads."""
    leaves = some_leaves(first + more)
    frontier = tree.Frontier()
    for leaf in leaves[:first]:
        frontier.append(leaf)
    again = tree.Frontier.from_bytes(frontier.to_bytes())
    for leaf in leaves[first:]:
        again.append(leaf)
    assert (again.size, again.root()) == (first + more, tree.root(leaves))


@pytest.mark.parametrize("stored", [b"", b"\0" * 7, b"\0" * 7 + b"\1", b"\0" * 40])
def test_a_damaged_frontier_is_refused(stored):
    with pytest.raises(IntegrityFailure):
        tree.Frontier.from_bytes(stored)


def test_a_leaf_that_is_no_hash_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        tree.Frontier().append(b"an entry nobody hashed")


@given(st.data())
def test_inclusion_proofs_hold_and_nothing_else_does(data):
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves = some_leaves(size)
    head, proof = tree.root(leaves), tree.inclusion_proof(leaves, index)
    tree.verify_inclusion(leaves[index], index, size, proof, head)
    for other in {0, index - 1, index + 1, size - 1, size} - {index}:
        with pytest.raises(IntegrityFailure):
            tree.verify_inclusion(leaves[index], other, size, proof, head)
    for wrong in wrong_proofs(data, proof):
        with pytest.raises(IntegrityFailure):
            tree.verify_inclusion(leaves[index], index, size, wrong, head)


@given(st.data())
def test_consistency_proofs_hold_and_nothing_else_does(data):
    size = data.draw(sizes)
    old_size = data.draw(st.integers(0, size))
    leaves = some_leaves(size)
    old_head, head, proof = tree.root(leaves[:old_size]), tree.root(leaves), tree.consistency_proof(leaves, old_size)
    tree.verify_consistency(old_size, old_head, size, head, proof)
    with pytest.raises(IntegrityFailure):
        tree.verify_consistency(old_size, tree.leaf_hash(b"rewritten"), size, head, proof)
    if old_size:
        with pytest.raises(IntegrityFailure):
            tree.verify_consistency(old_size, old_head, size, tree.leaf_hash(b"rewritten"), proof)
    for wrong in wrong_proofs(data, proof):
        with pytest.raises(IntegrityFailure):
            tree.verify_consistency(old_size, old_head, size, head, wrong)


def wrong_proofs(data, proof):
    yield [*proof, b"\0" * 32]
    if proof:
        yield proof[:-1]
        at = data.draw(st.integers(0, len(proof) - 1))
        flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        yield [*proof[:at], flipped, *proof[at + 1 :]]
        yield [*proof[:at], proof[at][:-1], *proof[at + 1 :]]


def test_a_shorter_log_is_refused():
    with pytest.raises(IntegrityFailure, match="shorter"):
        tree.verify_consistency(3, tree.root(LEAVES[:3]), 2, tree.root(LEAVES[:2]), [])


def test_proofs_of_an_older_head_come_from_the_same_tree():
    """An auditor asks for the head they were given, not for today's."""
    whole = tree.Tree(LEAVES)
    for size in range(1, 9):
        for index in range(size):
            proof = whole.inclusion_proof(index, size)
            assert proof == tree.inclusion_proof(LEAVES[:size], index)
            tree.verify_inclusion(LEAVES[index], index, size, proof, whole.root(size))


@pytest.mark.parametrize("what,size", [("inclusion_proof", 8), ("consistency_proof", 9), ("root", 9)])
def test_what_is_not_there_cannot_be_proved(what, size):
    with pytest.raises(ValueError, match="between"):
        getattr(tree.Tree(LEAVES), what)(size)
