"""Read values as types while other threads do so, too.

msgspec builds what it knows of a class when it first reads one. It crashes if two threads build the
same class at once.
"""

from __future__ import annotations

from threading import Lock
from typing import Final, TypeVar

import msgspec

_Type = TypeVar("_Type")
_BUILDING: Final = Lock()
_BUILT: Final[set[object]] = set()


def built(type_: _Type) -> _Type:
    """Return a type of which msgspec knows all. Build one after the other."""
    if type_ not in _BUILT:
        with _BUILDING:
            msgspec.json.Decoder(type_)
            _BUILT.add(type_)
    return type_
