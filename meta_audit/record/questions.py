"""Log who asks what, before it is answered: on PostgreSQL, where many ask one store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from meta_audit.errors import StoreError, TransientStoreError, UsageError
from meta_audit.record.runs import actor
from meta_audit.schema.tables import ASKED_COLUMNS, LONGEST_QUESTION
from meta_audit.store.location import SECRETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.opening import Store

ATTEMPTS: Final = 1_000
"""Questions that others may log in front of one."""
# Whoever logs a number at the same time is waited for; then no row comes back, and it is the next.
_INSERT: Final = f"""
    INSERT INTO questions ({", ".join(ASKED_COLUMNS)})
    SELECT coalesce(max(question_no), 0) + 1, max(question_no), ?, ?, ? FROM questions
    ON CONFLICT DO NOTHING RETURNING question_no"""  # noqa: S608
_PASSWORDS: Final = (
    (re.compile(r"(\bpostgres[\w+]*://[^\s/:@]*):\S*@"), r"\1@"),  # it may hold any character
    (re.compile(r"(://[^\s/?#:@]*):[^\s/?#@]*@"), r"\1@"),
    (re.compile(rf"([?&](?:{'|'.join(SECRETS)})=)[^\s&#]*"), r"\1"),
)


def log_question(
    store: Store, command: str, arguments: Sequence[str], *, wanted: bool | None
) -> int | None:
    """Log a question in a transaction of its own, and return its number.

    Where it is not said whether that is `wanted`, auditors are logged; None if it is not logged.
    Raises `UsageError` where SQLite should log, or for a question that is too long, and
    `StoreError` if the log cannot be written.
    """
    if wanted and store.file:
        raise UsageError(
            "a store in SQLite keeps no log of questions",
            advice="Leave --log-queries out, or use a store on PostgreSQL.",
        )
    if wanted is None:
        wanted = store.read(store.backend.is_auditor)
    if not wanted:
        return None
    said = orjson.dumps([_harmless(argument) for argument in arguments]).decode()
    asked = actor(), command, said
    if sum(map(len, asked)) > LONGEST_QUESTION:
        raise UsageError(
            f"the question is too long to be logged: more than {LONGEST_QUESTION:,} characters",
            advice="Ask for less at once.",
        )
    try:
        return _insert(store, asked)
    except StoreError as error:
        raise StoreError(
            f"the question is not answered, because it cannot be logged: {error}",
            advice=error.advice,
        ) from error


def _insert(store: Store, asked: tuple[str, str, str]) -> int:
    with store.writing() as session:
        for _ in range(ATTEMPTS):
            for (number,) in session.query(_INSERT, *asked):
                return int(number)
    raise TransientStoreError("too many others ask at once", advice="Run the same command again.")


def _harmless(argument: str) -> str:
    """Return an argument as text that can be stored, with no password in a URL."""
    text = argument.encode(errors="backslashreplace").decode()
    for pattern, without in _PASSWORDS:
        text = pattern.sub(without, text)
    return text
