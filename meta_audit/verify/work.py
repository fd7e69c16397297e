"""Do the work of a verification in parts, in any process and any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from meta_audit.ledger.entry import AcceptedEntry, decode_entry, entry_like
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.parse.readings import readings
from meta_audit.verify.checks.indexes import ByIndex
from meta_audit.verify.difference import READ, difference
from meta_audit.verify.guard import octets
from meta_audit.verify.outcome import KEPT_PER_PART, Check, Damages, OtherReading, VerifyOptions
from meta_audit.verify.unpacking import content_of
from meta_audit.verify.values import RememberedValues

if TYPE_CHECKING:
    from meta_audit.store.session import Session
    from meta_audit.verify.outcome import Damage


MOST_HALVINGS: Final = 1_000
"""Times that a part is done again in halves, to name single rows. Where a page of an index is
damaged, every row behind it fails, and behind the last row is a range without an end."""


class Plan(NamedTuple):
    """Hold what every process must know before it begins."""

    options: VerifyOptions
    entries: int
    """Entries of the ledger."""
    counts: dict[str, int]
    """Rows of each lookup table (`values.COUNTS`)."""


@dataclass
class Tallies:
    """Hold what the parts found and only the whole can judge."""

    damages: list[Damage] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    seen: bytes = b""
    """A byte per entry: 1 where an observation was."""
    accepted: bytes = b""
    """A byte per entry: 1 where a document is."""
    used: dict[str, bytes] = field(default_factory=dict)
    compression: set[int] = field(default_factory=set)
    """Compression dictionaries that documents refer to."""
    not_checked: tuple[str, ...] = ()
    has_bad_text: bool = False
    """True once a text is not UTF-8."""
    readings: tuple[OtherReading, ...] = ()
    """Documents that this version reads otherwise than the one that took them in."""
    reading_count: int = 0


class Work:
    """Hold what one process needs and what it has found."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self.session = session
        self.options = plan.options
        self.entries = plan.entries
        self.by_index = ByIndex(session.query)
        self.values = RememberedValues(session, plan.counts)
        self.damages = Damages()
        self.seen = bytearray(plan.entries)
        self.accepted = bytearray(plan.entries)
        self.compression: set[int] = set()
        self.not_checked: list[str] = []
        self.readings: list[OtherReading] = []
        self.reading_count = 0
        self.halvings = MOST_HALVINGS
        self._superseded: set[int] | None = None

    @property
    def superseded(self) -> set[int]:
        """The entries that a better reading took the place of."""
        if self._superseded is None:
            rows = self.session.query("SELECT supersedes FROM readings")
            self._superseded = {row[0] for row in rows}
        return self._superseded

    def tallies(self) -> Tallies:
        """Return all that was found."""
        return Tallies(
            self.damages.kept,
            self.damages.counts,
            bytes(self.seen),
            bytes(self.accepted),
            {table: bytes(used.marks) for table, used in self.values.used.items()},
            self.compression,
            tuple(self.not_checked),
            self.session.has_bad_text,
            tuple(self.readings),
            self.reading_count,
        )

    def differs(self, job_key: int, index: int, entry: bytes) -> None:
        """Note an entry that is not the leaf's, and say what differs, if the document can tell."""
        rows = decode_if_entry(entry)
        leaf = self.session.query(
            "SELECT leaf_hash FROM ledger_entries WHERE entry_index = ?", index
        )
        detail = "its rows do not give its leaf"
        if isinstance(rows, AcceptedEntry) and leaf:
            for said in self._readings(index, rows):
                if leaf_hash(said) == octets(leaf[0][0]):
                    detail = difference(decode_entry(said), rows)
                    break
            else:
                detail = f"{detail}, nor does its document: the leaf or the rows were changed"
        self.damages.add(Check.ROWS, "edited", detail, entry=index, job=self.job_id(job_key))

    def job_id(self, job_key: int) -> str:
        """Return the ID of a job, empty where there is none."""
        rows = self.session.query("SELECT job_id FROM jobs WHERE job_key = ?", job_key)
        return str(rows[0][0]) if rows else ""

    def parse_again(self, index: int, entry: bytes) -> None:
        """Note where the kept document, parsed again, says something else than the entry."""
        rows = decode_if_entry(entry)
        if not isinstance(rows, AcceptedEntry):
            return
        failed = ""
        entries: list[bytes] = []
        try:
            entries = self._readings(index, rows)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            failed = f"this version fails to read it: {error!r}"
        if entry in entries:
            return
        self.reading_count += 1
        if len(self.readings) < KEPT_PER_PART:
            told = [difference(rows, decode_entry(said), READ) for said in entries]
            detail = failed or min(told, key=len, default="this version does not take the document")
            self.readings.append(OtherReading(index, rows.job_id, detail))

    def _readings(self, index: int, rows: AcceptedEntry) -> list[bytes]:
        """Return the entries that the kept document gives, one per way to read it."""
        content = content_of(self.session, index)
        if content is None:
            return []
        of_bytes = replace(rows, document=sha256(content).digest())
        return list(dict.fromkeys(entry_like(of_bytes, record) for record in readings(content)))


def decode_if_entry(entry: bytes) -> Any:
    """Read an entry written from rows; None where the rows make none."""
    from meta_audit.errors import LedgerError  # noqa: PLC0415

    try:
        return decode_entry(entry)
    except LedgerError:
        return None
