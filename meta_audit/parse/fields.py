"""Read field names and types as Go's `encoding/json` takes them.

Bacalhau decodes every document into Go structs: a name matches its field exactly, or else
without regard to case (`encoding/json`, `foldName`: simple folding, in which U+017F is an `s`
and U+212A a `k`). The Python SDK prints the same fields in snake case, which is accepted where
the plain name is absent. What a field may hold follows Go as well: null is the zero value of
every type, and nothing is converted from one type to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson

from meta_audit.decode.text import quote
from meta_audit.errors import RejectedError
from meta_audit.model import Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = dict[str, Any]
"""One struct of a decoded document, by canonical names (unknown fields under their own)."""

MAX_INT64: Final = 2**63 - 1
MIN_INT64: Final = -(2**63)


def squash(name: str) -> str:
    """Fold a field name as Go does; equal results are one field."""
    return name.lower().replace("\u017f", "s")


class Level:
    """One struct level: its canonical names, how they fold, and which of them are structs.

    `structs` maps a name to the level of its value, `lists` to that of each element of its
    list; the values of all other names are free and are never folded. `aliases` maps further
    names (former Go names) to canonical ones; like snake case they count only where the plain
    name is absent.
    """

    __slots__ = ("known", "label", "lists", "structs", "table")

    def __init__(
        self,
        label: str,
        names: str,
        *,
        structs: Mapping[str, Level] | None = None,
        lists: Mapping[str, Level] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.label = label
        self.known = frozenset(names.split())
        self.structs = dict(structs or {})
        self.lists = dict(lists or {})
        self.table = {squash(name): name for name in self.known}
        for alias, name in (aliases or {}).items():
            self.table["_" + squash(alias)] = name

    def fold(self, fields: Fields) -> Fields:
        """Return the fields by canonical names, unknown ones under their own.

        Raises `RejectedError` (`case_collision`) when two names are one field.
        """
        if fields.keys() <= self.known:
            return fields
        out: Fields = {}
        written: dict[str, str] = {}
        later: list[tuple[str, str]] = []
        for key, value in fields.items():
            folded = squash(key)
            name = self.table.get(folded)
            if name is None:
                plain = folded.replace("_", "")
                name = self.table.get("_" + plain) or (
                    self.table.get(plain) if plain != folded else None
                )
                if name is None:
                    out[key] = value
                else:
                    later.append((key, name))
            elif name in written:
                self._collide(written[name], key)
            else:
                written[name] = key
                out[name] = value
        plain_names = frozenset(written)
        for key, name in later:
            if name in plain_names:
                out[key] = fields[key]
            elif name in written:
                self._collide(written[name], key)
            else:
                written[name] = key
                out[name] = fields[key]
        return out

    def snake_case(self, fields: Fields) -> list[str]:
        """Return the names that only their snake case makes fields: Go would not match them."""
        return [
            key
            for key in fields
            if "_" in key
            and squash(key) not in self.table
            and squash(key).replace("_", "") in self.table
        ]

    def unknown(self, fields: Fields) -> list[str]:
        """Return the names that are no field of this level."""
        return [key for key in self.fold(fields) if key not in self.known]

    def clean(self, value: Any) -> Any:
        """Return the struct by canonical names, without its empty fields, with all its structs.

        `meta_audit.parse.spec_digest` explains why. What is not a struct comes back as it is.
        """
        if value is None:
            value = {}
        if not isinstance(value, dict):
            return value
        row = {name: item for name, item in self.fold(value).items() if item}
        for name, level in self.structs.items():
            row[name] = level.clean(row.get(name))
        for name, level in self.lists.items():
            item = row.get(name)
            if isinstance(item, list):
                row[name] = [level.clean(element) for element in item]
        return row

    def _collide(self, one: str, other: str) -> NoReturn:
        raise RejectedError(
            "case_collision",
            f"{self.label}: {quote(one)} and {quote(other)} are the same field to Bacalhau, which "
            f"matches field names without regard to case: which one counts is not clear",
        )


def kind_of(value: Any) -> str:
    """Name the type of a decoded value, and show a scalar, for a message."""
    if isinstance(value, Scalar):
        return f"the literal {quote(value.text)}"
    if isinstance(value, str):
        if value == "None":
            return "the text 'None' (Python prints None where JSON has null)"
        return f"the text {quote(value)}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "null"
    return f"the literal {quote(literal(value))}"


def literal(value: Any) -> str:
    """Return the text that a scalar was written as.

    Integers of more than 4,096 bits, which only hostile documents have, are written in hex:
    Python refuses to write them in decimals.
    """
    if isinstance(value, Scalar):
        return value.text
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # an integer beyond 64 bits
        return str(value) if value.bit_length() <= 4_096 else hex(value)


def wrong_type(where: str, expected: str, value: Any) -> RejectedError:
    """Build the `field.type` rejection of a value at a place."""
    return RejectedError("field.type", f"{where} must be {expected}, not {kind_of(value)}")


def text(fields: Fields, name: str, label: str) -> str:
    """Return a text field, `""` when it is absent or null. Raises `field.type`."""
    value = fields.get(name)
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    raise wrong_type(f"{label}.{name}", "text", value)


def integer(fields: Fields, name: str, label: str, low: int = MIN_INT64) -> int:
    """Return an integer field, 0 when it is absent or null.

    YAML's other notations of an integer (`0x10`, `1_000`) are taken, as Bacalhau does; floats
    are not, not even `1.0`. Raises `field.type`, or `number.range` beyond [low, 2^63-1].
    """
    value = fields.get(name)
    if value is None:
        return 0
    if isinstance(value, Scalar):
        if value.value is None:
            message = f"{label}.{name}: {kind_of(value)} is no integer of 64 bits"
            raise RejectedError("number.range", message)
        value = value.value
    if value.__class__ is not int:
        raise wrong_type(f"{label}.{name}", "an integer", fields[name])
    if not low <= value <= MAX_INT64:
        raise RejectedError(
            "number.range",
            f"{label}.{name} must be between {low} and {MAX_INT64}, not {kind_of(value)}",
        )
    return value


def mapping(fields: Fields, name: str, label: str) -> Fields:
    """Return a mapping, `{}` when it is absent or null. Raises `field.type`."""
    value = fields.get(name)
    if value.__class__ is dict:
        return value
    if value is None:
        return {}
    raise wrong_type(f"{label}.{name}", "a mapping", value)


def items(fields: Fields, name: str, label: str) -> list[Any]:
    """Return a list, `[]` when it is absent or null. Raises `field.type`."""
    value = fields.get(name)
    if value.__class__ is list:
        return value
    if value is None:
        return []
    raise wrong_type(f"{label}.{name}", "a list", value)
