"""Report unknown names in filters, and offer known names that are like them.

These questions are asked only after another one found nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from meta_audit.catalogue import REASONS
from meta_audit.errors import NotFoundError
from meta_audit.nul import escape_nul, unescape_nul
from meta_audit.query.texts import storable
from meta_audit.schema.text_digest import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.store.session import Session

LISTED: Final = 3
"""Most names offered."""
LOOKED_AT: Final = 2_000
"""Most known names compared."""

_KEYS: Final = f"SELECT key FROM meta_keys ORDER BY key_id DESC LIMIT {LOOKED_AT}"  # noqa: S608
_LATEST: Final = f"(SELECT * FROM current_jobs ORDER BY job_key DESC LIMIT {LOOKED_AT}) j"  # noqa: S608
_VALUES: Final = {
    "namespace": f"SELECT DISTINCT j.namespace FROM {_LATEST}",  # noqa: S608
    "state": f"SELECT DISTINCT j.state FROM {_LATEST}",  # noqa: S608
    "type": f"SELECT DISTINCT j.type FROM {_LATEST}",  # noqa: S608
    "name": f"SELECT DISTINCT t.term FROM {_LATEST} JOIN terms t ON t.term_id = j.name_id",  # noqa: S608
    "execution": f"SELECT execution_id FROM executions ORDER BY job_key DESC LIMIT {LOOKED_AT}",  # noqa: S608
    "node": f"""
        SELECT DISTINCT i.value
        FROM (SELECT node_id FROM executions ORDER BY job_key DESC LIMIT {LOOKED_AT}) e
        JOIN identities i ON i.identity_id = e.node_id""",  # noqa: S608
}
ROLES_OF_FIELD: Final = {
    "client": ("client",),
    "requester": ("requester",),
    "key": ("client_key", "requester_key"),
    "installation": (
        *("client_installation", "client_instance"),
        *("server_installation", "server_instance"),
    ),
}
"""Fields of the find language that name an identity, with its roles."""
KINDS_OF_FIELD: Final = {
    "image": ("image", "module"),
    "input": ("input",),
    "output": ("output", "result"),
}
"""Fields of the find language that name what a job uses, with the kinds of uses."""
_OF_KINDS: Final = f"""
    SELECT DISTINCT t.term
    FROM (SELECT value_id, kind FROM uses ORDER BY use_id DESC LIMIT {LOOKED_AT}) u
    JOIN terms t ON t.term_id = u.value_id WHERE u.kind IN ({{}})"""  # noqa: S608
_IDS_IN_ROLES: Final = f"""
    SELECT DISTINCT value FROM (
        SELECT i.value FROM attribution_members m
        JOIN attribution_rules r ON r.rule_id = m.rule_id
        JOIN identities i ON i.identity_id = m.identity_id
        WHERE r.role IN ({{}}) LIMIT {LOOKED_AT}) found"""  # noqa: S608
_SOURCE: Final = "SELECT 1 FROM sources WHERE replace(uri, ?, '') <> uri LIMIT 1"
_SOURCES: Final = f"SELECT uri FROM sources ORDER BY source_id DESC LIMIT {LOOKED_AT}"  # noqa: S608
_IMPORT: Final = "SELECT 1 FROM imports WHERE import_id = ?"
_NEWEST_IMPORT: Final = "SELECT max(import_id) FROM imports"


_DOCUMENT: Final = """
    SELECT 1 FROM documents
    WHERE substr(sha256, 1, 8) >= ? AND substr(sha256, 1, 8) <= ? AND sha256 >= ? AND sha256 <= ?
    LIMIT 1"""
_DIGITS: Final = re.compile(r"[0-9a-fA-F]{8,64}")
_IDENTITY: Final = "SELECT 1 FROM identities WHERE digest = ? AND value <> ''"
_OTHER_IDS: Final = {"e-": "an execution", "n-": "a node"}
_FILES: Final = (".json", ".ndjson", ".jsonl", ".yaml", ".yml", ".gz", ".zst")


def known_keys(session: Session) -> list[str]:
    """Return keys of Meta and labels: the latest ones."""
    return _texts(session, _KEYS)


def known_values(session: Session, field: str) -> list[str]:
    """Return values that a field of the find language has: the latest ones."""
    for sql, meant in (
        (_IDS_IN_ROLES, ROLES_OF_FIELD.get(field)),
        (_OF_KINDS, KINDS_OF_FIELD.get(field)),
    ):
        if meant:
            return _texts(session, sql.format(", ".join("?" * len(meant))), *meant)
    return _texts(session, _VALUES[field]) if field in _VALUES else []


def unknown(kind: str, name: str, advice: str = "") -> NotFoundError:
    """Return the error that the store does not know a name."""
    return NotFoundError(f"the store knows no {kind} {name}", advice=advice)


def check_import(session: Session, import_id: int) -> None:
    """Raise `NotFoundError` if there is no such import."""
    if not session.query(_IMPORT, import_id):
        newest = session.query(_NEWEST_IMPORT)[0][0]
        advice = f"The newest import is {newest}." if newest else ""
        raise NotFoundError(f"there is no import {import_id}", advice=advice)


def check_filter(
    session: Session, reason: str | None, source: str | None, import_id: int | None
) -> None:
    """Raise `NotFoundError` for the first name in a filter of rejections that is unknown."""
    if reason is not None:
        groups = {name.split(".")[0] for name in REASONS if "." in name}
        if reason not in groups | REASONS.keys():
            raise _unknown("reason", reason, [*sorted(groups), *REASONS])
    if source and not (storable(source) and session.query(_SOURCE, source)):
        known = _texts(session, _SOURCES)
        raise _unknown("source", source, [uri.rpartition("/")[2] for uri in known])
    if import_id is not None:
        check_import(session, import_id)


def other_meaning(session: Session, text: str) -> str:
    """Return what a text is, if not the ID or name of a job; empty if it is unknown."""
    if not storable(text):
        return ""
    if _DIGITS.fullmatch(text):
        low = bytes.fromhex(text.lower().ljust(64, "0"))
        high = bytes.fromhex(text.lower().ljust(64, "f"))
        if session.query(_DOCUMENT, low[:8], high[:8], low, high):
            return f"It is the SHA-256 of a document: `meta-audit document {text}` prints it."
    if session.query(_IDENTITY, digest(escape_nul(text))):
        return f"It is a client, node or key: `meta-audit who {text}` says what is known of it."
    if "=" in text:
        return "To search by Meta, use `meta-audit find KEY=VALUE`."
    for prefix, kind in _OTHER_IDS.items():
        if text.startswith(prefix):
            return f"It looks like the ID of {kind}; give the ID of the job."
    if text.endswith(_FILES):
        return "It looks like a file; `meta-audit ingest` takes files, here give a job."
    return ""


def _texts(session: Session, sql: str, *parameters: str) -> list[str]:
    return [unescape_nul(row[0]) for row in session.query(sql, *parameters)]


def _unknown(kind: str, name: str, known: Iterable[str]) -> NotFoundError:
    like = nearest(name, known)
    advice = f"Did you mean {' or '.join(like)}?" if like else ""
    return unknown(kind, name, advice)


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names most like a name, first those that begin with it."""
    from difflib import get_close_matches  # noqa: PLC0415 - nothing else needs it

    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(one.casefold(), one)
    wanted = name.casefold()
    found = [text for text in folded if wanted and text.startswith(wanted)]
    found += get_close_matches(wanted, folded, n=LISTED)
    return [folded[text] for text in dict.fromkeys(found)][:LISTED]
