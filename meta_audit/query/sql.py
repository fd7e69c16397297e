"""Answer queries that a person wrote in SQL; describe the views that they can ask."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from meta_audit.answer import Answer
from meta_audit.errors import UsageError
from meta_audit.query.script import statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.store.session import Session

SQL_FORMAT: Final = "meta-audit/sql/1"
CONTRACT_FORMAT: Final = "meta-audit/contract/1"
CHECK_FORMAT: Final = "meta-audit/sql-check/1"
SECONDS: Final = 60.0
"""Time that the engine may work on a query, if no other is given."""
FIRST: Final = ("v_jobs", "v_meta", "v_attributions")
"""Views that are shown first."""
_COMMENTS: Final = """
    SELECT relation, "column", comment FROM schema_comments
    WHERE substr(relation, 1, 2) = 'v_' ORDER BY relation, "column" """


class Table(Answer, frozen=True):
    """Hold all rows that a query gives."""

    format: str
    columns: tuple[str, ...]
    """Names, each once: the second `n` is `n_2`."""
    rows: tuple[tuple[Any, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `--format json`: each row by column, bytes in hex."""
        return {
            "format": self.format,
            "columns": list(self.columns),
            "rows": [by_column(self.columns, row) for row in self.rows],
        }


class ViewColumn(Answer, frozen=True):
    """Describe a column of a view."""

    name: str
    meaning: str


class View(Answer, frozen=True):
    """Describe a view that is part of the contract (docs/sql.md)."""

    name: str
    meaning: str
    columns: tuple[ViewColumn, ...]


class Contract(Answer, frozen=True):
    """Describe every view that queries can rely on."""

    format: str
    views: tuple[View, ...]


class CheckedStatement(Answer, frozen=True):
    """Say whether the store takes a statement."""

    number: int
    line: int
    """Line of the file that it begins on."""
    error: str
    """Reason why it fails; empty if it works."""


class CheckedStatements(Answer, frozen=True):
    """Say which statements of a file the store takes."""

    format: str
    statements: tuple[CheckedStatement, ...]

    @property
    def ok(self) -> bool:
        """Tell whether all of them work."""
        return not any(one.error for one in self.statements)


def contract(session: Session) -> Contract:
    """Describe the views, from the comments in the store."""
    views = []
    for name, rows in groupby(session.query(_COMMENTS), key=lambda row: str(row[0])):
        meanings = {column: meaning for _, column, meaning in rows}
        columns = [ViewColumn(c, meanings.get(c, "")) for c in _columns(session, name)]
        views.append(View(name, meanings.get("", ""), tuple(columns)))
    rank = {name: place for place, name in enumerate(FIRST)}
    views.sort(key=lambda view: rank.get(view.name, len(rank)))
    return Contract(CONTRACT_FORMAT, tuple(views))


def check_statements(session: Session, script: str, seconds: float = SECONDS) -> CheckedStatements:
    """Try each statement of a script without running it. Raises `UsageError` if there is none."""
    checked = []
    for number, one in enumerate(statements(script), 1):
        error = ""
        try:
            with session.select(one.text, seconds=seconds, plan_only=True):
                pass
        except UsageError as refused:
            error = str(refused)
        checked.append(CheckedStatement(number, one.line, error))
    if not checked:
        raise UsageError("there is no statement", advice="Write each with ; at its end.")
    return CheckedStatements(CHECK_FORMAT, tuple(checked))


def by_column(columns: Iterable[str], row: Iterable[Any]) -> dict[str, Any]:
    """Return a row as it is in JSON."""
    return {name: plain(value) for name, value in zip(columns, row, strict=True)}


def plain(value: Any) -> Any:
    """Return a value with bytes in hex, as hashes are everywhere."""
    return value.hex() if isinstance(value, bytes) else value


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of columns, each once: the second `n` becomes `n_2`."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        number, new = 1, name
        while new in taken:
            number += 1
            new = f"{name}_{number}"
        taken.add(new)
        found.append(new)
    return tuple(found)


def _columns(session: Session, view: str) -> tuple[str, ...]:
    with session.select(f'SELECT * FROM "{view}" LIMIT 0', seconds=SECONDS) as found:  # noqa: S608
        return found.columns
