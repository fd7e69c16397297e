"""The tree and its proofs against the corpus of vectors, two oracles, and every bit flip."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.errors import LedgerError
from meta_audit.ledger.merkle import (
    EMPTY_ROOT,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
)
from meta_audit.ledger.merkle_proof import verify_consistency, verify_inclusion
from tests.ledger import oracle

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/merkle/testdata"

ENTRIES = [b"entry %d" % number for number in range(300)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def root_of(leaves: list[bytes]) -> bytes:
    tree = Tree()
    tree.extend(leaves)
    return tree.root()


ROOTS = [root_of(LEAVES[:size]) for size in range(len(LEAVES) + 1)]


def holds(check: Callable[..., None], *args: Any, **kwargs: Any) -> bool:
    try:
        check(*args, **kwargs)
    except LedgerError:
        return False
    return True


def flips(data: bytes) -> Iterator[bytes]:
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


# The corpus


def run_vector(kind: str, case: dict[str, Any]) -> bool:
    proof = [b64decode(text) for text in case["proof"] or []]

    def field(name: str) -> bytes:
        return b64decode(case[name] or "")

    if kind == "inclusion":
        where = (case["leafIdx"], case["treeSize"])
        return holds(verify_inclusion, field("leafHash"), *where, proof, field("root"))
    where = (case["size1"], case["size2"])
    return holds(verify_consistency, *where, field("root1"), field("root2"), proof)


@pytest.mark.parametrize(("kind", "count"), [("inclusion", 98), ("consistency", 98)])
def test_corpus_gives_the_expected_verdicts(kind: str, count: int) -> None:
    files = sorted((CORPUS / kind).rglob("*.json"))
    if not files:
        pytest.skip("the corpus of Merkle vectors is not beside the repository")
    cases = [(str(file), json.loads(file.read_bytes())) for file in files]
    assert len(cases) == count
    assert [name for name, case in cases if run_vector(kind, case) == case["wantErr"]] == []


# Roots


def test_roots_equal_a_naive_implementation() -> None:
    assert [oracle.mth(ENTRIES[:size]) for size in range(301)] == ROOTS


def test_roots_equal_pymerkle() -> None:
    pymerkle = pytest.importorskip("pymerkle", reason="pymerkle (GPL, a test oracle only)")
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    roots = [tree.get_root()]
    for entry in ENTRIES:
        tree.append_entry(entry)
        roots.append(tree.get_root())
    assert roots == ROOTS


def test_the_empty_tree() -> None:
    assert Tree().root() == EMPTY_ROOT
    assert Tree().frontier == b""
    tree = Tree()
    tree.extend(())
    assert (tree.size, tree.root()) == (0, EMPTY_ROOT)


@given(st.lists(st.integers(0, 70), max_size=8), st.integers(0, 20))
def test_growth_in_any_batches_and_resumed_gives_the_same_tree(
    batches: list[int], start: int
) -> None:
    tree = Tree()
    tree.extend(LEAVES[:start])
    for batch in batches:
        if tree.size + batch > len(LEAVES):
            break
        tree = Tree(tree.size, tree.frontier)
        tree.extend(iter(LEAVES[tree.size : tree.size + batch]))
        assert tree.root() == ROOTS[tree.size]
    one_by_one = Tree()
    for leaf in LEAVES[: tree.size]:
        one_by_one.append(leaf)
    assert one_by_one.frontier == tree.frontier


@pytest.mark.parametrize(("size", "length"), [(-1, 0), (0, 32), (3, 32), (4, 64), (1, 31)])
def test_a_frontier_that_does_not_fit_the_size_is_refused(size: int, length: int) -> None:
    with pytest.raises(LedgerError):
        Tree(size, bytes(length))


def test_a_leaf_of_another_length_is_refused() -> None:
    tree = Tree()
    for leaf in (b"", bytes(31), bytes(33)):
        with pytest.raises(LedgerError):
            tree.extend([LEAVES[0], leaf])
    assert tree.size == 0


# Proofs


def test_proofs_equal_the_recursive_definitions_and_verify() -> None:
    for size in range(1, 66):
        nodes = nodes_of(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(nodes, index, size)
            assert list(proof) == oracle.path(index, ENTRIES[:size])
            verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
        for old in range(1, size + 1):
            proof = consistency_proof(nodes, old, size)
            assert list(proof) == oracle.subproof(old, ENTRIES[:size], True)
            verify_consistency(old, size, ROOTS[old], ROOTS[size], proof)


@given(st.data())
def test_proofs_of_random_sizes_verify(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    nodes = nodes_of(LEAVES)  # A source may hold more than the tree that is asked about.
    proof = inclusion_proof(nodes, index, size)
    verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
    assert not holds(verify_inclusion, LEAVES[index - 1], index, size, proof, ROOTS[size]) or (
        size == 1
    )
    old = index + 1
    verify_consistency(old, size, ROOTS[old], ROOTS[size], consistency_proof(nodes, old, size))


def test_a_node_source_is_asked_for_few_subtrees() -> None:
    asked = []

    def nodes(level: int, index: int) -> bytes:
        asked.append((level, index))
        return bytes(32)

    inclusion_proof(nodes, 123_456, 1_000_000)
    assert len(asked) <= 40
    assert all((index + 1) << level <= 1_000_000 for level, index in asked)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (5, 3), (-1, 3)])
def test_no_inclusion_proof_beyond_the_tree(index: int, size: int) -> None:
    with pytest.raises(LedgerError):
        inclusion_proof(nodes_of(LEAVES), index, size)
    assert not holds(verify_inclusion, LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (6, 5), (-1, 5)])
def test_no_consistency_proof_from_nothing_or_backwards(old: int, new: int) -> None:
    with pytest.raises(LedgerError):
        consistency_proof(nodes_of(LEAVES), old, new)
    assert not holds(verify_consistency, old, new, EMPTY_ROOT, EMPTY_ROOT, [])
    assert not holds(verify_consistency, old, new, EMPTY_ROOT, ROOTS[5], [ROOTS[5]])


def test_a_source_with_missing_leaves_is_refused() -> None:
    with pytest.raises(LedgerError):
        inclusion_proof(nodes_of(LEAVES[:6]), 0, 8)


# Everything altered is refused


@pytest.mark.parametrize("size", [1, 2, 5, 7, 8, 13])
def test_every_bit_flip_of_an_inclusion_is_refused(size: int) -> None:
    for index in range(size):
        proof = list(inclusion_proof(nodes_of(LEAVES), index, size))
        leaf, root = LEAVES[index], ROOTS[size]
        assert not any(holds(verify_inclusion, x, index, size, proof, root) for x in flips(leaf))
        assert not any(holds(verify_inclusion, leaf, index, size, proof, x) for x in flips(root))
        for at, value in enumerate(proof):
            for changed in flips(value):
                bad = [*proof[:at], changed, *proof[at + 1 :]]
                assert not holds(verify_inclusion, leaf, index, size, bad, root)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 5), (3, 7), (4, 8), (6, 8), (7, 13)])
def test_every_bit_flip_of_a_consistency_is_refused(old: int, new: int) -> None:
    proof = list(consistency_proof(nodes_of(LEAVES), old, new))
    first, second = ROOTS[old], ROOTS[new]
    assert not any(holds(verify_consistency, old, new, x, second, proof) for x in flips(first))
    assert not any(holds(verify_consistency, old, new, first, x, proof) for x in flips(second))
    for at, value in enumerate(proof):
        for changed in flips(value):
            bad = [*proof[:at], changed, *proof[at + 1 :]]
            assert not holds(verify_consistency, old, new, first, second, bad)


def altered(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Wrong lengths, extra, missing, doubled and swapped nodes."""
    for at in range(len(proof) + 1):
        for extra in (bytes(32), b"", ROOTS[1], *proof[:1]):
            yield [*proof[:at], extra, *proof[at:]]
    for at, value in enumerate(proof):
        yield [*proof[:at], *proof[at + 1 :]]
        for other in (b"", value[:-1], value + b"\0"):
            yield [*proof[:at], other, *proof[at + 1 :]]
        if at:
            yield [*proof[: at - 1], value, proof[at - 1], *proof[at + 1 :]]


@pytest.mark.parametrize("size", [1, 2, 3, 6, 8, 11, 33])
def test_proofs_of_another_shape_are_refused(size: int) -> None:
    for index in range(size):
        for bad in altered(list(inclusion_proof(nodes_of(LEAVES), index, size))):
            assert not holds(verify_inclusion, LEAVES[index], index, size, bad, ROOTS[size])
        old = index + 1
        for bad in altered(list(consistency_proof(nodes_of(LEAVES), old, size))):
            assert not holds(verify_consistency, old, size, ROOTS[old], ROOTS[size], bad)


def test_a_refusal_names_the_step_that_failed() -> None:
    path = list(inclusion_proof(nodes_of(LEAVES), 3, 7))
    chain = list(consistency_proof(nodes_of(LEAVES), 6, 7))
    for proof, inclusion, consistency in (
        (lambda full: [*full, full[0]], "step 4a", "step 6a"),
        (lambda full: full[:-1], "step 5", "step 7"),
        (lambda full: [full[0], b"", *full[2:]], "32 bytes long", "32 bytes long"),
        (lambda full: [bytes(32), *full[1:]], "step 5", "step 7"),
    ):
        with pytest.raises(LedgerError, match=inclusion):
            verify_inclusion(LEAVES[3], 3, 7, proof(path), ROOTS[7])
        with pytest.raises(LedgerError, match=consistency):
            verify_consistency(6, 7, ROOTS[6], ROOTS[7], proof(chain))
    with pytest.raises(LedgerError, match="step 1"):
        verify_inclusion(LEAVES[3], 7, 7, path, ROOTS[7])
    with pytest.raises(LedgerError, match="step 1"):
        verify_consistency(6, 7, ROOTS[6], ROOTS[7], [])
    chain = list(consistency_proof(nodes_of(LEAVES), 4, 7))
    for root in (b"", ROOTS[4] + b"x"):
        with pytest.raises(LedgerError, match="32 bytes long"):
            verify_consistency(4, 7, root, ROOTS[7], chain)


def test_a_boundary_between_two_hashes_cannot_move() -> None:
    """A leaf of 33 bytes beside a hash of 31 joins to the same 64 bytes."""
    joined = LEAVES[0] + LEAVES[1]
    assert not holds(verify_inclusion, joined[:33], 0, 2, [joined[33:]], ROOTS[2])
    assert not holds(verify_consistency, 1, 2, joined[:33], ROOTS[2], [joined[33:]])


def test_a_node_cannot_pass_for_a_leaf() -> None:
    """Second preimage: the entry H(left) || H(right) is not the node above them."""
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != ROOTS[2]


def test_cve_2022_36111_the_middle_of_a_proof_is_checked() -> None:
    """immudb before 1.4.1 checked the ends of its linear proof and believed its middle.

    Two histories with the same first and last entries and another middle: nothing that holds
    for one may hold for the other, whatever hashes are taken from either, and no hash between
    the first and the last of a proof may be replaced.
    """
    rng = random.Random(36111)
    for size in (5, 8, 21, 64):
        forged = list(LEAVES[:size])
        middle = size // 2
        forged[middle] = leaf_hash(b"forged")
        true_nodes, forged_nodes = nodes_of(LEAVES), nodes_of(forged)
        forged_root = root_of(forged)
        for old in range(middle + 1, size):
            honest = list(consistency_proof(true_nodes, old, size))
            lie = list(consistency_proof(forged_nodes, old, size))
            assert len(honest) == len(lie)
            for _ in range(20):
                mixed = [rng.choice(pair) for pair in zip(honest, lie, strict=True)]
                assert not holds(verify_consistency, old, size, ROOTS[old], forged_root, mixed)
                if mixed != honest:
                    assert not holds(verify_consistency, old, size, ROOTS[old], ROOTS[size], mixed)
            for at in range(1, len(honest) - 1):
                bad = [*honest[:at], rng.randbytes(32), *honest[at + 1 :]]
                assert not holds(verify_consistency, old, size, ROOTS[old], ROOTS[size], bad)
        for index in (0, size - 1):
            lie = inclusion_proof(forged_nodes, index, size)
            assert not holds(verify_inclusion, LEAVES[index], index, size, lie, ROOTS[size])
            verify_inclusion(LEAVES[index], index, size, lie, forged_root)
