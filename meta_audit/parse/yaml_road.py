"""Convert scalars of a document as Bacalhau does on its way from YAML to JSON and Go's structs.

Its command line reads `.json` files with the YAML parser too.

v1.0.4 - v1.3.2 write a number or boolean as text where the field is text (`Name: 2024`), and
every version reads a float without a fraction where the field is an integer (`Count: 1.0`).
Meta and labels have a rule of their own (`metadata.strings`).
"""

from __future__ import annotations

from typing import Any, Final

from meta_audit.decode.scalars import stored_text, whole
from meta_audit.decode.text import quote
from meta_audit.model import Finding, Scalar
from meta_audit.parse.fields import literal, squash

_TEXTS: Final = frozenset(("id", "name", "namespace"))
_INTEGERS: Final = frozenset(
    ("count", "priority", "version", "revision", "createtime", "modifytime", "concurrency")
)
_FREE: Final = frozenset(("meta", "labels", "annotations", "params", "env"))
"""Fields whose values are not read as fields."""
_WIDEST: Final = 64
"""Bits of the widest integer that stands as such in a decoded value."""


def convert(value: Any, findings: list[Finding]) -> Any:
    """Return a decoded value with the scalars of known fields converted, each with a finding."""
    if isinstance(value, list):
        return [convert(item, findings) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _field(name, item, findings) for name, item in value.items()}


def _field(name: str, item: Any, findings: list[Finding]) -> Any:
    folded = squash(name)
    if isinstance(item, dict | list):
        return item if folded in _FREE else convert(item, findings)
    if item is None or isinstance(item, str):
        return item
    if folded in _TEXTS and not _is_huge(item):
        text = stored_text(item)
        _note(findings, name, item, text)
        return text
    number = item.value if isinstance(item, Scalar) else item
    if folded in _INTEGERS and isinstance(number, float):
        integer = whole(number)
        if integer is not None:
            _note(findings, name, item, str(integer))
            return Scalar(literal(item), integer)
    return item


def _is_huge(item: Any) -> bool:
    """Tell whether a number is one that no decoder gives: `Scalar` holds those of many digits."""
    return isinstance(item, int) and item.bit_length() > _WIDEST


def _note(findings: list[Finding], name: str, item: Any, read: str) -> None:
    detail = f"{name}: {literal(item)[:80]} is read as {quote(read)}"
    findings.append(Finding("field.converted", detail))
