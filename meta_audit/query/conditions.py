"""Turn expressions of the find language into SQL over `current_jobs j`.

Each term becomes one condition on a job (mostly an EXISTS by the job's key), and where an index
or a small table names the jobs of a term, one query that leads to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.nul import escape_nul, shorten_name
from meta_audit.query.live import live_entry, live_version
from meta_audit.query.numbers import Numbers
from meta_audit.query.public_keys import keys_with_fingerprint
from meta_audit.query.texts import LAST, storable
from meta_audit.query.unknown import KINDS_OF_FIELD, ROLES_OF_FIELD
from meta_audit.search.bounds import bounds
from meta_audit.search.expression import All, AnyOf, Contains, Equals, Has, Is, Matches, Not, When
from meta_audit.search.globs import ANY, ONE, contains, pieces, prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meta_audit.search.expression import Expression, Place
    from meta_audit.store.session import Session


class Sql(NamedTuple):
    """Hold SQL with its parameters."""

    text: str
    parameters: tuple[Any, ...] = ()


class Lead(NamedTuple):
    """Hold a query for the keys of all jobs that match."""

    sql: Sql
    is_exact: bool = False
    """True if all these jobs match, if they are in `current_jobs`."""


NEVER: Final = Sql("1 = 0")
ALWAYS: Final = Sql("1 = 1")
NO_JOB: Final = Sql("SELECT job_key FROM jobs WHERE 1 = 0")
_TOLD: Final = """(
    (SELECT 1 FROM {table} d WHERE d.job_key = j.job_key AND {where} LIMIT 1) IS NOT NULL
    OR (
        SELECT 1 FROM jobs b CROSS JOIN jobs a CROSS JOIN {table} d
        WHERE b.job_key = j.job_key AND a.job_id = b.job_id AND a.job_key <> b.job_key
            AND d.job_key = a.job_key AND {where}
            AND NOT EXISTS (SELECT 1 FROM current_jobs c WHERE c.job_key = a.job_key)
        LIMIT 1) IS NOT NULL)"""
"""Condition that a row tells of a job: under its own key, or under that of documents without a
namespace that belong to it."""
_TASKS: Final[dict[Place, str]] = {"job": " AND e.task_no = 0", "task": " AND e.task_no > 0"}
NO_NAME: Final = 0
"""In place of the name of a job that only executions or events tell of."""
FINGERPRINT: Final = "SHA256:"


class Compiler:
    """Turn expressions into SQL for one state of the store."""

    def __init__(self, session: Session, now: int) -> None:
        self._session = session
        self._now = now
        self._is_reread = bool(session.query("SELECT 1 FROM readings LIMIT 1"))
        self._numbers = Numbers(session)

    def condition(self, expression: Expression) -> Sql:
        """Return the condition that a job matches; it is never NULL."""
        return combined(expression, self._term)

    def _term(self, expression: Expression) -> Sql:
        match expression:
            case Equals() | Matches() | Has():
                return self._of_pair(expression)
            case Contains(text):
                return self._contains(text)
            case When(field, comparison, moment):
                return self._when(field, *bounds(comparison, moment, now=self._now))
            case Is(field, value):
                return self._is(field, value)
        raise TypeError(expression)

    def lead(self, expression: Expression) -> Lead | None:
        """Return a query for the keys of all jobs that match.

        None if finding them would take as long as looking at every job.
        """
        is_exact = not self._is_reread
        match expression:
            case AnyOf(parts):
                leads = [self.lead(part) for part in parts]
                if not all(leads):
                    return None
                known = [lead for lead in leads if lead]
                return Lead(_union([one.sql for one in known]), all(one.is_exact for one in known))
            case Equals() | Matches() | Has():
                return Lead(self._lead_of_pair(expression), is_exact)
            case Contains(text):
                return Lead(self._lead_of_text(text), is_exact)
            case When("seen", comparison, moment):
                seen = self._seen(*bounds(comparison, moment, now=self._now))
                return Lead(self._lead_of_sources(seen))
            case Is(field, value):
                return self._lead_of_field(field, value)
        return None

    # Meta and labels

    def _of_pair(self, term: Equals | Matches | Has) -> Sql:
        if isinstance(term, Equals):
            pairs = self._pairs(term)
            where = Sql(f"e.pair_id IN ({marks(pairs)})", pairs)
            return self._entry(term.place, where) if pairs else NEVER
        of_key = self._fitting(term)
        if of_key is None:
            return NEVER
        return self._entry(
            term.place, of_key, " CROSS JOIN meta_pairs p", " AND p.pair_id = e.pair_id"
        )

    def _entry(self, place: Place, where: Sql, joins: str = "", on: str = "") -> Sql:
        """Return the condition that an entry of the job fits."""
        table = "label_entries" if place == "label" else "meta_entries"
        live = self._live_version("e")
        return Sql(
            f"((SELECT 1 FROM {table} e{joins} WHERE e.job_key = j.job_key{on}"
            f" AND {where.text}{_TASKS.get(place, '')}{live} LIMIT 1) IS NOT NULL)",
            where.parameters,
        )

    def _lead_of_pair(self, term: Equals | Matches | Has) -> Sql:
        if isinstance(term, Equals):
            pairs = self._pairs(term)
            return _of_pairs(term.place, Sql(f"IN ({marks(pairs)})", pairs)) if pairs else NO_JOB
        of_key = self._fitting(term)
        if of_key is None:
            return NO_JOB
        found = f"IN (SELECT p.pair_id FROM meta_pairs p WHERE {of_key.text})"
        return _of_pairs(term.place, Sql(found, of_key.parameters))

    def _pairs(self, term: Equals) -> tuple[int, ...]:
        """Return the numbers of the pairs that the store knows."""
        numbers = (self._numbers.pair(term.key, value) for value in term.values)
        return tuple(number for number in numbers if number is not None)

    def _fitting(self, term: Matches | Has) -> Sql | None:
        """Return what pairs `p` must be to fit; None if the store does not know the key."""
        key = self._numbers.key(term.key)
        if key is None:
            return None
        of_key = Sql("p.key_id = ?", (key,))
        if isinstance(term, Has):
            return of_key
        if not storable(term.pattern):
            return None
        return joined(" AND ", [of_key, self._fits("p.value", term.pattern)])

    def _fits(self, column: str, text: str) -> Sql:
        """Return the condition that a text fits a pattern."""
        pattern = escape_nul(text)
        begin = prefix(pattern)
        fits = Sql(*self._session.fits(column, pieces(pattern)))
        within = Sql(f"{column} >= ? AND {column} < ?", (begin, begin + LAST))
        return joined(" AND ", [*([within] if begin else []), fits])

    # Free text

    def _contains(self, text: str) -> Sql:
        if not storable(text):
            return NEVER
        in_pair = joined(" OR ", [self._holds("k.key", text), self._holds("p.value", text)])
        joins = " CROSS JOIN meta_pairs p CROSS JOIN meta_keys k"
        on = " AND p.pair_id = e.pair_id AND k.key_id = p.key_id"
        in_id = _has_row("jobs w WHERE w.job_key = j.job_key", self._holds("w.job_id", text))
        in_name = _has_row("terms t WHERE t.term_id = j.name_id", self._holds("t.term", text))
        return joined(
            " OR ",
            [
                in_id,
                in_name,
                self._entry("meta", in_pair, joins, on),
                self._entry("label", in_pair, joins, on),
            ],
        )

    def _lead_of_text(self, text: str) -> Sql:
        if not storable(text):
            return NO_JOB
        values, keys = self._holds("p.value", text), self._holds("k.key", text)
        pairs = Sql(
            f"IN (SELECT p.pair_id FROM meta_pairs p WHERE {values.text} OR p.key_id IN ("
            f"SELECT k.key_id FROM meta_keys k WHERE {keys.text}))",
            values.parameters + keys.parameters,
        )
        ids, names = self._holds("w.job_id", text), self._holds("t.term", text)
        named = f"SELECT t.term_id FROM terms t WHERE {names.text}"
        leads = [
            Sql(f"SELECT w.job_key FROM jobs w WHERE {ids.text}", ids.parameters),
            Sql(
                f"SELECT n.job_key FROM current_jobs n WHERE n.name_id IN ({named})",
                names.parameters,
            ),
        ]
        return _union([*leads, _of_pairs("meta", pairs), _of_pairs("label", pairs)])

    def _holds(self, column: str, text: str) -> Sql:
        """Return the condition that a text contains another; the case of A-Z does not count."""
        return Sql(*self._session.fits(column, contains(escape_nul(text)), ignore_case=True))

    # Times

    def _when(self, field: str, start: int | None, end: int | None) -> Sql:
        if field == "seen":
            return self._observed(self._seen(start, end))
        column = f"j.{field}_at"
        between = within(column, start, end)
        return Sql(f"({column} IS NOT NULL AND {between.text})", between.parameters)

    @staticmethod
    def _seen(start: int | None, end: int | None) -> Sql:
        """Return the sources of the imports that began in a time."""
        between = within("m.started_at", start, end)
        return Sql(
            "SELECT s.source_id FROM sources s JOIN imports m ON m.import_id = s.import_id"
            f" WHERE {between.text}",
            between.parameters,
        )

    def _observed(self, sources: Sql) -> Sql:
        where = Sql(f"d.source_id IN ({sources.text})", sources.parameters)
        return self._row_tells("observations", where)

    def _row_tells(self, table: str, where: Sql) -> Sql:
        """Return the condition that a row `d` of a table tells of the job."""
        live = f"{where.text}{self._live_entry('d')}"
        return Sql(_TOLD.format(table=table, where=live), where.parameters * 2)

    @staticmethod
    def _lead_of_sources(sources: Sql) -> Sql:
        where = f"d.source_id IN ({sources.text})"
        return _with_owners("observations", Sql(where, sources.parameters))

    # Fields

    def _is(self, field: str, value: str) -> Sql:
        if not storable(value):
            return NEVER
        match field:
            case "namespace":
                return Sql("j.namespace = ?", (shorten_name(escape_nul(value)),))
            case "state" | "type" | "origin":
                return Sql(f"j.{field} = ?", (escape_nul(value),))
            case "name":
                no_name = () if value else (NO_NAME,)
                numbers = tuple(n for n in (self._numbers.term(value), *no_name) if n is not None)
                return Sql(f"j.name_id IN ({marks(numbers)})", numbers) if numbers else NEVER
            case "import":
                return self._observed(self._of_import(value))
            case "node" | "execution" | "finding" | "image" | "input" | "output":
                told = [self._row_tells(*one) for one in self._told(field, value)]
                return joined(" OR ", told) if told else NEVER
        sets = self._attributed(field, value)
        if sets is None:
            return NEVER
        return Sql(
            "((SELECT 1 FROM job_versions v CROSS JOIN attribution_members m"
            f" WHERE v.job_key = j.job_key AND m.set_id = v.attribution_set AND {sets.text}"
            f"{self._live_version('v')} LIMIT 1) IS NOT NULL)",
            sets.parameters,
        )

    def _lead_of_field(self, field: str, value: str) -> Lead | None:
        if not storable(value):
            return Lead(NO_JOB)
        match field:
            case "namespace" | "state" | "name":
                where = self._is(field, value)
                sql = f"SELECT j.job_key FROM current_jobs j WHERE {where.text}"
                return Lead(Sql(sql, where.parameters), is_exact=True)
            case "type" | "origin":
                return None
            case "import":
                return Lead(self._lead_of_sources(self._of_import(value)))
            case "node" | "execution" | "finding" | "image" | "input" | "output":
                told = self._told(field, value)
                return Lead(_union([_with_owners(*one) for one in told]) if told else NO_JOB)
        sets = self._attributed(field, value)
        if sets is None:
            return Lead(NO_JOB)
        sql = (
            "SELECT v.job_key FROM job_versions v WHERE v.attribution_set IN ("
            f"SELECT m.set_id FROM attribution_members m WHERE {sets.text})"
        )
        return Lead(Sql(sql, sets.parameters), not self._is_reread)

    def _attributed(self, field: str, value: str) -> Sql | None:
        """Return what members `m` of a set of attributions must be; None if nobody is meant."""
        rules = self._rules(field, value)
        if not rules:
            return None
        where = Sql(f"m.rule_id IN ({marks(rules)})", rules)
        if field in ("trust", "verdict"):
            return where
        if field == "key" and value.startswith(FINGERPRINT):
            identities = keys_with_fingerprint(self._session, value)
        else:
            number = self._numbers.identity(value)
            identities = () if number is None else (number,)
        if not identities:
            return None
        named = Sql(f"m.identity_id IN ({marks(identities)})", identities)
        return joined(" AND ", [named, where])

    def _rules(self, field: str, value: str) -> tuple[int, ...]:
        roles: tuple[str, ...] = ROLES_OF_FIELD.get(field, ())
        if field == "trust":
            roles = ("client",)
        elif field == "verdict":
            roles = ("client", "requester")
        sql = f"SELECT rule_id FROM attribution_rules r WHERE r.role IN ({marks(roles)})"
        parameters = roles
        if field in ("trust", "verdict"):
            sql += f" AND r.{field} = ?"
            parameters = (*roles, value)
        return tuple(number for (number,) in self._session.query(sql, *parameters))

    def _told(self, field: str, value: str) -> list[tuple[str, Sql]]:
        """Return the tables whose rows tell of it, each with what a row `d` must be."""
        if field == "execution":
            return [("executions", Sql("d.execution_id = ?", (escape_nul(value),)))]
        if field == "node":
            number = self._numbers.identity(value)
            if number is None:
                return []
            where = Sql("d.node_id = ?", (number,))
            return [("executions", where), ("job_events", where)]
        if field in KINDS_OF_FIELD:
            sets = self._sets_of_uses(KINDS_OF_FIELD[field], value)
            where = Sql(f"d.use_set IN ({sets.text})", sets.parameters)
            return [("observations", where)]
        where = Sql(
            "(d.code = ? OR d.severity = ? OR (d.code >= ? AND d.code < ?))",
            (value, value, f"{value}.", f"{value}.{LAST}"),
        )
        return [("findings", where)]

    def _sets_of_uses(self, kinds: Sequence[str], value: str) -> Sql:
        """Return the lists that hold a use of these kinds; the value may be a pattern."""
        of_kind = (
            "SELECT m.set_id FROM uses u JOIN use_members m ON m.use_id = u.use_id"
            f" WHERE u.kind IN ({marks(kinds)}) AND u.value_id"
        )
        if ANY not in value and ONE not in value:
            number = self._numbers.term(shorten_name(value))
            return Sql(f"{of_kind} = ?", (*kinds, -1 if number is None else number))
        fits = self._fits("t.term", value)
        terms = "SELECT o.value_id FROM uses o JOIN terms t ON t.term_id = o.value_id"
        return Sql(f"{of_kind} IN ({terms} WHERE {fits.text})", (*kinds, *fits.parameters))

    @staticmethod
    def _of_import(number: str) -> Sql:
        return Sql("SELECT s.source_id FROM sources s WHERE s.import_id = ?", (int(number),))

    def _live_version(self, row: str) -> str:
        return f" AND {live_version(row)}" if self._is_reread else ""

    def _live_entry(self, row: str) -> str:
        return f" AND {live_entry(row)}" if self._is_reread else ""


def _of_pairs(place: Place, pairs: Sql) -> Sql:
    table = "label_entries" if place == "label" else "meta_entries"
    where = f"e.pair_id {pairs.text}{_TASKS.get(place, '')}"
    return Sql(f"SELECT e.job_key FROM {table} e WHERE {where}", pairs.parameters)


def _with_owners(table: str, where: Sql) -> Sql:
    """Return the jobs of rows `d`, and those of the same ID, to which they may belong."""
    return Sql(
        "SELECT b.job_key FROM jobs a JOIN jobs b ON b.job_id = a.job_id"
        f" WHERE a.job_key IN (SELECT d.job_key FROM {table} d WHERE {where.text})",
        where.parameters,
    )


def _has_row(rows: str, where: Sql) -> Sql:
    return Sql(f"(SELECT 1 FROM {rows} AND {where.text}) IS NOT NULL", where.parameters)


def _union(leads: Sequence[Sql]) -> Sql:
    return Sql(
        " UNION ALL ".join(lead.text for lead in leads),
        tuple(p for lead in leads for p in lead.parameters),
    )


def combined(expression: Expression, of_term: Callable[[Expression], Sql]) -> Sql:
    """Return the condition of an expression, given those of its terms."""

    def of(part: Expression) -> Sql:
        return combined(part, of_term)

    match expression:
        case All(()):
            return ALWAYS
        case All(parts):
            return joined(" AND ", map(of, parts))
        case AnyOf(parts):
            return joined(" OR ", map(of, parts))
        case Not(part):
            inner = of(part)
            return Sql(f"NOT {inner.text}", inner.parameters)
    return of_term(expression)


def joined(word: str, conditions: Iterable[Sql]) -> Sql:
    """Return conditions joined by a word."""
    listed = list(conditions)
    return Sql(
        f"({word.join(one.text for one in listed)})",
        tuple(p for one in listed for p in one.parameters),
    )


def within(column: str, start: int | None, end: int | None) -> Sql:
    """Return the condition that a time lies within bounds; one of them at least is given."""
    parts = []
    if start is not None:
        parts.append(Sql(f"{column} >= ?", (start,)))
    if end is not None:
        parts.append(Sql(f"{column} < ?", (end,)))
    return joined(" AND ", parts)


def marks(values: Sequence[object]) -> str:
    """Return a parameter mark for each value."""
    return ", ".join("?" * len(values))
