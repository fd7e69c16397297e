"""One tree of errors. Only `meta_audit.cli` catches them and turns them into exit codes.

Bad *input* is not here: a document that cannot be taken is a value
(`meta_audit.model.Rejection`), and the run goes on.
"""

from __future__ import annotations


class MetaAuditError(Exception):
    """Base of every error that a person may see.

    `advice` says what to do next, in one sentence, or is empty.
    """

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class UsageError(MetaAuditError):
    """The command line asks for something that cannot be (exit code 2)."""


class ExpressionError(UsageError):
    """An expression of the find language cannot be read (docs/find.md; exit code 2).

    The fault is at the character `position` of `text`.
    """

    def __init__(self, message: str, text: str, position: int, *, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.text = text
        self.position = position


class SourceError(MetaAuditError):
    """A source could not be read, or was refused whole (exit code 3).

    `code` is a name from `meta_audit.catalogue.SOURCE_ERRORS`.
    """

    def __init__(self, code: str, message: str, *, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.code, str(self)), {"advice": self.advice}  # from other processes


class StoreError(MetaAuditError):
    """The store could not be reached, or has the wrong schema (exit code 4)."""


class TransientStoreError(StoreError):
    """The store failed in a way that passes: a lost connection, a restart, a lock (exit code 4).

    The transaction was undone whole; it may be done again from its beginning.
    """


class DamagedStoreError(StoreError):
    """The content of the store cannot be read, though the store can be reached (exit code 4)."""


class ProcessError(MetaAuditError):
    """A parsing process died (exit code 70)."""


class NotFoundError(MetaAuditError):
    """The store does not have it (exit code 1)."""


class LedgerError(MetaAuditError):
    """A key, note, checkpoint, entry or proof is malformed or does not verify (exit code 1)."""


class RejectedError(MetaAuditError):
    """Raised inside decode and parse for one document; becomes a `Rejection` at once.

    `reason` is a name from `meta_audit.catalogue.REASONS`. `line` is 1-based within the
    document, 0 when it is not known.
    """

    def __init__(self, reason: str, message: str, *, line: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.line = line
