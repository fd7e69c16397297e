"""Bytes of one document to a Python value, or `RejectedError` with a named reason.

A decoded value is made of `dict` (string keys), `list`, `str`, `int`, `float`, `bool`, `None`
and `model.Scalar`. Whatever the bytes are, nothing but `RejectedError` comes out.
"""

from __future__ import annotations

from meta_audit.decode.json import decode_json
from meta_audit.decode.yaml import decode_yaml
from meta_audit.model import Format

__all__ = ["decode", "decode_json", "decode_yaml"]


def decode(content: bytes, format: Format) -> object:  # noqa: A002
    """Decode the one document in `content`. Raises `RejectedError`."""
    return decode_json(content) if format == "json" else decode_yaml(content)
