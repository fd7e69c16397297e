"""Rejections, in the order of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from meta_audit.errors import NotFoundError
from meta_audit.query.results import REJECTIONS_FORMAT, Position, Rejections, RejectionSummary
from meta_audit.query.texts import rfc3339, storable
from meta_audit.query.unknown import check_filter

if TYPE_CHECKING:
    from meta_audit.store.session import Session

_FROM: Final = """
    FROM rejections r
    JOIN sources s ON s.source_id = r.source_id
    JOIN imports m ON m.import_id = s.import_id
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id
    LEFT JOIN rejection_dismissals y ON y.rejection_id = r.rejection_id
    LEFT JOIN imports z ON z.import_id = y.import_id"""
_SELECT: Final = f"""
    SELECT r.rejection_id, r.reason, r.message, s.uri, r.ordinal, r.line, r.sha256, r.size,
        s.import_id, m.started_at, x.import_id, y.import_id, y.reason, z.actor{_FROM}"""
_ONE: Final = f"{_SELECT} WHERE r.rejection_id = ?"


class Filter(Struct, frozen=True):
    """Choose rejections; all of it must fit."""

    reason: str | None = None
    """Name from the catalogue, or its beginning up to a dot (`meta` for `meta.not_string`)."""
    source: str | None = None
    """Text that the source's name contains."""
    import_id: int | None = None
    resolved: bool = False
    """Include those that were resolved or dismissed."""


def list_rejections(session: Session, wanted: Filter, limit: int) -> Rejections:
    """Return the first rejections that fit, at most `limit`, and how many there are.

    Raises `NotFoundError` for a reason, source or import that is unknown.
    """
    if not all(storable(text) for text in (wanted.reason, wanted.source) if text):
        check_filter(session, wanted.reason, wanted.source, wanted.import_id)
    where, parameters = _where(wanted)
    found = session.query(f"{_SELECT}{where} ORDER BY r.rejection_id LIMIT ?", *parameters, limit)
    total = session.query(f"SELECT count(*){_FROM}{where}", *parameters)[0][0]
    if not total:
        check_filter(session, wanted.reason, wanted.source, wanted.import_id)
    return Rejections(REJECTIONS_FORMAT, tuple(map(_summary, found)), total)


def one_rejection(session: Session, rejection_id: int) -> RejectionSummary:
    """Return one rejection. Raises `NotFoundError`."""
    found = session.query(_ONE, rejection_id)
    if not found:
        raise NotFoundError(
            f"there is no rejection {rejection_id}",
            advice="`meta-audit rejections list --all` lists them.",
        )
    return _summary(found[0])


def _where(wanted: Filter) -> tuple[str, list[Any]]:
    terms, parameters = ["1 = 1"], []
    if wanted.reason is not None:
        terms.append("(r.reason = ? OR substr(r.reason, 1, ?) = ?)")
        group = f"{wanted.reason}."
        parameters += [wanted.reason, len(group), group]
    if wanted.source:
        terms.append("replace(s.uri, ?, '') <> s.uri")
        parameters.append(wanted.source)
    if wanted.import_id is not None:
        terms.append("s.import_id = ?")
        parameters.append(wanted.import_id)
    if not wanted.resolved:
        terms.append("x.import_id IS NULL AND y.import_id IS NULL")
    return f" WHERE {' AND '.join(terms)}", parameters


def _summary(row: Any) -> RejectionSummary:
    number, reason, message, uri, ordinal, line, digest, size, import_id, started, *after = row
    return RejectionSummary(
        number,
        reason,
        message,
        uri,
        Position(ordinal, line),
        bytes(digest).hex(),
        size,
        import_id,
        rfc3339(started),
        *after,
    )
