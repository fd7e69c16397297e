"""Find the elements of a YAML list of jobs by libyaml's tokens.

Tokens, not events: they carry the place of every `-`, and bad syntax within one element leaves
its neighbours alone. Nothing is constructed, and the depth is bounded.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from meta_audit.cut.pages import JOB_FIELDS, NEXT_TOKEN, may_hold_token
from meta_audit.model import LIST_FIELDS, MAX_DEPTH, MAX_NODES

Spans: TypeAlias = list[tuple[int, int]]
Types: TypeAlias = tuple[type[yaml.Token], ...]

_STARTS: Final = (
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
)
_ENDS: Final = (yaml.BlockEndToken, yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)
_MAPPINGS: Final = (yaml.BlockMappingStartToken, yaml.FlowMappingStartToken)
_PREAMBLE: Final = (yaml.StreamStartToken, yaml.DirectiveToken, yaml.DocumentStartToken)
_BLOCK_LIST_ENDS: Final = (yaml.BlockEntryToken, yaml.BlockEndToken, yaml.KeyToken)
_FLOW_LIST_ENDS: Final = (yaml.FlowEntryToken, yaml.FlowSequenceEndToken)
_BLOCK_VALUE_ENDS: Final = (yaml.KeyToken, yaml.BlockEndToken)
_FLOW_VALUE_ENDS: Final = (yaml.FlowEntryToken, yaml.FlowMappingEndToken)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class Elements(NamedTuple):
    """The elements of a list or page of records."""

    spans: Spans
    """Byte ranges, in order."""
    next_token: str
    """Name of the field that says that more follow, or empty."""


class _NoListError(Exception):
    """The document is no list of records, or none that can be cut."""


def find_elements(content: bytes, *, cut: bool = False) -> Elements | None:
    """Return the elements of a list or page of records.

    None when the document is neither, has more than `MAX_NODES`, or cannot be cut into parts
    that stand alone. With `cut` the end of the document is missing: the elements found before
    it are returned, the last of which may be incomplete.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    finder = _Finder(text)
    try:
        finder.document()
    except _NoListError:
        return None
    except (yaml.YAMLError, RecursionError):
        if not cut:
            return None
    spans: Spans = []
    at = offset = 0
    for start, end in finder.spans:
        begin = offset + len(text[at:start].encode())
        offset = begin + len(text[start:end].encode())
        at = end
        spans.append((begin, offset))
    return Elements(spans, finder.next_token)


def is_yaml(content: bytes) -> bool:
    """Tell whether content is one YAML document, not too deep."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    events: Any = CParser(text)
    depth = documents = 0
    try:
        while (event := events.get_event()) is not None:
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            documents += isinstance(event, yaml.DocumentStartEvent)
            if depth > MAX_DEPTH:
                return False
    except (yaml.YAMLError, RecursionError):
        return False
    return documents == 1


def find_inner_token(content: bytes) -> str:
    """Return the path of a field in one record that says that more of a list follows.

    As `History.NextToken` of a job that was described with its history; empty if there is none.
    """
    if not may_hold_token(content):
        return ""
    finder = _Finder(content.decode("utf-8", "replace"))
    try:
        return finder.inner_token()
    except (_NoListError, yaml.YAMLError, RecursionError):
        return ""


class _Finder:
    """Reads the tokens of one document; `spans` holds the elements, as ranges of characters."""

    def __init__(self, text: str) -> None:
        self.spans: Spans = []
        self.next_token = ""
        self._text = text
        self._tokens: Any = CParser(text)  # its stubs lack the token methods

    def document(self) -> None:
        """Find the elements. Raises `_NoListError`, or `yaml.YAMLError` for bad syntax."""
        while self._at(*_PREAMBLE):
            self._take()
        if self._at(yaml.BlockSequenceStartToken):
            self._take()
            self._block_list()
            self._expect(yaml.BlockEndToken)
        elif self._at(yaml.FlowSequenceStartToken):
            self._flow_list()
        elif self._at(yaml.BlockMappingStartToken):
            self._page(_BLOCK_VALUE_ENDS)
        elif self._at(yaml.FlowMappingStartToken):
            self._page(_FLOW_VALUE_ENDS)
        else:
            raise _NoListError
        self._expect(yaml.StreamEndToken)

    def inner_token(self) -> str:
        """Return the path of a `NEXT_TOKEN` that is not empty, on the first or second level."""
        while self._at(*_PREAMBLE):
            self._take()
        return self._token_in_mapping(1)

    def _token_in_mapping(self, level: int) -> str:
        is_flow = self._at(yaml.FlowMappingStartToken)
        ends = _FLOW_VALUE_ENDS if is_flow else _BLOCK_VALUE_ENDS
        self._expect(yaml.BlockMappingStartToken, yaml.FlowMappingStartToken)
        while self._at(yaml.KeyToken):
            self._take()
            name = self._expect(yaml.ScalarToken).value
            self._expect(yaml.ValueToken)
            if name.lower() in NEXT_TOKEN and self._is_token():
                return str(name)
            if level == 1 and name.lower() in LIST_FIELDS and self._at(*_MAPPINGS):
                inner = self._token_in_mapping(2)
                if inner:
                    return f"{name}.{inner}"
            else:
                self._value(ends)
            if self._at(yaml.FlowEntryToken):
                self._take()
        self._expect(*_ENDS)
        return ""

    def _is_token(self) -> bool:
        if not self._at(yaml.ScalarToken):
            return False
        token = self._peek()
        return not (token.value in _NULLS if token.plain else token.value == "")

    def _page(self, ends: Types) -> None:
        """Find the elements of the lists in a mapping."""
        self._take()
        lists: set[str] = set()
        while self._at(yaml.KeyToken):
            self._take()
            field = self._expect(yaml.ScalarToken).value
            name = field.lower()
            self._expect(yaml.ValueToken)
            if name in JOB_FIELDS or name in lists:
                raise _NoListError
            if name in NEXT_TOKEN and self._is_token():
                self.next_token = field
            if name in LIST_FIELDS and self._list(ends):
                lists.add(name)
            else:
                self._value(ends)
            if self._at(yaml.FlowEntryToken):
                self._take()
        self._expect(*_ENDS)
        if not lists:
            raise _NoListError

    def _list(self, ends: Types) -> bool:
        """Take a page's list, if it is one."""
        if self._at(yaml.BlockEntryToken):  # a list indented no further than its key
            self._block_list()
        elif self._at(yaml.BlockSequenceStartToken):
            self._take()
            self._block_list()
            self._expect(yaml.BlockEndToken)
        elif self._at(yaml.FlowSequenceStartToken):
            self._flow_list()
        elif self._at(yaml.ScalarToken):  # null, as Go writes a list that has no elements
            token = self._take()
            return bool(token.plain) and token.value in _NULLS
        else:
            return self._at(*ends)
        return True

    def _block_list(self) -> None:
        while self._at(yaml.BlockEntryToken):
            start = self._line_start(self._take())
            self._begin(start)
            self._value(_BLOCK_LIST_ENDS, own_anchors=True)
            self.spans[-1] = (start, self._line_start(self._peek(), last=True))

    def _flow_list(self) -> None:
        self._take()
        while not self._at(yaml.FlowSequenceEndToken):
            start = self._peek().start_mark.index
            self._begin(start)
            end = self._value(_FLOW_LIST_ENDS, own_anchors=True)
            if end is None:
                raise _NoListError
            self.spans[-1] = (start, end)
            if self._at(yaml.FlowEntryToken):
                self._take()
        self._take()

    def _begin(self, start: int) -> None:
        if len(self.spans) >= MAX_NODES:
            raise _NoListError
        self.spans.append((start, len(self._text)))

    def _line_start(self, token: Any, *, last: bool = False) -> int:
        """Return where the token's line begins; nothing but indentation may stand before it."""
        index: int = token.start_mark.index
        start: int = index - token.start_mark.column
        if not last and self._text[start:index].strip(" "):
            raise _NoListError
        return start

    def _value(self, ends: Types, *, own_anchors: bool = False) -> int | None:
        """Skip to a token of `ends` on this level. Return where the last one skipped ended.

        With `own_anchors`, an alias to an anchor from without raises `_NoListError`: the part
        would not stand alone.
        """
        depth = 0
        end: int | None = None
        anchors: set[str] = set()
        while depth or not self._at(*ends):
            token = self._take()
            end = token.end_mark.index
            if isinstance(token, _STARTS):
                depth += 1
                if depth > MAX_DEPTH:
                    raise _NoListError
            elif isinstance(token, _ENDS):
                depth -= 1
            elif isinstance(token, yaml.AnchorToken):
                anchors.add(token.value)
            elif own_anchors and isinstance(token, yaml.AliasToken) and token.value not in anchors:
                raise _NoListError
        return end

    def _at(self, *types: type[yaml.Token]) -> bool:
        return bool(self._tokens.check_token(*types))

    def _peek(self) -> Any:
        token = self._tokens.peek_token()
        if token is None:
            raise _NoListError
        return token

    def _take(self) -> Any:
        self._peek()
        return self._tokens.get_token()

    def _expect(self, *types: type[yaml.Token]) -> Any:
        if not self._at(*types):
            raise _NoListError
        return self._take()
