"""Results as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen
    from meta_audit.render.page import Page


def render(page: Page[Any], screen: Screen) -> bytes:
    """Return the text of a page; what the encoding lacks is escaped, too."""
    return page.text(screen).encode(screen.encoding, "backslashreplace")
