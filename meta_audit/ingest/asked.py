"""Read which jobs a file asks for: a list of their IDs, or documents of them."""

from __future__ import annotations

import io
import re
import sys
from codecs import BOM_UTF8
from contextlib import closing, nullcontext
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast

from meta_audit.decode import decode
from meta_audit.errors import RejectedError, SourceError
from meta_audit.model import Rejection
from meta_audit.nul import unescape_nul
from meta_audit.parse import parse
from meta_audit.query.presence import Asked
from meta_audit.sources.files import open_file
from meta_audit.sources.standard_input import StandardInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.model import Document

HEAD_BYTES: Final = 4_096
"""Beginning of a file, from which is told what it holds."""
_LISTED: Final = re.compile(rb"[^\s\[\]{}#-][^\s\[\]{}]*")
"""A line that can be an ID: one word."""
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""gzip and zstd: they hold documents."""


def read_asked(path: str) -> Iterator[Asked]:
    """Yield what a file asks for; `-` is standard input. Raises `SourceError`."""
    with _opened(path) as stream:
        head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
        if _lists_ids(head):
            yield from _ids(stream)
            return
        for batch in StandardInput(stream, uri="stdin" if path == "-" else path).batches():
            yield from map(_asked, batch)


def _opened(path: str) -> closing[io.BufferedReader] | nullcontext[io.BufferedReader]:
    if path == "-":
        if sys.stdin is None:
            raise SourceError("source.missing", "there is no standard input")
        return nullcontext(cast("io.BufferedReader", sys.stdin.buffer))
    try:
        return closing(io.BufferedReader(cast("io.RawIOBase", open_file(path))))
    except SourceError as error:
        raise SourceError(error.code, f"{path}: {error}", advice=error.advice) from error


def _lists_ids(head: bytes) -> bool:
    """Tell if the first line that is not blank can be an ID; an empty file is an empty list."""
    if head.startswith(_COMPRESSED) or b"\0" in head:
        return False
    lines = (line.strip() for line in head.removeprefix(BOM_UTF8).splitlines())
    first = next((line for line in lines if line), b"")
    return not first or _LISTED.fullmatch(first) is not None


def _ids(stream: io.BufferedReader) -> Iterator[Asked]:
    for number, line in enumerate(stream, 1):
        text = line.removeprefix(BOM_UTF8).strip().decode("utf-8", "surrogateescape")
        if text:
            yield Asked(number, partial(str, text))


def _asked(item: Document | Rejection) -> Asked:
    if isinstance(item, Rejection):
        return Asked(item.line, str, item.sha256)
    return Asked(item.line, partial(_job_id, item), sha256(item.content).digest())


def _job_id(document: Document) -> str:
    try:
        value = decode(document.content, document.format)
        record = parse(value, document.content, coerce_scalars=True)
    except RejectedError:
        return ""
    return unescape_nul(record.job_id)
