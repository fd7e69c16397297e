"""Decode the bytes of one document to a value, or raise `RejectedError` with a named reason.

Whatever the bytes are, nothing but `RejectedError` is raised.
"""

from __future__ import annotations

from msgspec.structs import replace

from meta_audit.decode.json import decode_json
from meta_audit.decode.yaml import decode_yaml
from meta_audit.model import Decoded, Format

__all__ = ["decode", "decode_json", "decode_yaml"]


def decode(content: bytes, format: Format) -> Decoded:  # noqa: A002
    """Decode the one document in `content`. Raises `RejectedError`."""
    if format == "yaml":
        return decode_yaml(content)
    decoded = decode_json(content)
    return decoded if format == "json" else replace(decoded, format=format)
