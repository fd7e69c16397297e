"""What JSON and YAML have in common: bytes that must be UTF-8 text of a bounded size."""

from __future__ import annotations

import codecs

from meta_audit.errors import RejectedError
from meta_audit.model import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_NODES

_SHOWN = 60


def check_size(content: bytes) -> None:
    """Raise `RejectedError` (`too_large`) above Bacalhau's cap for one job."""
    if len(content) > MAX_DOCUMENT_BYTES:
        raise RejectedError(
            "too_large",
            f"the document has {len(content):,} bytes; the limit is {MAX_DOCUMENT_BYTES:,}",
        )


def to_text(content: bytes) -> str:
    """Strict UTF-8 without NUL. Raises `RejectedError` (`text.encoding`, `text.nul`)."""
    if _is_wide(content):
        raise RejectedError(
            "text.encoding", "the document is UTF-16 or UTF-32; save it as UTF-8", line=1
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RejectedError(
            "text.encoding",
            f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8: {error.reason}",
            line=content.count(b"\n", 0, error.start) + 1,
        ) from error
    offset = text.find("\0")
    if offset >= 0:
        raise nul_error(line_at(text, offset))
    return text


def line_at(text: str, offset: int) -> int:
    """Count the line of a character offset, from 1."""
    return text.count("\n", 0, offset) + 1


def quote(text: str) -> str:
    """Shorten a piece of the document for a message, and escape what cannot be printed."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def deep_error(line: int) -> RejectedError:
    """Make the error for nesting beyond `MAX_DEPTH`."""
    return RejectedError(
        "too_deep", f"mappings and lists are nested deeper than {MAX_DEPTH}", line=line
    )


def nodes_error(line: int = 0) -> RejectedError:
    """Make the error for more keys, elements and scalars than `MAX_NODES`."""
    return RejectedError(
        "too_large", f"the document has more than {MAX_NODES:,} keys and values", line=line
    )


def nul_error(line: int) -> RejectedError:
    """Make the error for a NUL: PostgreSQL's text cannot hold it, SQLite stops at it."""
    return RejectedError("text.nul", "a NUL character in text, raw or escaped", line=line)


def surrogate_error(line: int) -> RejectedError:
    """Make the error for half of a surrogate pair: it is no character and has no UTF-8 form."""
    return RejectedError("text.encoding", "a lone surrogate, such as \\ud800, in text", line=line)


def _is_wide(content: bytes) -> bool:
    """Tell UTF-16 and UTF-32 by byte order mark or by zero bytes (RFC 4627, section 3)."""
    return content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0\0" in (
        content[0:4:2],
        content[1:4:2],
    )
