"""Report an import that has ended, the same for every command that imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.cli import Exit, log
from meta_audit.cli.output import write_report
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.ingest.result import ImportResult
    from meta_audit.store.opening import Store


def report(result: ImportResult, store: Store, format_: str) -> int:
    """Print what an import did, and return the exit code."""
    from meta_audit.render.import_result import ImportResultPage

    code = _code(result)
    write_report(ImportResultPage(result, store.name), format_, code)
    if report_log(result):
        return code
    if result.signal:
        log.say(_interrupted(result), "warning")
        return 128 + result.signal
    return code


def _interrupted(result: ImportResult) -> str:
    if result.cut_off:
        return (
            f"Interrupted: the documents that came from {escape(result.cut_off)} so far are saved."
            " It cannot be read again."
        )
    return "Interrupted: run the same command again to complete the import."


def report_log(result: ImportResult) -> Exit:
    """Print why the checkpoint is not in the file outside the store, and return the exit code."""
    if not result.log_error:
        return Exit.DONE
    log.say(escape(str(result.log_error)), "error", advice=escape(result.log_error.advice))
    return Exit.STORE


def _code(result: ImportResult) -> Exit:
    if result.log_error:
        return Exit.STORE
    if result.counts.refused:
        return Exit.SOURCE
    return Exit.ATTENTION if result.needs_attention else Exit.DONE
