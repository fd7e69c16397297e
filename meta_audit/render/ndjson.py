"""Results as NDJSON: a line of JSON for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meta_audit.render.json import to_json

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen
    from meta_audit.render.page import Listing


def render(page: Listing[Any], screen: Screen) -> bytes:  # noqa: ARG001 - as every renderer
    """Return each row of a page as one line of JSON."""
    return b"".join(to_json(row, indent=0) for row in page.rows())
