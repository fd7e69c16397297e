"""Rules that JSON and YAML share: encoding, size, and the wording of errors."""

from __future__ import annotations

import codecs
import re
from typing import Final

from meta_audit.errors import RejectedError
from meta_audit.model import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_DUPLICATES, MAX_NODES

_SHOWN: Final = 80
_LOOKED_AT: Final = 8_192
"""Characters looked at for the beginning of a document."""
_DOCUMENT_LINE: Final = re.compile(
    r"""\s*(?:[{\[]\s*(?:["'{\[\]}]|\Z)|---|%|\#|-\s|["']?[A-Za-z_][\w.-]*["']?\s*:(?:\s|\Z))""",
    re.VERBOSE,
)
_TEMPLATE_HINT: Final = (
    "; this looks like a Go template that is not rendered: ingest what "
    "`bacalhau job run --dry-run --template-vars KEY=VALUE FILE` prints"
)


def check_size(content: bytes) -> None:
    """Raise `RejectedError` (`too_large`) above Bacalhau's limit for one job."""
    if len(content) > MAX_DOCUMENT_BYTES:
        raise RejectedError(
            "too_large",
            f"the document has {len(content):,} bytes; the limit is {MAX_DOCUMENT_BYTES:,}",
        )


def to_text(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark, and drop the mark.

    Raises `RejectedError` (`text.encoding`).
    """
    encoding = _encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise RejectedError(
            "text.encoding",
            f"byte {error.start} (0x{content[error.start]:02x}) is not valid "
            f"{'UTF-16' if encoding == 'utf-16' else 'UTF-8'}: {error.reason}",
            line=content.count(b"\n", 0, error.start) + 1,
        ) from error


def _encoding(content: bytes) -> str:
    """Name the codec for `content`. Raises `RejectedError` where UTF-16 or UTF-32 has no mark.

    Without a mark they show by their zero bytes (RFC 4627, section 3).
    """
    start = content[:4]
    if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        raise RejectedError("text.encoding", "the document is UTF-32; save it as UTF-8", line=1)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0\0" in (start[::2], start[1::2]) and any(start):
        raise RejectedError(
            "text.encoding",
            "the document is UTF-16 or UTF-32 without a byte order mark; save it as UTF-8",
            line=1,
        )
    return "utf-8-sig"


def line_at(text: str, offset: int) -> int:
    """Count the line of a character offset, from 1."""
    return text.count("\n", 0, offset) + 1


def lines_at(text: str, first: int, last: int) -> str:
    """Return lines by their numbers from 1, as far as there are such lines."""
    return "\n".join(text.splitlines()[max(first - 1, 0) : last])


def quote(text: str) -> str:
    """Shorten a piece of the document for a message, and escape what cannot be printed."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def show_path(path: tuple[str | int, ...]) -> str:
    """Write a path as `$.Tasks[0].Meta`; positions in lists count from 0."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{quote(step)[1:-1]}" for step in path)
    return "$" + "".join(steps)


def template_hint(text: str, line: int) -> str:
    """Return advice where a Go template that is not rendered may be to blame for an error.

    A parser notices an action (`{{ … }}`) in its own line or at the start of the next.
    """
    return _TEMPLATE_HINT if "{{" in lines_at(text, line - 1, line) else ""


def leading_hint(text: str) -> str:
    """Return advice where other text stands before what may be a document."""
    lines = [line for line in text[:_LOOKED_AT].splitlines() if line.strip()]
    if not lines or lines[0].lstrip().startswith(('{"', "---")):
        return ""
    is_text = not _DOCUMENT_LINE.match(lines[0]) and any(map(_DOCUMENT_LINE.match, lines))
    if not is_text and not any(line.startswith("{") for line in lines[1:]):
        return ""
    return (
        f"; before the document stands {quote(lines[0])}: ingest the document alone, as with "
        "`COMMAND > FILE`"
    )


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


def duplicates_error(line: int) -> RejectedError:
    """Make the error for more duplicate keys than `MAX_DUPLICATES`."""
    return RejectedError(
        "duplicate_key", f"more than {MAX_DUPLICATES} keys stand twice in their mapping", line=line
    )


def surrogate_error(line: int) -> RejectedError:
    """Make the error for half of a surrogate pair, which is no character."""
    return RejectedError("text.encoding", "a lone surrogate, such as \\ud800, in text", line=line)


def control_error(character: str, line: int, *, language: str) -> RejectedError:
    """Make the error for a raw control character, as `json.syntax` or `yaml.syntax`."""
    return RejectedError(
        f"{language}.syntax",
        f"the control character U+{ord(character):04X} stands raw in the text; "
        f"{language.upper()} allows it only as an escape in double quotes",
        line=line,
    )
