"""Write a document as one HTML file that needs no other: no script, no link, no font."""

from __future__ import annotations

from html import escape as quoted
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.render.layout import Screen
    from meta_audit.render.page import Page
    from meta_audit.render.sections import Section

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd;
  vertical-align: top; overflow-wrap: anywhere; }
th { border-bottom-color: #888; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


@runtime_checkable
class SectionedPage(Protocol):
    """A page that consists of sections."""

    def title(self) -> str:
        """Return the title of the document."""

    def sections(self, screen: Screen) -> Sequence[Section]:
        """Return its parts."""


def render(page: Page[Any], screen: Screen) -> bytes:
    """Return the page as an HTML document in UTF-8. Every text in it is escaped."""
    if not isinstance(page, SectionedPage):
        raise TypeError(type(page).__name__)
    title = _text(page.title())
    body = "".join(_section(section) for section in page.sections(screen))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    ).encode()


def _section(section: Section) -> str:
    parts = [f"<h2>{_text(section.title)}</h2>\n", *_lines(section.lines)]
    if section.rows:
        head = "".join(f"<th>{_text(name)}</th>" for name in section.header)
        rows = "".join(f"<tr>{_cells(row)}</tr>\n" for row in section.rows)
        parts.append(
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        )
    return "".join([*parts, *_lines(section.after)])


def _cells(row: Iterable[str]) -> str:
    return "".join(f"<td>{_text(cell)}</td>" for cell in row)


def _lines(lines: Iterable[str]) -> list[str]:
    return [f"<p>{_text(line)}</p>\n" for line in lines]


def _text(text: str) -> str:
    """Escape what a terminal would obey, and what HTML would."""
    return quoted(escape(text))
