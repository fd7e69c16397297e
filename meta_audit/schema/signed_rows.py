"""Read the rows that the extension line of a checkpoint covers, in their order.

Both the writer of checkpoints and `verify` read them here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from meta_audit.errors import DamagedStoreError
from meta_audit.ledger.custody import Custody, CustodyDigest, Extent

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS_PER_QUERY: Final = 1_000

_EXTENT: Final = """
    SELECT (SELECT coalesce(max(import_id), 0) FROM imports),
        (SELECT coalesce(max(source_id), 0) FROM sources),
        (SELECT coalesce(max(result_no), 0) FROM source_results),
        (SELECT coalesce(max(dictionary_id), 0) FROM compression_dictionaries),
        (SELECT coalesce(max(dismissal_no), 0) FROM rejection_dismissals),
        (SELECT coalesce(max(alias_no), 0) FROM identity_aliases),
        (SELECT coalesce(max(question_no), 0) FROM questions)"""
_RESULT: Final = """
    SELECT import_id, finished_at, status, sources, documents, "new", changed, unchanged, rejected,
        known_rejected, known_sources
    FROM import_results WHERE import_id = ?"""
_FIRST_RESULT: Final = 9
"""Columns that a result always had. Those after them are signed only if one is not 0."""
_TORN: Final = """
    SELECT rejection_id, import_id, entry_index FROM rejection_resolutions
    WHERE import_id = ? AND entry_index IS NOT NULL ORDER BY rejection_id"""
_READINGS: Final = """
    SELECT reading_id, supersedes FROM readings
    WHERE reading_id >= ? AND reading_id < ? ORDER BY reading_id"""
_NUMBERED: Final = (
    (
        "import",
        "SELECT import_id, started_at, actor, tool_version, arguments FROM imports",
        "import_id",
        "imports",
    ),
    ("source", "SELECT source_id, import_id, uri FROM sources", "source_id", "sources"),
    (
        "source result",
        "SELECT result_no, source_id, status, message, size, sha256, documents, rejected"
        " FROM source_results",
        "result_no",
        "results",
    ),
    (
        "dictionary",
        "SELECT dictionary_id, content FROM compression_dictionaries",
        "dictionary_id",
        "dictionaries",
    ),
    (
        "dismissal",
        "SELECT dismissal_no, rejection_id, import_id, reason FROM rejection_dismissals",
        "dismissal_no",
        "dismissals",
    ),
    (
        "alias",
        "SELECT alias_no, import_id, identity, name, valid_from, valid_until, reason, withdraws"
        " FROM identity_aliases",
        "alias_no",
        "aliases",
    ),
    (
        "question",
        "SELECT question_no, follows, asked_at, role, actor, command, arguments FROM questions",
        "question_no",
        "questions",
    ),
)
"""Kind, statement, the column that numbers the rows, field of `Extent`."""


class Query(Protocol):
    """Return the rows of one statement, in which `?` stands for a parameter."""

    def __call__(self, sql: str, /, *parameters: object) -> list[tuple[Any, ...]]:
        """Run the statement."""


def extent(query: Query) -> Extent:
    """Return the greatest numbers of the tables about imports."""
    return Extent(*query(_EXTENT)[0])


def custody(
    query: Query,
    import_id: int,
    before: Extent,
    after: Extent,
    sources: tuple[int, int, bytes],
) -> Custody:
    """Return the extension line of the checkpoint of an import.

    `before` is the extent at the checkpoint before, `sources` the row of a `SourcesDigest` over
    the entries since then.
    """
    digest = CustodyDigest()
    for row in query(_RESULT, import_id):
        digest.add("import result", row if any(row[_FIRST_RESULT:]) else row[:_FIRST_RESULT])
    for kind, sql, number, field in _NUMBERED:
        for row in _rows(query, sql, number, getattr(before, field), getattr(after, field)):
            digest.add(kind, [bytes(v) if isinstance(v, memoryview) else v for v in row])
    for row in query(_TORN, import_id):
        digest.add("resolution", row)
    first, count, _ = sources
    for row in query(_READINGS, first, first + count):
        digest.add("reading", row)
    digest.add("entries", sources)
    return Custody(import_id, after, digest.digest())


def after(last: int, number: object) -> int:
    """Return the number from which to read on. Raises `DamagedStoreError` if it does not grow.

    A damaged table may give its rows in another order than it was asked for, and for ever.
    """
    if isinstance(number, int) and number > last:
        return number
    raise DamagedStoreError(f"the rows do not come in order: {number!r:.40} after {last}")


def _rows(query: Query, sql: str, number: str, last: int, end: int) -> Iterator[tuple[Any, ...]]:
    """Yield rows whose number is above `last` and not above `end`, ascending."""
    paged = f"{sql} WHERE {number} > ? AND {number} <= ? ORDER BY {number} LIMIT {ROWS_PER_QUERY}"
    while rows := query(paged, last, end):
        yield from rows
        last = after(last, rows[-1][0])
