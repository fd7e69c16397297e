"""Decode YAML as Bacalhau reads it, in a way that no document can crash.

libyaml's composer (PyYAML's `CSafeLoader`) recurses in C and dies of SIGSEGV at some 25,000
nested brackets. Its events do not, and nesting is refused here long before that.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from meta_audit.decode.text import (
    check_size,
    control_error,
    leading_hint,
    line_at,
    lines_at,
    template_hint,
    to_text,
)
from meta_audit.decode.yaml_builder import YamlBuilder
from meta_audit.errors import RejectedError
from meta_audit.model import Decoded

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's parser; the one in Python where PyYAML was built without libyaml."""

_CONTROL: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML 1.1 (section 5.1) allows only as an escape."""
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_TAG_DIRECTIVE: Final = re.compile("(?:^|[\n\r\x85\u2028\u2029])%TAG")
_MAX_TAG_DIRECTIVES: Final = 16
"""libyaml compares each %TAG directive with all before it: 700,000 of them take minutes."""

_REASONS: Final = {
    "did not find expected <document start>": "trailing_data",
    "found invalid Unicode character escape code": "text.encoding",
    "found undefined tag handle": "yaml.tag",
}
"""libyaml's problems that have a reason of their own; all others are `yaml.syntax`."""


def decode_yaml(content: bytes, *, loader: Any = LOADER) -> Decoded:
    """Decode the one YAML document in `content`. Raises `RejectedError`.

    Scalars, keys and merges are resolved as Bacalhau's YAML library does (see `scalars`): in a
    mapping the later of a merged and a written key wins, as in go-yaml v2 and unlike YAML
    1.1. A scalar comes as `model.Scalar` unless its JSON form is its text. Aliased parts are
    shared objects of the value, which with all of them written out has at most
    `MAX_ALIAS_NODES` nodes more than the document.
    """
    check_size(content)
    text = to_text(content)
    _check_text(text)
    try:
        return YamlBuilder(loader(text).get_event, escapes="\\" in text).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The last two: PyYAML's own scanner, on escapes such as \UFFFFFFFF.
        raise RejectedError("yaml.syntax", str(error)) from error
    except RejectedError as error:
        if error.reason != "yaml.key":
            raise
        hint = template_hint(text, error.line) or leading_hint(text)
        raise RejectedError(error.reason, f"{error}{hint}", line=error.line) from error


def _check_text(text: str) -> None:
    match = _CONTROL.search(text)
    if match:
        raise control_error(match[0], line_at(text, match.start()), language="yaml")
    if text.count("%TAG") > _MAX_TAG_DIRECTIVES:
        directives = len(_TAG_DIRECTIVE.findall(text))
        if directives > _MAX_TAG_DIRECTIVES:
            raise RejectedError("yaml.tag", f"{directives} %TAG directives, for tags not taken")


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> RejectedError:
    problem = error.problem or str(error)
    mark = error.problem_mark or error.context_mark
    number = mark.line + 1 if mark else 0
    reason = _REASONS.get(problem, "yaml.syntax")
    if reason == "trailing_data":
        message = "more text after the end of the document, or an indentation that ends it"
        message += leading_hint(text)
        return RejectedError(reason, message, line=number)
    message = f"{error.context}: {problem}" if error.context else problem
    if mark:
        line = lines_at(text, number, number)
        message += f", at column {mark.column + 1}"
        if "\t" in line[: len(line) - len(line.lstrip())]:
            message += "; a tab cannot indent YAML, use spaces"
        if reason == "text.encoding" and _SURROGATE.search(line):
            message += "; YAML has no surrogate pairs, and Bacalhau refuses them as well"
        message += template_hint(text, number) or leading_hint(text)
    return RejectedError(reason, message, line=number)
