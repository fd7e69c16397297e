"""Turn expressions of the find language into SQL for DuckDB over the tables of a lake.

Each term becomes one condition on a row `j` of `v_jobs`. The tables are the views of the contract,
so a condition says of a lake what `query.conditions` says of a store.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Final

from meta_audit.errors import UsageError
from meta_audit.nul import MARK, escape_nul, shorten_name
from meta_audit.query.conditions import (
    FINGERPRINT,
    NEVER,
    Sql,
    combined,
    joined,
    marks,
    within,
)
from meta_audit.query.texts import storable
from meta_audit.query.unknown import KINDS_OF_FIELD, ROLES_OF_FIELD
from meta_audit.search.bounds import bounds
from meta_audit.search.expression import Contains, Equals, Has, Is, Matches, When
from meta_audit.search.globs import ANY, ONE, contains, like_pattern, pieces, small, stored_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meta_audit.search.expression import Expression, Place

OWNERS: Final = "owners"
"""Table of the jobs to which rows of another number belong (`lake.owners`)."""
_EXISTS: Final = (
    "EXISTS (SELECT 1 FROM {table} e WHERE e.store = j.store AND e.job_key = j.job_key AND {where})"
)
_FOREIGN: Final = (
    f"EXISTS (SELECT 1 FROM {OWNERS} o JOIN {{table}} e ON e.store = o.store"
    " AND e.job_key = o.told_key WHERE o.store = j.store AND o.job_key = j.job_key AND {where})"
)
_LEVELS: Final[dict[Place, str]] = {"job": " AND e.task_no = 0", "task": " AND e.task_no > 0"}
_SMALL: Final = f"translate({{0}}, '{ascii_uppercase}', '{ascii_lowercase}')"
_HOLDS: Final = f"(contains(lower({{0}}), lower(?)) AND contains({_SMALL}, ?))"
"""Condition that a text contains another, in either case of A-Z. `lower` finds more, but fast."""
_BY_STORED_FORM: Final = (
    f"((contains({{0}}, '{MARK}') AND regexp_matches({{0}}, ?))"
    f" OR (NOT contains({{0}}, '{MARK}') AND {{1}}))"
)
"""Condition on a text whose stored form is not the text itself (`meta_audit.nul`).

With CASE, DuckDB would look at each row, not at each value of a dictionary."""
_OF_FIELD: Final = {
    **dict.fromkeys(("namespace", "type", "state", "origin", "name"), ("v_jobs",)),
    **dict.fromkeys((*ROLES_OF_FIELD, "trust", "verdict"), ("v_attributions",)),
    **dict.fromkeys(KINDS_OF_FIELD, ("v_uses",)),
    "node": ("v_executions", "v_events"),
    "execution": ("v_executions",),
    "finding": ("v_findings",),
    "import": ("v_observations",),
}
"""Tables that answer a field."""
WITHOUT_OWNERS: Final = ("v_findings", "v_observations")
"""Views whose rows have the number of their document's job, which may belong to another one."""


def tables_of(term: Expression) -> tuple[str, ...]:
    """Return the tables that a term is answered from."""
    match term:
        case Contains():
            return ("v_jobs", "v_meta", "v_labels")
        case Equals() | Matches() | Has():
            return ("v_labels",) if term.place == "label" else ("v_meta",)
        case When("seen"):
            return ("v_observations",)
        case Is(field):
            return _OF_FIELD[field]
    return ("v_jobs",)


def check_answerable(term: Expression) -> None:
    """Refuse a term that a lake cannot answer. Raises `UsageError`."""
    if term == Is("origin", "activity"):
        raise UsageError(
            "a lake cannot answer origin:activity: it has no row of jobs that are known only from "
            "executions or events",
            advice="Ask the store: `meta-audit find` with the same expression.",
        )


class LakeCompiler:
    """Turn expressions into SQL."""

    def __init__(self, now: int, keys_with: Callable[[str], Sequence[str]]) -> None:
        """`keys_with` returns the public keys that have a fingerprint."""
        self._now = now
        self._keys_with = keys_with

    def condition(self, expression: Expression) -> Sql:
        """Return the condition that a job `j` matches; it is never NULL."""
        return combined(expression, self._term)

    def _term(self, expression: Expression) -> Sql:
        match expression:
            case Equals() | Matches() | Has():
                return _of_pair(expression)
            case Contains(text):
                return _contains(text)
            case When(field, comparison, moment):
                return _when(field, *bounds(comparison, moment, now=self._now))
            case Is(field, value) if storable(value):
                check_answerable(expression)
                return self._is(field, value, escape_nul(value))
            case Is():
                return NEVER
        raise TypeError(expression)

    def _is(self, field: str, value: str, stored: str) -> Sql:
        match field:
            case "namespace":
                return Sql("(j.namespace = ?)", (shorten_name(stored),))
            case "state" | "type" | "origin" | "name":
                return Sql(f"(coalesce(j.{field}, '') = ?)", (stored,))
            case "import":
                return _told("v_observations", Sql("e.import_id = ?", (int(value),)))
            case "node":
                node = Sql("e.node = ?", (stored,))
                return joined(" OR ", [_told("v_executions", node), _told("v_events", node)])
            case "execution":
                return _told("v_executions", Sql("e.execution_id = ?", (stored,)))
            case "finding":
                sql = "(e.code = ? OR e.severity = ? OR starts_with(e.code, ?))"
                return _told("v_findings", Sql(sql, (stored, stored, f"{stored}.")))
            case "image" | "input" | "output":
                return _told("v_uses", _use(KINDS_OF_FIELD[field], value))
            case "trust":
                return _told("v_attributions", Sql("e.role = 'client' AND e.trust = ?", (stored,)))
            case "verdict":
                sql = "e.role IN ('client', 'requester') AND e.verdict = ?"
                return _told("v_attributions", Sql(sql, (stored,)))
        named: tuple[str, ...] = (stored,)
        if field == "key" and value.startswith(FINGERPRINT):
            named = tuple(self._keys_with(value))
        if not named:
            return NEVER
        roles = ROLES_OF_FIELD[field]
        sql = f"e.role IN ({marks(roles)}) AND e.value IN ({marks(named)})"
        return _told("v_attributions", Sql(sql, (*roles, *named)))


def _of_pair(term: Equals | Matches | Has) -> Sql:
    table = "v_labels" if term.place == "label" else "v_meta"
    return joined(
        " OR ",
        [
            _told(table, Sql(f"{where.text}{_LEVELS.get(term.place, '')}", where.parameters))
            for where in _pairs(term)
        ]
        or [NEVER],
    )


def _pairs(term: Equals | Matches | Has) -> Iterator[Sql]:
    """Yield what a pair `e` must be to fit; nothing if no file could hold such a pair."""
    if not storable(term.key):
        return
    key = escape_nul(term.key)
    if isinstance(term, Has):
        yield Sql("e.key = ?", (key,))
    elif isinstance(term, Equals):
        values = tuple(escape_nul(value) for value in term.values if storable(value))
        if values:
            yield Sql(f"e.key = ? AND e.value IN ({marks(values)})", (key, *values))
    elif storable(term.pattern):
        fits = _fits("e.value", term.pattern)
        yield Sql(f"e.key = ? AND {fits.text}", (key, *fits.parameters))


def _fits(column: str, text: str) -> Sql:
    """Return the condition that a text fits a pattern."""
    pattern = pieces(escape_nul(text))
    sql = _BY_STORED_FORM.format(column, f"{column} LIKE ? ESCAPE '\\'")
    return Sql(sql, (stored_regex(pattern, ignore_case=False), like_pattern(pattern)))


def _holds(column: str, text: str) -> Sql:
    """Return the condition that a text contains another; the case of A-Z does not count."""
    stored = escape_nul(text)
    sql = _BY_STORED_FORM.format(column, _HOLDS.format(column))
    regex = stored_regex(contains(stored), ignore_case=True)
    return Sql(sql, (regex, small(stored), small(stored)))


def _contains(text: str) -> Sql:
    if not storable(text):
        return NEVER
    in_pair = joined(" OR ", [_holds("e.key", text), _holds("e.value", text)])
    of_job = [_holds("j.job_id", text), _holds("coalesce(j.name, '')", text)]
    return joined(" OR ", [*of_job, _told("v_meta", in_pair), _told("v_labels", in_pair)])


def _when(field: str, start: int | None, end: int | None) -> Sql:
    if field == "seen":
        return _told("v_observations", within("e.observed_ns", start, end))
    between = within(f"j.{field}_ns", start, end)
    return Sql(f"(j.{field}_ns IS NOT NULL AND {between.text})", between.parameters)


def _use(kinds: Sequence[str], value: str) -> Sql:
    """Return what a use `e` must be; the value may be a pattern."""
    if ANY in value or ONE in value:
        fits = _fits("e.value", value)
    else:
        fits = Sql("e.value = ?", (escape_nul(shorten_name(value)),))
    return Sql(f"e.kind IN ({marks(kinds)}) AND {fits.text}", (*kinds, *fits.parameters))


def _told(table: str, where: Sql) -> Sql:
    """Return the condition that a row `e` of a table tells of the job."""
    own = Sql(_EXISTS.format(table=table, where=where.text), where.parameters)
    if table not in WITHOUT_OWNERS:
        return own
    foreign = Sql(_FOREIGN.format(table=table, where=where.text), where.parameters)
    return joined(" OR ", [own, foreign])
