"""Read from a store what goes into the tables of a lake."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from meta_audit.lake.tables import arrow_schema, columns, order
from meta_audit.ledger.entry import rejected_entry
from meta_audit.model import Rejection
from meta_audit.store.frames import decompress
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.outcome import VerifyOptions
from meta_audit.verify.work import Plan, Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from meta_audit.store.session import Row, Session

_TOUCHED: Final = """
    SELECT DISTINCT job_key FROM observations WHERE document_id >= ? AND document_id < ?"""
_SAME_ID: Final = """
    SELECT DISTINCT b.job_key FROM jobs a JOIN jobs b ON b.job_id = a.job_id
    WHERE a.job_key AMONG KEYS"""
_KNOWN: Final = """
    SELECT b.job_key, min(o.document_id)
    FROM jobs b JOIN jobs a ON a.job_id = b.job_id JOIN observations o ON o.job_key = a.job_key
    WHERE b.job_key AMONG KEYS GROUP BY b.job_key"""
"""The first entry of each job, or of another one of its ID: with it the rows of all are written."""
_VERSIONS: Final = """
    SELECT job_key, version_no, min(document_id) FROM observations
    WHERE job_key AMONG KEYS AND version_no > 0 GROUP BY job_key, version_no"""
_LEAVES: Final = """
    SELECT entry_index, leaf_hash FROM ledger_entries
    WHERE entry_index >= ? AND entry_index < ? ORDER BY entry_index"""
_REJECTIONS: Final = """
    SELECT r.rejection_id, s.uri, r.ordinal, r.line, r.reason, r.message, r.format, r.sha256,
        r.size, r.content
    FROM rejections r JOIN sources s ON s.source_id = r.source_id
    WHERE r.rejection_id >= ? AND r.rejection_id < ?"""
_DOCUMENTS: Final = """
    SELECT document_id, sha256, size, dictionary_id, content FROM documents
    WHERE document_id >= ? AND document_id < ?"""
_DICTIONARIES: Final = "SELECT dictionary_id, content FROM compression_dictionaries"
_CHECKPOINTS: Final = """
    SELECT c.checkpoint_id, c.tree_size, c.note, k.verifier FROM checkpoints c
    JOIN ledger_keys k ON k.key_no = (
        SELECT max(n.key_no) FROM ledger_keys n WHERE n.import_id <= c.import_id)
    WHERE c.tree_size <= ? ORDER BY c.checkpoint_id"""
_VERSION_NO: Final = "version_no"
_ENTRY: Final = {"v_rejections": "rejection_id", "v_readings": "entry_index"}


class Touched:
    """Hold the jobs that some entries tell of, and all jobs of the same IDs."""

    def __init__(self, session: Session, low: int, high: int) -> None:
        keys = [row[0] for row in session.query(_TOUCHED, low, high)]
        self.keys = sorted({row[0] for row in session.among(_SAME_ID, sorted(keys))})
        first: dict[int, int] = dict(session.among(_KNOWN, self.keys))
        self.known = [key for key in self.keys if first.get(key, low) < low]
        """Those of them whose rows older entries brought."""
        self._session = session
        self._versions: dict[tuple[int, int], int] = {}
        for key, version_no, entry in session.among(_VERSIONS, self.keys):
            self._versions[key, version_no] = entry

    def rows(self, view: str, end: int) -> list[list[Any]]:
        """Return the columns of a view for these jobs, as entries below `end` tell of them."""
        names = [name for name, _ in columns(view)]
        listed = ", ".join(f'"{name}"' for name in names)
        sql = f"SELECT {listed} FROM {view} WHERE job_key AMONG KEYS"  # noqa: S608 - own names
        found: Iterable[Row] = self._session.among(sql, self.keys)
        if "entry_index" in names and view != "v_jobs":
            at = names.index("entry_index")
            found = (row for row in found if row[at] < end)
        elif _VERSION_NO in names and view != "v_jobs":
            at, key = names.index(_VERSION_NO), names.index("job_key")
            first = self._versions
            found = (row for row in found if first.get((row[key], row[at]), end) < end)
        return [list(column) for column in zip(*found, strict=True)]


def entries(session: Session, touched: Touched, low: int, high: int) -> list[list[Any]]:
    """Return the columns of `entries`: each written from the rows of the store."""
    work = Work(session, Plan(VerifyOptions(), 0, {}))
    written = {
        index: ("accepted", entry)
        for index, entry in JobRange.among(work, touched.keys).entries().items()
        if low <= index < high
    }
    for number, uri, ordinal, line, reason, message, format_, digest, size, frame in session.query(
        _REJECTIONS, low, high
    ):
        content = decompress(bytes(frame), b"")
        rejection = Rejection(reason, message, content, ordinal, line, size, bytes(digest), format_)
        written[number] = ("rejected", rejected_entry(rejection, uri))
    rows = [
        (index, *written.get(index, ("missing", b"")), bytes(leaf))
        for index, leaf in session.query(_LEAVES, low, high)
    ]
    return [
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[3] for row in rows],
        [row[2] for row in rows],
    ]


def documents(session: Session, low: int, high: int) -> list[list[Any]]:
    """Return the columns of `documents`: the kept bytes, of rejections too."""
    dictionaries = {number: bytes(content) for number, content in session.query(_DICTIONARIES)}
    dictionaries[0] = b""
    rows = [
        (number, bytes(digest), size, decompress(bytes(frame), dictionaries[dictionary]))
        for number, digest, size, dictionary, frame in session.query(_DOCUMENTS, low, high)
    ]
    rows += [
        (row[0], bytes(row[7]), row[8], decompress(bytes(row[9]), b""))
        for row in session.query(_REJECTIONS, low, high)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def checkpoints(session: Session, end: int) -> list[list[Any]]:
    """Return the columns of the checkpoints, each with the key that its store names."""
    return [list(column) for column in zip(*session.query(_CHECKPOINTS, end), strict=True)]


def whole(session: Session, view: str, end: int) -> list[list[Any]]:
    """Return the columns of all rows of a view, but those of entries from `end` on."""
    listed = ", ".join(f'"{name}"' for name, _ in columns(view))
    sql = f"SELECT {listed} FROM {view}"  # noqa: S608 - own names
    entry = _ENTRY.get(view)
    rows = session.query(f"{sql} WHERE {entry} < ?", end) if entry else session.query(sql)
    return [list(column) for column in zip(*rows, strict=True)]


def as_arrow(table: str, store: str, found: Sequence[list[Any]]) -> pa.Table | None:
    """Return columns as an Arrow table, in the order in which files keep them."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if not found:
        return None
    schema = arrow_schema(table)
    arrays = [pa.array([store] * len(found[0]), pa.string())]
    for (_, type_), values in zip(columns(table), found, strict=True):
        field = schema.field(len(arrays))
        if type_ == "time":
            values = list(map(_microseconds, values))  # noqa: PLW2901
        elif type_ == "json":
            values = list(map(_text, values))  # noqa: PLW2901
        arrays.append(pa.array(values, field.type))
    rows = pa.Table.from_arrays(arrays, schema=schema)
    return rows.sort_by(order(table))


def _microseconds(time: Any) -> datetime | None:
    """Return a time as it is in a file; the columns `…_ns` have it exactly."""
    if time is None or isinstance(time, datetime):
        return time
    return datetime.fromisoformat(f"{time[:26]}+00:00")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    from meta_audit.render.json import to_json  # noqa: PLC0415

    return to_json(value, indent=0).decode().rstrip("\n")


def steps(low: int, high: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range of entries into steps."""
    for start in range(low, high, size):
        yield start, min(start + size, high)
