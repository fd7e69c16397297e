"""Find the one document behind lines of other text, where its beginning is beyond doubt.

Log lines, a greeting or a prompt may stand before a document, even on its first line. The document
is taken when all the rest of the source is one value with a job's fields, and when nothing before
it can be a part of a document: no field, and no bracket left open.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from meta_audit.cut.blocks import Blocks, Record
from meta_audit.cut.detect import JOB_FIELD, ContentKind, is_json
from meta_audit.cut.notices import BEFORE
from meta_audit.cut.yaml_elements import is_yaml
from meta_audit.model import MAX_DOCUMENT_BYTES, Rejection

REASON: Final = "leading_text"
MAX_BYTES: Final = 8_192
"""Most bytes of such text."""
_MAX_TRIES: Final = 32
"""Most brackets that are looked at."""
_SHOWN: Final = 60
_BEGINS: Final = re.compile(
    rb"""[{\[]\s*(?:["'{}\[\]\#]|\Z|(?:-?\d[\d.eE+]*|true|false|null)\s*[,\]]|[\w.-]+\s*:)|
    ---|%|\#|[-?]\s|["']?[A-Za-z_][\w.-]*["']?[ \t]*:(?:\s|\Z)""",
    re.VERBOSE,
)
"""The beginning of a document."""
_COLOUR: Final = re.compile(rb"\x1b\[[0-9;]*m")
_BRACKET: Final = re.compile(rb"[{\[]")
_FIELD: Final = re.compile(
    rb"""^[ \t]*(?:[-?][ \t]|["']?[\w.-]+["']?[ \t]*:(?:\s|\Z))|["'][ \t]*:""", re.MULTILINE
)
"""A field of YAML or JSON, or an element of a list."""
_COLON: Final = re.compile(rb":(?:\s|\Z)")
"""Fields of YAML, though something may be glued to their names."""
_FIRST_FIELD: Final = re.compile(
    rb"""^["']?(?:api_?version|id|name|namespace|type|count|priority|job|jobs|items|metadata|meta|
    labels|tasks|spec|constraints|state)["']?[ \t]*:""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


class Leading(NamedTuple):
    """Say where a document begins behind other text, and of which kind it is."""

    size: int
    """Bytes before it."""
    kind: ContentKind


def find_leading(blocks: Blocks) -> Leading | None:
    """Return the text before the document, without consuming it; None if there is none."""
    head = blocks.peek(MAX_BYTES, to_pause=True)
    start = BEFORE(head).end()  # type: ignore[union-attr]
    is_coloured = b"\x1b" in head[:start]
    if start == len(head) or (_BEGINS.match(head, start) and not is_coloured):
        return None
    content = blocks.peek(MAX_DOCUMENT_BYTES + 1, to_pause=not blocks.is_paused)
    if len(content) > MAX_DOCUMENT_BYTES:
        return None
    return (_before_json(content, start) or _before_yaml(content, start)) if content else None


def _before_json(content: bytes, start: int) -> Leading | None:
    for number, match in enumerate(_BRACKET.finditer(content, start, MAX_BYTES)):
        at = match.start()
        if number >= _MAX_TRIES or _may_be_a_part(content[:at]):
            return None
        if is_json(content[at:]) and JOB_FIELD.search(content, at):
            return Leading(at, "json")
    return None


def _before_yaml(content: bytes, start: int) -> Leading | None:
    coloured = _COLOUR.search(content[:start]) and _FIRST_FIELD.match(content[start:])
    first = _FIRST_FIELD.search(content, start, MAX_BYTES)
    at = start if coloured else first.start() if first else 0
    if not at or _may_be_a_part(content[:at]) or _COLON.search(content[:at]):
        return None
    if JOB_FIELD.search(content, at) and is_yaml(content[at:]):
        return Leading(at, "yaml")
    return None


def _may_be_a_part(before: bytes) -> bool:
    """Tell whether text may be the beginning of a document that goes on behind it."""
    text = _COLOUR.sub(b"", before)
    return _FIELD.search(text) is not None or any(
        text.count(opened) > text.count(closed) for opened, closed in ((b"{", b"}"), (b"[", b"]"))
    )


def leading_rejection(blocks: Blocks, leading: Leading) -> Rejection:
    """Take the text before the document, as a rejection."""
    record = Record(1, 1, "yaml" if leading.kind == "yaml" else "json")
    record.add(blocks.take(leading.size))
    line = next(filter(None, map(bytes.strip, record.content.split(b"\n"))), b"")
    shown = repr(line.decode("utf-8", "replace")[:_SHOWN])
    return record.rejection(
        REASON, f"text before a document, which begins with {shown}; the document was taken"
    )
