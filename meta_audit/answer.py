"""Define the base of every value that answers a question."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, json


class Answer(Struct, frozen=True):
    """Hold an answer: a frozen value, in the shape of the JSON output (docs/output.md)."""

    def to_dict(self) -> dict[str, Any]:
        """Return the content as builtin values, the same as `--format json`; bytes are base64."""
        content: dict[str, Any] = json.decode(json.encode(self))
        return content
