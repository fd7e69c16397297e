"""Check the lookup tables: digests, numbers, and rows that nothing refers to."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from meta_audit.schema.signed_rows import after
from meta_audit.schema.text_digest import digest, pair_digest
from meta_audit.verify.guard import UNREADABLE, guarded, octets, said
from meta_audit.verify.outcome import Check
from meta_audit.verify.values import COUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meta_audit.store.session import Session
    from meta_audit.verify.outcome import Damages
    from meta_audit.verify.work import Tallies, Work

ROWS_PER_QUERY: Final = 20_000
UNIQUE: Final = {
    "terms": "digest",
    "meta_keys": "digest",
    "meta_pairs": "digest",
    "identities": "digest",
    "attribution_sets": "digest",
    "uses": "digest",
    "use_sets": "digest",
    "attribution_rules": "role, basis, trust, verdict",
    "jobs": "job_id, namespace_id",
    "rejection_dismissals": "rejection_id",
    "readings": "supersedes",
    "import_results": "import_id",
    "source_results": "source_id",
    "checkpoints": "import_id",
    "ledger_keys": "verifier",
}
"""Columns that no two rows share; the engine's own index may have been dropped."""
_TEXTS: Final = {"terms": "term", "meta_keys": '"key"', "identities": "value"}


def check_lookup_tables(work: Work) -> None:
    """Check digests and sets, and mark what sets and pairs refer to."""
    for table, text in _TEXTS.items():
        number = COUNTS[table]
        sql = f"SELECT {number}, digest, {text} FROM {table}"  # noqa: S608 - own names
        _check_digests(work, table, sql, lambda row: digest(row[2]))
    keys: dict[int, str] = dict(work.session.query('SELECT key_id, "key" FROM meta_keys'))
    used_keys: set[int] = set()

    def of_pair(row: tuple[int, bytes, str, int]) -> bytes:
        used_keys.add(row[3])
        return pair_digest(keys.get(row[3], ""), row[2])

    sql = "SELECT pair_id, digest, value, key_id FROM meta_pairs"
    _check_digests(work, "meta_pairs", sql, of_pair)
    with guarded(work.session, work.damages, Check.LOOKUPS, "keys of meta_pairs"):
        work.values.used["meta_keys"].mark(used_keys)
    _check_sets(work)
    _check_uses(work)


def _check_digests(work: Work, table: str, sql: str, expected: Callable[..., bytes]) -> None:
    number = COUNTS[table]
    for row in _all(work.session, sql, number):
        try:
            is_right = expected(row) == octets(row[1])
        except UNREADABLE as error:
            work.damages.add(Check.DERIVED, "edited", f"{table} {row[0]}: {said(error)}")
            continue
        if not is_right:
            detail = f"{table} {row[0]} has another digest than its text"
            work.damages.add(Check.DERIVED, "edited", detail)


def _all(session: Session, sql: str, number: str) -> Iterator[tuple[int, ...]]:
    paged = f"{sql} WHERE {number} > ? ORDER BY {number} LIMIT {ROWS_PER_QUERY}"
    last = -(2**63)
    while rows := session.query(paged, last):
        yield from rows
        last = after(last, rows[-1][0])


def _check_sets(work: Work) -> None:
    members: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    sql = "SELECT set_id, rule_id, identity_id FROM attribution_members ORDER BY 1, 2, 3"
    for set_id, rule, identity in work.session.query(sql):
        members[set_id].append((rule, identity))
    for rows in members.values():
        work.values.used["attribution_rules"].mark([rule for rule, _ in rows])
        work.values.used["identities"].mark([identity for _, identity in rows])
    _check_members(work, "attribution_sets", members)


def _check_uses(work: Work) -> None:
    terms: set[int] = set()
    for use_id, known, *row in work.session.query(
        "SELECT use_id, digest, kind, type_id, value_id, target_id FROM uses"
    ):
        terms.update(row[1:])
        if digest(":".join(map(str, row))) != octets(known):
            detail = f"use {use_id} has another digest than its columns"
            work.damages.add(Check.DERIVED, "edited", detail)
    work.values.used["terms"].mark(terms)
    members: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for set_id, *member in work.session.query(
        "SELECT set_id, task_no, use_id FROM use_members ORDER BY set_id, position"
    ):
        members[set_id].append((member[0], member[1]))
    for uses in members.values():
        work.values.used["uses"].mark([use for _, use in uses])
    _check_members(work, "use_sets", members)


def _check_members(
    work: Work, table: str, members: defaultdict[int, list[tuple[int, int]]]
) -> None:
    """Compare sets with the digests of their members, and find members of no set."""
    for set_id, known in work.session.query(f"SELECT set_id, digest FROM {table}"):  # noqa: S608
        text = ",".join([f"{first}:{second}" for first, second in members[set_id]])
        if digest(text) != octets(known):
            detail = f"{table} {set_id} has other members than its digest"
            work.damages.add(Check.DERIVED, "edited", detail)
        del members[set_id]
    for set_id in members:
        detail = f"members of {table} {set_id}, which is not there"
        work.damages.add(Check.LOOKUPS, "added", detail)


def check_unique(work: Work) -> None:
    """Check that no two rows have the same key."""
    for table, columns in UNIQUE.items():
        twice: list[tuple[Any, ...]] = []
        with guarded(work.session, work.damages, Check.LOOKUPS, table):
            twice = work.session.query(
                f"SELECT {columns}, count(*) FROM {table} GROUP BY {columns}"  # noqa: S608
                " HAVING count(*) > 1 LIMIT 10"
            )
        for row in twice:
            detail = f"{table}: {row[-1]} rows are the same in {columns}"
            work.damages.add(Check.LOOKUPS, "added", detail)


def check_unused(tallies: Tallies, damages: Damages) -> None:
    """Check that some other row refers to every row of a dictionary."""
    for table, marks in tallies.used.items():
        at = marks.find(0, 1)
        while at > 0:
            damages.add(Check.LOOKUPS, "added", f"{table} {at} is used by no other row")
            at = marks.find(0, at + 1)
