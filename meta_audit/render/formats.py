"""Write a page in a format. The module of a format is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen
    from meta_audit.render.page import Page

RENDERERS: Final = {
    "text": "plain",
    "json": "json",
    "ndjson": "ndjson",
    "csv": "csv",
    "html": "html",
}
"""Format: the module of this package that writes it."""


def render(page: Page[Any], format_: str, screen: Screen) -> bytes:
    """Return a page in a format of `RENDERERS`; only a `Listing` can be `ndjson` or `csv`."""
    content: bytes = import_module(f"meta_audit.render.{RENDERERS[format_]}").render(page, screen)
    return content
