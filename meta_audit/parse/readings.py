"""Read a kept document again. A store does not say how it was read the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.model import Format
from meta_audit.parse.document import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.model import JobRecord

_FORMATS: Final[tuple[Format, ...]] = get_args(Format)


def readings(content: bytes) -> Iterator[JobRecord]:
    """Yield the record that each way of reading a document gives; none where all reject it."""
    for format_ in _FORMATS:
        for coerce in (False, True):
            try:
                yield parse(decode(content, format_), content, coerce_scalars=coerce)
            except RejectedError:
                continue
