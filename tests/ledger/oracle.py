"""Second implementations, written from the specifications alone, to test the first against.

The tree: RFC 9162 §2.1.1, §2.1.3.1 and §2.1.4.1, recursive as the RFC writes them. The entry:
docs/ledger.md on a MessagePack writer from the MessagePack specification.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from meta_audit.model import JobRecord, Rejection


def mth(d: list[bytes]) -> bytes:
    if not d:
        return sha256(b"").digest()
    if len(d) == 1:
        return sha256(b"\x00" + d[0]).digest()
    k = split(len(d))
    return sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = split(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = split(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def head(length: int, forms: tuple[tuple[int, int, int], ...]) -> bytes:
    """The first of `forms` (limit, first byte, width) that holds the length."""
    for limit, first, width in forms:
        if length <= limit:
            if width:
                return bytes([first]) + length.to_bytes(width, "big")
            return bytes([first | length])
    raise OverflowError


def pack(value: Any) -> bytes:
    if value is None:
        return b"\xc0"
    if isinstance(value, str):
        data = value.encode()
        forms = ((31, 0xA0, 0), (255, 0xD9, 1), (65535, 0xDA, 2), (2**32 - 1, 0xDB, 4))
        return head(len(data), forms) + data
    if isinstance(value, bytes):
        return head(len(value), ((255, 0xC4, 1), (65535, 0xC5, 2), (2**32 - 1, 0xC6, 4))) + value
    if isinstance(value, list):
        forms = ((15, 0x90, 0), (65535, 0xDC, 2), (2**32 - 1, 0xDD, 4))
        return head(len(value), forms) + b"".join(map(pack, value))
    assert type(value) is int
    if value >= 0:
        limits = (2**7, 0, 0), (2**8, 0xCC, 1), (2**16, 0xCD, 2), (2**32, 0xCE, 4), (2**64, 0xCF, 8)
        return head(value, tuple((limit - 1, first, width) for limit, first, width in limits))
    for low, first, width in ((-128, 0xD0, 1), (-(2**15), 0xD1, 2), (-(2**31), 0xD2, 4)):
        if value >= -32:
            return value.to_bytes(1, "big", signed=True)
        if value >= low:
            return bytes([first]) + value.to_bytes(width, "big", signed=True)
    return b"\xd3" + value.to_bytes(8, "big", signed=True)


def pairs(mapping: dict[str, str]) -> list[list[str]]:
    return [[key, mapping[key]] for key in sorted(mapping, key=str.encode)]


def attributions(r: JobRecord) -> list[list[str]]:
    rows = [[a.role, a.value, a.basis, a.trust, a.verdict] for a in r.attributions]
    rows.sort(key=lambda row: [text.encode() for text in row])
    return [row for at, row in enumerate(rows) if row not in rows[:at]]


def accepted(digest: bytes, r: JobRecord, uri: str, ordinal: int, line: int) -> bytes:
    version: list[Any] = [
        r.origin,
        r.layout,
        r.spec_sha256,
        r.name,
        r.type,
        r.priority,
        r.count,
        r.version,
    ]
    version += [r.created_at, pairs(r.meta), pairs(r.labels)]
    version.append([[t.name, t.engine, t.publisher, pairs(t.meta)] for t in r.tasks])
    version.append(attributions(r))
    if not r.spec_sha256:
        version = ["activity", "", b"", "", "", 0, 0, 0, None, [], [], [], []]
    form = "meta-audit/accepted/2" if r.uses else "meta-audit/accepted/1"
    entry: list[Any] = [form, "sha256", digest, uri, ordinal, line]
    entry += [r.job_id, r.namespace, *version]
    entry += [r.state, r.state_message, r.revision, r.modified_at]
    executions = []
    for x in r.executions:
        row: list[Any] = [x.execution_id, x.node_id, x.state, x.desired_state, x.message]
        executions.append([*row, x.created_at, x.modified_at])
    entry.append(executions)
    entry.append(
        [[e.time, e.kind, e.execution_id, e.node_id, e.state, e.message] for e in r.events]
    )
    entry.append([[f.code, f.detail] for f in r.findings])
    if r.uses:
        entry.append([[u.task_no, u.kind, u.type, u.value, u.target] for u in r.uses])
    return pack(entry)


def rejected(r: Rejection, uri: str) -> bytes:
    kept = None if r.size == len(r.content) else sha256(r.content).digest()
    where = [uri, r.ordinal, r.line]
    what = [r.reason, r.message, r.size, kept, r.format]
    return pack(["meta-audit/rejected/1", "sha256", r.sha256, *where, *what])
