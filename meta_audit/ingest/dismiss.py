"""Dismiss a rejection: record that somebody looked at it, and why it needs no more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import orjson

from meta_audit import __version__
from meta_audit.errors import NotFoundError, StoreError, UsageError
from meta_audit.ingest.result import Counts, ImportResult
from meta_audit.record.checkpoint_log import append_missing, locate
from meta_audit.record.runs import actor, begin_import, end_import
from meta_audit.record.sealing import Sealer
from meta_audit.record.signing_key import load_signing_key
from meta_audit.schema.tables import columns
from meta_audit.store.session import row

if TYPE_CHECKING:
    from meta_audit.store.opening import Store
    from meta_audit.store.session import Session

MAX_REASON: Final = 1_000
_STATE: Final = """
    SELECT x.import_id, y.import_id FROM rejections r
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id
    LEFT JOIN rejection_dismissals y ON y.rejection_id = r.rejection_id
    WHERE r.rejection_id = ?"""
_NEXT: Final = "SELECT coalesce(max(dismissal_no), 0) + 1 FROM rejection_dismissals"


def dismiss(
    store: Store, rejection_id: int, reason: str, checkpoint_log: str | None = None
) -> ImportResult:
    """Dismiss an open rejection. This is a fact: it is signed, and cannot be undone.

    Raises `NotFoundError` where there is no such rejection, `UsageError` where it is not open or
    the reason cannot be kept, `StoreError`.
    """
    began = time.monotonic()
    _check_reason(reason)
    session = store.session()
    try:
        _check_open(session, rejection_id)
        key, new_key_file = load_signing_key()
        log, sealer = locate(checkpoint_log, store.file), Sealer(session, key)
        arguments = orjson.dumps(["rejections", "dismiss", str(rejection_id)]).decode()
        import_id = begin_import(session, actor(), __version__, arguments)

        def work() -> None:
            _check_open(session, rejection_id)
            values = row(session.value(_NEXT), rejection_id, import_id, reason)
            session.insert("rejection_dismissals", columns("rejection_dismissals"), values)

        session.transaction(work)
        counts = Counts()
        sealed = end_import(session, import_id, "complete", counts.kept(), sealer)
        log_error = None
        if log:
            try:
                append_missing(session, log)
            except StoreError as error:
                log_error = error
    finally:
        session.close()
    seconds = round(time.monotonic() - began, 3)
    return ImportResult(
        import_id,
        "complete",
        counts,
        seconds,
        sealed,
        new_key_file=new_key_file,
        checkpoint_log=log,
        log_error=log_error,
    )


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise UsageError("the reason is empty", advice="Say why it needs no more attention.")
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise UsageError(
            f"the reason is not one line of at most {MAX_REASON:,} printable characters"
        )


def _check_open(session: Session, rejection_id: int) -> None:
    found = session.query(_STATE, rejection_id)
    if not found:
        raise NotFoundError(
            f"there is no rejection {rejection_id}",
            advice="`meta-audit rejections list --all` lists them.",
        )
    resolved, dismissed = found[0]
    if resolved or dismissed:
        done, number = ("resolved", resolved) if resolved else ("dismissed", dismissed)
        raise UsageError(f"rejection {rejection_id} was {done} by import {number}")
