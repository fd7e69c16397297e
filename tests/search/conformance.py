"""Read the conformance tables of docs/find.md."""

from __future__ import annotations

import re

from tests.conftest import ROOT

_TEXT = (ROOT / "docs/find.md").read_text("utf-8").partition("## Conformance")[2]
_ROW = re.compile(r"^\| `(.+?)` \| `(.+?)` \| (.+?) \|$", re.MULTILINE)

EXPRESSIONS = [(expression, normal) for expression, normal, _ in _ROW.findall(_TEXT)]
"""Each expression, and its normal form."""


def errors() -> list[tuple[str, int, str]]:
    """Return what cannot be read, the position of the caret, and the message with its advice."""
    block = re.findall(r"^```text\n(.*?)^```$", _TEXT, re.MULTILINE | re.DOTALL)[-1]
    lines = block.splitlines()
    pointed = zip(lines[::2], lines[1::2], strict=True)
    return [(text, line.index("^"), line.partition("^ ")[2]) for text, line in pointed]
