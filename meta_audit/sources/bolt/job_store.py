"""Find the documents in a job store of Bacalhau: which buckets and keys hold them.

All values are JSON. Left out are evaluations, indexes and the queues of events, which hold
nothing of a job that does not stand elsewhere, and the history that a compute node keeps by
executions alone, which names no job.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meta_audit.sources.bolt.tree import BoltBucket, BoltPair, BoltTree

_JOBS: Final = b"jobs"
"""`jobs/ID/spec` of an orchestrator (pkg/jobstore/boltdb, v1.1 and later), and beside the spec
the buckets `executions`, `job_history` and `execution_history` (to v1.4), `history` (v1.5) and
`versions` (v1.8)."""
_EVALUATIONS: Final = b"evaluations"
_SPEC: Final = b"spec"
_EXECUTIONS: Final = frozenset((b"execution", b"v2_executions"))
"""Of a compute node (pkg/compute/store/boltdb), to v1.4 and from v1.5."""
_MAX_DEPTH: Final = 16
"""Deepest bucket: Bacalhau nests one for each slash in a job's ID, which clients may choose."""


def is_job_store(tree: BoltTree) -> bool:
    """Tell whether a database is one of Bacalhau's."""
    known = _EXECUTIONS | {_JOBS}
    return any(pair.is_bucket and pair.key in known for pair in tree.pairs(tree.root))


def find_documents(tree: BoltTree) -> Iterator[BoltPair]:
    """Yield where the documents of a job store are."""
    for top in tree.pairs(tree.root):
        if not top.is_bucket:
            continue
        if top.key in _EXECUTIONS:
            yield from (p for p in tree.pairs(tree.bucket(top)) if not p.is_bucket)
        elif top.key == _JOBS:
            yield from _below(tree, tree.bucket(top), is_evaluations=False, depth=1)


def _below(
    tree: BoltTree, bucket: BoltBucket, *, is_evaluations: bool, depth: int
) -> Iterator[BoltPair]:
    """Yield all values but evaluations, whatever IDs the jobs have."""
    for pair in tree.pairs(bucket):
        if not pair.is_bucket:
            if not is_evaluations or pair.key == _SPEC:
                yield pair
        elif depth == _MAX_DEPTH:
            tree.note_damage(f"the bucket at byte {pair.offset}", "it lies too deep")
        else:
            below = pair.key == _EVALUATIONS
            yield from _below(tree, tree.bucket(pair), is_evaluations=below, depth=depth + 1)
