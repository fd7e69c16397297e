"""Look up texts, pairs, identities and attribution sets by number, in bulk and bounded."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from meta_audit.model import Use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meta_audit.store.session import Session

REMEMBERED: Final = 200_000
"""Values remembered of each kind; then all are forgotten and looked up again."""

COUNTS: Final = {
    "terms": "term_id",
    "meta_pairs": "pair_id",
    "meta_keys": "key_id",
    "identities": "identity_id",
    "attribution_rules": "rule_id",
    "attribution_sets": "set_id",
    "uses": "use_id",
    "use_sets": "set_id",
}
"""Dictionaries: table, and the column that numbers it from 1."""


class Used:
    """Mark the numbers of a dictionary that something refers to, up to its end."""

    def __init__(self, count: int) -> None:
        self.marks = bytearray(count + 1)

    def mark(self, numbers: Iterable[int]) -> None:
        """Mark numbers."""
        marks, end = self.marks, len(self.marks)
        for number in numbers:
            if 0 < number < end:
                marks[number] = 1


Attributions = list[tuple[str, str, str, str, str]]
"""An attribution set, as an entry has it: sorted."""


class RememberedValues:
    """Look up values by number, within one process. Raises `KeyError` where there is none."""

    def __init__(self, session: Session, counts: dict[str, int]) -> None:
        self._session = session
        self.used = {table: Used(counts.get(table, 0)) for table in COUNTS}
        self.terms: dict[int, str] = {}
        self.pairs: dict[str, tuple[str, str]] = {}
        """By the number as text, which is how groups of them are read."""
        self.identities: dict[int, str] = {}
        self.sets: dict[int, Attributions] = {0: []}
        self.uses: dict[int, tuple[Use, ...]] = {0: ()}
        self._uris: dict[int, str] = {}

    def need_terms(self, numbers: Iterable[int]) -> None:
        """Look up terms."""
        sql = "SELECT term_id, term FROM terms WHERE term_id AMONG KEYS"
        self._need("terms", self.terms, set(numbers), lambda keys: self._session.among(sql, keys))

    def need_pairs(self, numbers: set[str]) -> None:
        """Look up pairs."""
        if len(self.pairs) > REMEMBERED:
            self.pairs.clear()
        self.used["meta_pairs"].mark(map(int, numbers))
        missing = sorted(map(int, numbers - self.pairs.keys()))
        sql = (
            'SELECT p.pair_id, k."key", p.value FROM meta_pairs p'
            " JOIN meta_keys k ON k.key_id = p.key_id WHERE p.pair_id AMONG KEYS"
        )
        for number, key, value in self._session.among(sql, missing):
            self.pairs[str(number)] = (key, value)

    def need_uris(self, numbers: Iterable[object]) -> None:
        """Look up the names of sources."""
        if len(self._uris) > REMEMBERED:
            self._uris.clear()
        wanted = {number for number in numbers if isinstance(number, int)}
        sql = "SELECT source_id, uri FROM sources WHERE source_id AMONG KEYS"
        self._uris.update(self._session.among(sql, sorted(wanted - self._uris.keys())))

    def uri(self, source_id: int) -> str:
        """Return the name of a source. Raises `KeyError`."""
        if source_id not in self._uris:
            raise KeyError(f"source {source_id}")
        return self._uris[source_id]

    def need_identities(self, numbers: Iterable[int]) -> None:
        """Look up identities."""
        sql = "SELECT identity_id, value FROM identities WHERE identity_id AMONG KEYS"
        self._need(
            "identities", self.identities, set(numbers), lambda keys: self._session.among(sql, keys)
        )

    def need_sets(self, numbers: Iterable[int]) -> None:
        """Look up attribution sets."""
        sql = (
            "SELECT m.set_id, r.role, i.value, r.basis, r.trust, r.verdict"
            " FROM attribution_members m JOIN attribution_rules r ON r.rule_id = m.rule_id"
            " JOIN identities i ON i.identity_id = m.identity_id WHERE m.set_id AMONG KEYS"
        )

        def found(keys: list[int]) -> Iterable[tuple[int, Any]]:
            members: defaultdict[int, list[Any]] = defaultdict(list)
            for number, *row in self._session.among(sql, keys):
                members[number].append(tuple(row))
            return ((number, sorted(set(rows))) for number, rows in members.items())

        self._need("attribution_sets", self.sets, set(numbers), found)
        self.sets[0] = []

    def need_uses(self, numbers: Iterable[int]) -> None:
        """Look up lists of uses."""
        sql = (
            "SELECT m.set_id, m.position, m.task_no, u.kind, y.term, v.term, g.term"
            " FROM use_members m JOIN uses u ON u.use_id = m.use_id"
            " JOIN terms y ON y.term_id = u.type_id JOIN terms v ON v.term_id = u.value_id"
            " JOIN terms g ON g.term_id = u.target_id WHERE m.set_id AMONG KEYS"
        )

        def found(keys: list[int]) -> Iterable[tuple[int, Any]]:
            members: defaultdict[int, list[Any]] = defaultdict(list)
            for number, *row in sorted(tuple(row) for row in self._session.among(sql, keys)):
                members[number].append(row)
            for number, listed in members.items():
                if [row[0] for row in listed] == list(range(1, len(listed) + 1)):
                    yield number, tuple(Use(*row[1:]) for row in listed)

        self._need("use_sets", self.uses, set(numbers), found)
        self.uses[0] = ()

    def _need(
        self,
        table: str,
        known: dict[int, Any],
        numbers: set[int],
        find: Callable[[list[int]], Iterable[tuple[int, Any]]],
    ) -> None:
        self.used[table].mark(numbers)
        if len(known) > REMEMBERED:
            known.clear()
        missing = sorted(numbers - known.keys())
        if missing:
            known.update(find(missing))
