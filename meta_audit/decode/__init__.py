"""Decode the bytes of one document to a value, or raise `RejectedError` with a named reason.

Whatever the bytes are, nothing but `RejectedError` is raised.
"""

from __future__ import annotations

from meta_audit.decode.json import decode_json
from meta_audit.decode.yaml import decode_yaml
from meta_audit.model import Decoded, Format

__all__ = ["decode", "decode_json", "decode_yaml"]


def decode(content: bytes, format: Format) -> Decoded:  # noqa: A002
    """Decode the one document in `content`. Raises `RejectedError`."""
    return decode_json(content) if format == "json" else decode_yaml(content)
