"""Report of a verification: checks, damages, other readings."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal, NamedTuple

from meta_audit.answer import Answer
from meta_audit.ledger.step import Step

FORMAT: Final = "meta-audit/verify/1"
KEPT_PER_PART: Final = 50
"""Damages that one part of the work keeps; all are counted."""
SHOWN: Final = 100
"""Damages that the report holds."""

DamageKind = Literal[
    "edited", "missing", "added", "reordered", "bytes", "signature", "root", "outside"
]
"""`bytes`: a kept document is not what its hash says, or something cannot be read at all."""


class Check(IntEnum):
    """Numbers of the checks; they stay the same from version to version."""

    CHECKPOINTS = 1
    SIGNATURES = 2
    NUMBERS = 3
    BYTES = 4
    ROWS = 5
    ROOTS = 6
    CUSTODY = 7
    LOOKUPS = 8
    DERIVED = 9
    OUTSIDE = 10
    DEEP = 11
    SCHEMA = 12
    INDEXES = 13
    VALUES = 14


TITLES: Final[dict[Check, tuple[str, str]]] = {
    Check.CHECKPOINTS: ("checkpoints are well formed and in order", "C2SP tlog-checkpoint"),
    Check.SIGNATURES: ("checkpoints are signed", "C2SP signed-note, RFC 8032 §5.1.7"),
    Check.NUMBERS: (
        "the ledger has no gaps, one document or rejection for each entry",
        "docs/ledger.md",
    ),
    Check.BYTES: ("kept bytes have their hashes", "FIPS 180-4"),
    Check.ROWS: ("entries rebuilt from rows match their leaf hashes", "RFC 9162 §2.1.1"),
    Check.ROOTS: (
        "leaves give the root of every checkpoint, each consistent with the next",
        "RFC 9162 §2.1.1, §2.1.4",
    ),
    Check.CUSTODY: ("rows about imports and sources are those signed", "docs/ledger.md"),
    Check.LOOKUPS: ("no row is missing, none was added", "docs/ledger.md"),
    Check.DERIVED: ("derived tables follow from the others", "docs/ledger.md"),
    Check.OUTSIDE: (
        "checkpoints held outside are the store's",
        "RFC 9162 §2.1.4, C2SP tlog-checkpoint",
    ),
    Check.DEEP: ("documents, parsed again, give their entries", "docs/ledger.md"),
    Check.SCHEMA: ("the schema is the one that this version makes", "docs/schema.md"),
    Check.INDEXES: ("indexes lead to the rows of their tables", "PRAGMA integrity_check, amcheck"),
    Check.VALUES: ("values have the types of their columns", "docs/schema.md"),
}


class Damage(Answer, frozen=True):
    """Describe one thing that is not as it was signed or made."""

    check: int
    kind: DamageKind
    entry: int | None
    """Index in the ledger, where it concerns one entry."""
    job: str
    """ID of the job, where it concerns one."""
    detail: str


class OtherReading(Answer, frozen=True):
    """Note a document that this version reads differently than before. No damage."""

    entry: int
    job: str
    detail: str
    """The difference, in words."""


class Damages:
    """Collect damages: count all, keep the first ones."""

    def __init__(self, limit: int = KEPT_PER_PART) -> None:
        self._limit = limit
        self.kept: list[Damage] = []
        self.counts: dict[int, int] = {}

    def add(
        self,
        check: Check,
        kind: DamageKind,
        detail: str,
        *,
        entry: int | None = None,
        job: str = "",
    ) -> None:
        """Add a damage."""
        self.counts[check] = self.counts.get(check, 0) + 1
        if self.counts[check] <= self._limit:
            told = Damage(int(check), kind, entry, _printable(job), _printable(detail))
            self.kept.append(told)

    def merge(self, kept: list[Damage], counts: dict[int, int]) -> None:
        """Add the damages that a part of the work found."""
        self.kept += kept
        for check, count in counts.items():
            self.counts[check] = self.counts.get(check, 0) + count

    def first(self) -> list[Damage]:
        """Return the first damages by entry; those of no entry come last."""
        kept = sorted(self.kept, key=lambda d: (d.entry is None, d.entry or 0, d.check))
        return kept[:SHOWN]


class Report(Answer, frozen=True):
    """Hold the whole verification. This is the shape of `verify --format json`."""

    format: str
    store: str
    verdict: Literal["intact", "damaged"]
    entries: int
    """Entries of the ledger."""
    signed: int
    """Entries that the newest checkpoint covers."""
    jobs: int
    """Jobs as a report counts them."""
    checkpoints: int
    keys: tuple[str, ...]
    """Verifier keys that signed the checkpoints."""
    steps: tuple[Step, ...]
    damages: tuple[Damage, ...]
    """The first ones, by entry."""
    damage_count: int
    readings: tuple[OtherReading, ...]
    """Documents that this version reads otherwise; the first ones, by entry."""
    reading_count: int
    not_checked: tuple[str, ...]
    """The parts left out, in words; empty if everything was checked."""
    seconds: float
    against: tuple[str, ...] = ()
    """Files of checkpoints that the store was compared with."""


def _printable(text: str) -> str:
    """Write what is no Unicode as an escape."""
    return text.encode(errors="backslashreplace").decode()


class VerifyOptions(NamedTuple):
    """Hold the options of a run; every process gets them."""

    since: int = 0
    """Entries below this index are not checked."""
    deep: bool = False
    secret: int = 0
    """Random, of this run: keys the sums that compare indexes with tables."""
