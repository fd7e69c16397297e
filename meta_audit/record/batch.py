"""Hold documents as columns, ready to be written.

A `Batch` is plain lists. It refers to terms, pairs and identities by local IDs; the writer maps
these to the IDs of the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from meta_audit.model import Rejection

NO_ENTRY: Final = -1
"""In place of a ledger index."""
KeyValue = tuple[str, str]
RuleColumns = tuple[str, str, str, str]
UseColumns = tuple[str, int, int, int]
"""Kind of a use, and the terms of its type, value and target."""


class Accepted(Struct, array_like=True):
    """The columns with one value per accepted document. IDs are the batch's own."""

    place: Sequence[int] = ()
    """Place in the batch, rejected documents counted too."""
    source: Sequence[int] = ()
    sha256: Sequence[bytes] = ()
    size: Sequence[int] = ()
    content: Sequence[bytes] = ()
    leaf_hash: Sequence[bytes] = ()
    ordinal: Sequence[int] = ()
    line: Sequence[int] = ()
    job_id: Sequence[str] = ()
    namespace: Sequence[int] = ()
    spec_sha256: Sequence[bytes] = ()
    """Empty for executions and events alone, which bring no version."""
    origin: Sequence[int] = ()
    layout: Sequence[int] = ()
    name: Sequence[int] = ()
    type: Sequence[int] = ()
    priority: Sequence[int] = ()
    count: Sequence[int] = ()
    version: Sequence[int] = ()
    created_at: Sequence[int | None] = ()
    attribution_set: Sequence[int] = ()
    state: Sequence[int] = ()
    message: Sequence[int] = ()
    revision: Sequence[int] = ()
    modified_at: Sequence[int | None] = ()
    use_set: Sequence[int] = ()
    supersedes: Sequence[int] = ()
    """Of a document that was read again: the entry that this reading takes the place of."""

    def __len__(self) -> int:
        return len(self.place)


class Rejected(Struct, frozen=True, array_like=True, gc=False):
    """One rejected document."""

    place: int
    source: int
    rejection: Rejection
    content: bytes
    leaf_hash: bytes


class Batch(Struct, array_like=True):
    """The rows of some documents. Each row begins with the place of its document in `accepted`."""

    dictionary: bytes
    accepted: Accepted
    unchanged: int = 0
    """Documents that were read again, and say what they said."""
    rejected: list[Rejected] = []
    tasks: list[int] = []
    """Flat rows: document, task number, terms of name, engine and publisher."""
    levels: list[int] = []
    """Flat rows: document, task number (0: the job), number of its pairs in `meta`."""
    meta: list[int] = []
    """Pairs, in the order of `levels`."""
    labels: list[int] = []
    """Flat rows: document, pair."""
    executions: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    findings: list[tuple[int, int, str, str, str]] = []
    terms: list[str] = []
    pairs: list[KeyValue] = []
    identities: list[str] = []
    rules: list[RuleColumns] = []
    attribution_sets: list[list[tuple[int, int]]] = []
    """Rules and identities."""
    uses: list[UseColumns] = []
    use_sets: list[list[tuple[int, int]]] = []
    """Task numbers and uses."""

    def __len__(self) -> int:
        return len(self.accepted) + len(self.rejected)
