"""Look up the IDs of pairs, identities, terms and rules in bulk; add and remember new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.schema.tables import columns
from meta_audit.schema.text_digest import digest, pair_digest
from meta_audit.store.session import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meta_audit.record.batch import KeyValue, RuleColumns, UseColumns
    from meta_audit.store.session import Session

Members = tuple[tuple[int, int], ...]
"""Rule and identity of each attribution of a set, ascending; task number and use of each use of a
list, in their order."""
_TERMS: Final = "SELECT term_id, term FROM terms WHERE term_id AMONG KEYS"
_REQUESTERS: Final = """
    SELECT m.set_id, m.identity_id
    FROM attribution_members m JOIN attribution_rules r ON r.rule_id = m.rule_id
    WHERE m.set_id AMONG KEYS AND r.role = 'requester'"""
REMEMBERED: Final = 100_000
"""Most values remembered of each kind; above that, all are forgotten and looked up again."""


class Lookups:
    """Map values to store IDs, within one writer's transactions."""

    def __init__(self, session: Session, remembered: int = REMEMBERED) -> None:
        self._session = session
        self._remembered = remembered
        self._pairs: dict[Any, int] = {}
        self._keys: dict[Any, int] = {}
        self._identities: dict[Any, int] = {}
        self._terms: dict[Any, int] = {}
        self._rules: dict[Any, int] = {}
        self._sets: dict[Any, int] = {(): 0}
        self._uses: dict[Any, int] = {}
        self._use_sets: dict[Any, int] = {(): 0}
        self._last: dict[str, int] = {}
        """The last ID given, by table."""

    def forget(self) -> None:
        """Forget all IDs: after a rollback they may not be true."""
        for known in (
            self._pairs,
            self._keys,
            self._identities,
            self._terms,
            self._rules,
            self._uses,
        ):
            known.clear()
        self._last.clear()
        self._sets = {(): 0}
        self._use_sets = {(): 0}

    def pairs(self, pairs: Sequence[KeyValue]) -> list[int]:
        """Return the IDs of pairs, in their order."""
        known = self._pairs
        missing = self._missing(known, pairs)
        if missing:
            names = list(dict.fromkeys([key for key, _ in missing]))
            named = ("key_id", "digest", "key")
            keys = dict(zip(names, self._texts(self._keys, names, "meta_keys", named), strict=True))
            self._add(
                known,
                {pair_digest(key, value): (key, value) for key, value in missing},
                "meta_pairs",
                ("pair_id", "digest", "key_id", "value"),
                lambda pair: (keys[pair[0]], pair[1]),
            )
        return [known[pair] for pair in pairs]

    def identities(self, values: Sequence[str]) -> list[int]:
        """Return the IDs of identities, in their order."""
        return self._texts(
            self._identities, values, "identities", ("identity_id", "digest", "value")
        )

    def terms(self, values: Sequence[str]) -> list[int]:
        """Return the IDs of terms, in their order."""
        return self._texts(self._terms, values, "terms", ("term_id", "digest", "term"))

    def attribution_sets(self, sets: Sequence[Members]) -> list[int]:
        """Return the IDs of sets of (rule_id, identity_id), in their order; 0 for the empty set."""
        known = self._sets
        new = self._add_sets(known, sets, "attribution_sets")
        values = [(known[members], *pair) for members in new for pair in members]
        self._insert("attribution_members", values)
        return [known[members] for members in sets]

    def uses(self, uses: Sequence[UseColumns]) -> list[int]:
        """Return the IDs of uses, in their order."""
        known = self._uses
        missing = self._missing(known, uses)
        if missing:
            by_digest = {digest(":".join(map(str, use))): use for use in missing}
            self._add(known, by_digest, "uses", columns("uses"), lambda use: use)
        return [known[use] for use in uses]

    def use_sets(self, sets: Sequence[Members]) -> list[int]:
        """Return the IDs of lists of (task_no, use_id), in their order; 0 for the empty list."""
        known = self._use_sets
        new = self._add_sets(known, sets, "use_sets")
        values = [
            (known[members], position, *use)
            for members in new
            for position, use in enumerate(members, 1)
        ]
        self._insert("use_members", values)
        return [known[members] for members in sets]

    def _add_sets(
        self, known: dict[Any, int], sets: Sequence[Members], table: str
    ) -> list[Members]:
        """Number the sets that are not known, and return those that are new to the store."""
        missing = self._missing(known, sets)
        known[()] = 0
        by_digest = {
            digest(",".join([f"{first}:{second}" for first, second in members])): members
            for members in missing
            if members
        }
        if not by_digest:
            return []
        return self._add(known, by_digest, table, ("set_id", "digest"), lambda _: ())

    def _insert(self, table: str, values: Sequence[tuple[int, ...]]) -> None:
        if values:
            self._session.insert(table, columns(table), rows(values))

    def requesters(self, set_ids: Sequence[int]) -> dict[int, frozenset[int]]:
        """Return the identities, by ID, that sets of attributions name as requesters."""
        if not set_ids:
            return {}
        found: dict[int, set[int]] = {set_id: set() for set_id in set_ids}
        roles = {number: role for (role, *_), number in self._rules.items()}
        held = [(members, s) for members, s in self._sets.items() if s in found]
        for members, set_id in held:
            found[set_id] |= {who for rule, who in members if roles[rule] == "requester"}
        others = sorted(found.keys() - {set_id for _, set_id in held})
        for set_id, who in self._session.among(_REQUESTERS, others):
            found[set_id].add(who)
        return {set_id: frozenset(who) for set_id, who in found.items()}

    def term_texts(self, term_ids: set[int]) -> dict[int, str]:
        """Return the terms that have these IDs."""
        held = {number: term for term, number in self._terms.items() if number in term_ids}
        return held | dict(self._session.among(_TERMS, sorted(term_ids - held.keys())))

    def rules(self, rules: Sequence[RuleColumns]) -> list[int]:
        """Return the IDs of attribution rules, in their order."""
        known = self._rules
        if not all(rule in known for rule in rules):
            sql = "SELECT role, basis, trust, verdict, rule_id FROM attribution_rules"
            known.update({row[:4]: row[4] for row in self._session.query(sql)})
            new = []
            for rule in rules:
                if rule not in known:
                    known[rule] = len(known) + 1
                    new.append((known[rule], *rule))
            table = "attribution_rules"
            self._session.insert(table, columns(table), rows(new))
        return [known[rule] for rule in rules]

    def _texts(
        self, known: dict[Any, int], values: Sequence[str], table: str, named: tuple[str, ...]
    ) -> list[int]:
        missing = self._missing(known, values)
        if missing:
            by_digest = {digest(value): value for value in missing}
            self._add(known, by_digest, table, named, lambda value: (value,))
        return [known[value] for value in values]

    def _missing(self, known: dict[Any, int], values: Sequence[Any]) -> list[Any]:
        if len(known) > self._remembered:
            known.clear()
        return [value for value in values if value not in known]

    def _add(
        self,
        known: dict[Any, int],
        by_digest: dict[bytes, Any],
        table: str,
        named: tuple[str, ...],
        rest: Callable[[Any], tuple[object, ...]],
    ) -> list[Any]:
        """Find values by digest, insert those that are new with the next IDs, and return these."""
        number = named[0]
        last = self._session.query(f"SELECT coalesce(max({number}), 0) FROM {table}")[0][0]  # noqa: S608
        last = max(last, self._last.get(table, 0))
        if last:
            digests = sorted(by_digest)
            sql = f"SELECT digest, {number} FROM {table} WHERE digest AMONG KEYS"  # noqa: S608
            for found, known_number in self._session.among(sql, digests):
                known[by_digest.pop(found)] = known_number
        new = []
        for new_digest, value in sorted(by_digest.items()):
            last += 1
            known[value] = last
            new.append((last, new_digest, *rest(value)))
        self._last[table] = last
        self._session.insert(table, named, rows(new))
        return list(by_digest.values())
