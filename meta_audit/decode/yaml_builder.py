"""Build one YAML document's value from parser events; nesting, nodes and aliases are bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from meta_audit.decode.scalars import plain, plain_key, tagged
from meta_audit.decode.text import (
    deep_error,
    duplicates_error,
    nodes_error,
    quote,
    surrogate_error,
)
from meta_audit.errors import RejectedError
from meta_audit.model import (
    MAX_ALIAS_NODES,
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_DUPLICATES,
    MAX_NODES,
    Decoded,
    Duplicate,
    Scalar,
)

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CORE: Final = "tag:yaml.org,2002:"
_STRING_TAGS: Final = frozenset(("!", f"{_CORE}str"))
_COLLECTION_TAGS: Final = {MappingStartEvent: f"{_CORE}map", SequenceStartEvent: f"{_CORE}seq"}
_MERGE: Final = "<<"


class _Found:
    """A key that stands twice: the steps from it up to the node that is being built."""

    __slots__ = ("line", "steps")

    def __init__(self, line: int, steps: list[str | int]) -> None:
        self.line = line
        self.steps = steps


class _Anchor:
    """Keep the node that an alias stands for, and the cost of writing it out."""

    __slots__ = ("complete", "found", "height", "nodes", "size", "value")

    def __init__(self) -> None:
        self.found: list[_Found] = []
        self.complete = False
        self.value: object = None
        self.nodes = 0
        self.size = 0
        self.height = 0


class YamlBuilder:
    """Build one document's value from libyaml's events.

    Nodes, characters and depth are counted with every alias written out.
    """

    def __init__(self, next_event: Callable[[], Any], *, escapes: bool) -> None:
        """`escapes`: whether the text has backslashes, so that strings must be looked at."""
        self._next = next_event
        self._escapes = escapes
        self._anchors: dict[str, _Anchor] = {}
        self._nodes = 0
        self._size = 0
        self._alias_nodes = 0
        self._alias_size = 0
        self._deepest = 0
        self._found: list[_Found] = []

    def document(self) -> Decoded:
        """Build the only document of the stream. Raises `RejectedError` and the parser's errors."""
        self._next()  # The start of the stream.
        event = self._next()
        if type(event) is StreamEndEvent:
            raise RejectedError("empty", "there is nothing but white space and comments")
        event = self._next()
        value = self._node(event, 0)
        if type(event) is ScalarEvent and not event.value and _is_plain(event):
            raise RejectedError("empty", "there is nothing but a document marker and comments")
        self._next()  # The end of the document.
        event = self._next()
        if type(event) is not StreamEndEvent:
            raise RejectedError(
                "trailing_data", "a second YAML document begins here", line=_line_of(event)
            )
        duplicates = (Duplicate(tuple(reversed(f.steps)), f.line) for f in self._found)
        return Decoded(value, tuple(duplicates), "yaml")

    def _node(self, event: Any, depth: int) -> object:
        """Build what begins with `event`, inside `depth` mappings and lists."""
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event, depth)
        if event.anchor is not None:
            return self._anchored(event, depth)
        return self._scalar(event) if kind is ScalarEvent else self._collection(event, depth + 1)

    def _anchored(self, event: Any, depth: int) -> object:
        # Registered before it is built, as in go-yaml, so that an alias inside it is found out.
        anchor = self._anchors[event.anchor] = _Anchor()
        nodes, size, deepest, found = self._nodes, self._size, self._deepest, len(self._found)
        self._deepest = depth
        if type(event) is ScalarEvent:
            anchor.value = self._scalar(event)
        else:
            anchor.value = self._collection(event, depth + 1)
        anchor.nodes = self._nodes - nodes
        anchor.size = self._size - size
        anchor.height = self._deepest - depth
        anchor.found = [_Found(f.line, f.steps.copy()) for f in self._found[found:]]
        anchor.complete = True
        self._deepest = max(self._deepest, deepest)
        return anchor.value

    def _alias(self, event: Any, depth: int) -> object:
        name = event.anchor
        anchor = self._anchors.get(name)
        if anchor is None:
            raise RejectedError(
                "yaml.syntax", f"the alias *{name} has no anchor before it", line=_line_of(event)
            )
        if not anchor.complete:
            raise RejectedError(
                "yaml.alias_budget", f"the anchor &{name} contains itself", line=_line_of(event)
            )
        self._alias_nodes += anchor.nodes
        self._alias_size += anchor.size
        if self._alias_nodes > MAX_ALIAS_NODES or self._alias_size > MAX_DOCUMENT_BYTES:
            raise RejectedError(
                "yaml.alias_budget",
                f"aliases written out add more than {MAX_ALIAS_NODES:,} nodes "
                f"or {MAX_DOCUMENT_BYTES:,} characters",
                line=_line_of(event),
            )
        self._nodes += anchor.nodes
        self._size += anchor.size
        self._descend(event, depth + anchor.height)
        for found in anchor.found:
            self._find(_Found(found.line, found.steps.copy()))
        return anchor.value

    def _find(self, found: _Found) -> None:
        """Note a key that stands twice."""
        if len(self._found) == MAX_DUPLICATES:
            raise duplicates_error(found.line)
        self._found.append(found)

    def _lift(self, known: int, step: str | int) -> None:
        """Say that what was found after the first `known` stands below `step`."""
        for found in self._found[known:]:
            found.steps.append(step)

    def _descend(self, event: Any, depth: int) -> None:
        if depth > self._deepest:
            if depth > MAX_DEPTH:
                raise deep_error(_line_of(event))
            self._deepest = depth

    def _scalar(self, event: Any) -> object:
        text: str = event.value
        self._nodes += 1
        self._size += len(text)
        if self._nodes - self._alias_nodes > MAX_NODES:
            raise nodes_error(_line_of(event))
        if event.tag is not None:
            if event.tag not in _STRING_TAGS:
                return self._tagged(event)
        elif event.implicit[0]:
            return plain(text)
        if self._escapes and _SURROGATE.search(text):
            raise surrogate_error(_line_of(event))
        return text

    def _tagged(self, event: Any) -> object:
        """Resolve a scalar with one of YAML's own tags. Nothing is ever constructed."""
        prefix, _, kind = event.tag.rpartition(":")
        if f"{prefix}:" != _CORE:
            raise _tag_error(event)
        try:
            return tagged(kind, event.value)
        except UnicodeDecodeError as error:
            message = "the bytes of a !!binary scalar are not UTF-8"
            raise RejectedError("text.encoding", message, line=_line_of(event)) from error
        except ValueError as error:
            raise _tag_error(event) from error

    def _collection(self, event: Any, depth: int) -> object:
        self._nodes += 1
        if self._nodes - self._alias_nodes > MAX_NODES:
            raise nodes_error(_line_of(event))
        if event.tag is not None and event.tag != _COLLECTION_TAGS[type(event)]:
            raise _tag_error(event)
        self._descend(event, depth)
        if type(event) is MappingStartEvent:
            return self._mapping(depth)
        items: list[object] = []
        known = len(self._found)
        event = self._next()
        while type(event) is not SequenceEndEvent:
            items.append(self._node(event, depth))
            if len(self._found) > known:
                self._lift(known, len(items) - 1)
                known = len(self._found)
            event = self._next()
        return items

    def _mapping(self, depth: int) -> dict[str, object]:
        mapping: dict[str, object] = {}
        written: set[str] = set()  # A key that came by a merge may be written as well.
        found = self._found
        start = len(found)
        event = self._next()
        while type(event) is not MappingEndEvent:
            if type(event) is ScalarEvent and event.value == _MERGE and _is_plain(event):
                self._merge(mapping, depth)
            else:
                value = self._node(event, depth)
                key = value if isinstance(value, str) else _key(value, event)
                if key in written and all(f.steps != [key] for f in found[start:]):
                    self._find(_Found(_line_of(event), [key]))
                written.add(key)
                known = len(found)
                mapping[key] = self._node(self._next(), depth)
                if len(found) != known:
                    self._lift(known, key)
            event = self._next()
        return mapping

    def _merge(self, mapping: dict[str, object], depth: int) -> None:
        """Take the keys of a mapping, or of each of a list of them, of which the first wins.

        With text for a value `<<` is a key like any other: go-yaml writes it without quotes,
        so that Bacalhau prints a Meta key `<<` in this way.
        """
        known = len(self._found)
        event = self._next()
        value = self._node(event, depth)
        if isinstance(value, str):
            if _MERGE in mapping:
                self._find(_Found(_line_of(event), [_MERGE]))
            mapping[_MERGE] = value
            return
        sources: list[object] = [value]
        if isinstance(value, list) and type(event) is SequenceStartEvent:  # Not an alias of one.
            sources = value
            for found in self._found[known:]:
                found.steps.pop()  # The place in the list is no step of the path.
        for source in reversed(sources):
            if not isinstance(source, dict):
                raise RejectedError(
                    "yaml.merge",
                    "<< takes a mapping or a list of mappings, and this is neither",
                    line=_line_of(event),
                )
            mapping.update(source)


def _is_plain(event: Any) -> bool:
    return event.tag is None and bool(event.implicit[0])


def _key(value: object, event: Any) -> str:
    """Give the string for a key that is none; `event` is where it stands."""
    if isinstance(value, (dict, list)):
        raise RejectedError(
            "yaml.key", "a mapping or list stands as a mapping key", line=_line_of(event)
        )
    text = value.text if isinstance(value, Scalar) else orjson.dumps(value).decode()
    key = plain_key(text)
    if key is None:
        raise RejectedError(
            "yaml.key",
            f"{quote(text)} cannot be a mapping key; Bacalhau refuses it as well",
            line=_line_of(event),
        )
    return key


def _line_of(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _tag_error(event: Any) -> RejectedError:
    return RejectedError(
        "yaml.tag",
        f"the tag {quote(event.tag)} does not fit the value, or is none of YAML's own",
        line=_line_of(event),
    )
