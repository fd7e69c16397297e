r"""Lines that stand before a document and are none, and text that is no document at all."""

from __future__ import annotations

import re
from typing import Final

MAX_NOTICE_BYTES: Final = 4_096
"""Longest line that is looked at as a notice."""

NOTICE: Final = (
    rb"(?:Migrating repo to latest version|Migrated \d+ profiles|Migration successful|"
    rb"Initializ(?:ing|ed) repo\b|"
    rb"(?:\x1b\[[0-9;]*m)*\d\d:\d\d:\d\d(?:\.\d+)?(?:\x1b\[[0-9;]*m)* \|)"
    rb"[^\n]{0,4000}(?:\n|\Z)"
)
"""A line that Bacalhau's command line prints before the document: on its repository, or a log."""

is_notice: Final = re.compile(NOTICE).match

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# What may stand before a document, and may be left out.
BEFORE: Final = re.compile(rb"(?:[ \t\r\n]++|\xef\xbb\xbf|" + NOTICE + rb"|\x1b\[[0-9;]*m)*+").match
_DESCRIBE: Final = "`bacalhau job describe ID --output json`"
_FOREIGN: Final = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (
            rb"ID[ \t]+= \S",
            f"the table that `bacalhau job describe` prints; feed what {_DESCRIBE} prints",
        ),
        (
            rb"CREATED[^\n]*\bID\b[^\n]*\bJOB\b",
            "the table that `bacalhau job list` prints; feed what "
            "`bacalhau job list --output json` prints",
        ),
        (
            rb"Job successfully submitted",
            f"what `bacalhau job run` prints; feed what {_DESCRIBE} prints",
        ),
        (
            rb"(?:\$|>|%|[\w.-]+@[^\n]{0,80}[$#>%]|PS [^\n]{0,80}>)[ \t]*(?:sudo[ \t]+)?"
            rb"(?:bacalhau|curl|cat|http|jq|kubectl|docker)\b",
            "a shell prompt and a command before their output; feed the output alone, as with "
            "`COMMAND > FILE`",
        ),
        (
            rb"(?:curl|bacalhau|http|wget)[ \t]+[^\n:]",
            "a command before a document; feed the document alone",
        ),
        (
            rb"HTTP/[0-9.]+ \d\d\d",
            "the headers of an HTTP response before its body; feed the body alone, as curl prints "
            "it without -i",
        ),
        (rb"<(?i:!doctype|html|\?xml)", "a web page or XML"),
    )
)


def what_else(head: bytes) -> str:
    """Say what text is that holds no document by itself, and what to feed instead.

    Return an empty string for anything that may be a document.
    """
    start = BEFORE(head).end()  # type: ignore[union-attr]
    for pattern, message in _FOREIGN:
        if pattern.match(head, start):
            return f"this looks like {message}"
    return ""
