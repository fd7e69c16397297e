"""Checks of proofs, step by step as RFC 9162 writes them, without the tree.

Each function returns None when the proof holds and raises `LedgerError` when it does not. A
comment names the step of the section that the docstring cites.

One check comes before every first step: hashes are 32 bytes. Node hashes carry no lengths, so
with a hash of 31 bytes beside one of 33 other children would give the same parent.
"""

from __future__ import annotations

from collections.abc import Sequence

from meta_audit.errors import LedgerError
from meta_audit.ledger.merkle import HASH_BYTES, node_hash


def _check_lengths(hashes: Sequence[bytes]) -> None:
    """Refuse hashes that are not 32 bytes long."""
    if any(len(value) != HASH_BYTES for value in hashes):
        raise LedgerError(f"the proof holds a hash that is not {HASH_BYTES} bytes long")


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that leaf hash `leaf` is at `index` of the tree (size, root): RFC 9162 §2.1.3.2."""
    _check_lengths((leaf, *proof))
    if not 0 <= index < size:  # 1
        raise LedgerError(f"leaf {index} is beyond the tree of {size} leaves (§2.1.3.2 step 1)")
    fn, sn = index, size - 1  # 2
    r = leaf  # 3
    for p in proof:  # 4
        if sn == 0:  # 4a
            raise LedgerError("the inclusion proof is too long (§2.1.3.2 step 4a)")
        if fn & 1 or fn == sn:  # 4b
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1  # 4c
    if sn != 0:  # 5
        raise LedgerError("the inclusion proof is too short (§2.1.3.2 step 5)")
    if r != root:
        raise LedgerError("the inclusion proof leads to another root (§2.1.3.2 step 5)")


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the first tree is a prefix of the second: RFC 9162 §2.1.4.2.

    The RFC takes 0 < first < second. Equal sizes need equal roots and an empty proof; from an
    empty tree, or backwards, nothing can be proved and the check fails.
    """
    _check_lengths(proof)
    if not 0 < first <= second:
        raise LedgerError(f"no proof can lead from {first} leaves to {second}")
    if first == second:
        if proof:
            raise LedgerError("a consistency proof between equal sizes must be empty")
        if first_root != second_root:
            raise LedgerError(f"two different roots for the same {first} leaves")
        return
    if not proof:  # 1
        raise LedgerError("the consistency proof is empty (§2.1.4.2 step 1)")
    path = list(proof)
    if first & (first - 1) == 0:  # 2
        _check_lengths((first_root,))
        path.insert(0, first_root)
    fn, sn = first - 1, second - 1  # 3
    while fn & 1:  # 4
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]  # 5
    for c in path[1:]:  # 6
        if sn == 0:  # 6a
            raise LedgerError("the consistency proof is too long (§2.1.4.2 step 6a)")
        if fn & 1 or fn == sn:  # 6b
            fr = node_hash(c, fr)
            sr = node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1  # 6c
    if fr != first_root:  # 7
        raise LedgerError("the consistency proof leads to another old root (§2.1.4.2 step 7)")
    if sr != second_root:
        raise LedgerError("the consistency proof leads to another new root (§2.1.4.2 step 7)")
    if sn != 0:
        raise LedgerError("the consistency proof is too short (§2.1.4.2 step 7)")
