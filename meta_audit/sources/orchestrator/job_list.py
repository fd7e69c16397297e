"""Read one page of a list that an orchestrator gives out, and name pages by their offset."""

from __future__ import annotations

import base64
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from meta_audit.cut.blocks import Blocks, Item
from meta_audit.cut.json import JsonSplitter
from meta_audit.cut.pages import NEXT_TOKEN
from meta_audit.errors import SourceError
from meta_audit.model import LIST_FIELDS

Order = Literal["created_at", "modified_at"]
"""Ascending by time of creation, or descending by time of modification."""


WHOSE_URL: Final = "Is it the URL of a Bacalhau orchestrator, v1.1 or later?"


class _ElementFields(Struct):
    """The fields of an element that a pull goes by."""

    ID: Any = ""
    JobID: Any = ""
    Namespace: Any = ""
    CreateTime: Any = 0
    ModifyTime: Any = 0
    Version: Any = 0
    State: Any = None


class Element(Struct, frozen=True, gc=False):
    """One element of a page: its own bytes, and what a pull goes by."""

    item: Item
    job_id: str = ""
    created: int = 0
    modified: int = 0
    version: int = 0
    state: str = ""
    namespace: str = ""

    def time(self, order: Order) -> int:
        """Return the time that the list is sorted by."""
        return self.created if order == "created_at" else self.modified


class ListPage(Struct, frozen=True, gc=False):
    """One page of a list."""

    elements: list[Element]
    next_token: str
    is_old: bool
    """As v1.1-v1.3 write it, with a name of its own in place of `Items`."""


def read_page(body: bytes, *, of_jobs: bool) -> ListPage:
    """Cut a page into its elements. Raises `SourceError` (`server.answer`) when it is none."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(
            "server.answer", f"its answer is not JSON: {error}", advice=WHOSE_URL
        ) from error
    names = [name for name in fields if name.lower() in LIST_FIELDS]
    if not names or not all(bytes(fields[name])[:1] in (b"[", b"n") for name in names):
        raise SourceError(
            "server.answer",
            "its answer is no list of jobs" if of_jobs else "its answer is no list",
            advice=WHOSE_URL,
        )
    tokens = [fields[name] for name in fields if name.lower() in NEXT_TOKEN]
    items = JsonSplitter(Blocks([body])).items()
    elements = [_element(item, "ID" if of_jobs else "JobID") for item in items]
    return ListPage(elements, _text(tokens[0]) if tokens else "", "Items" not in names)


def _element(item: Item, id_field: str) -> Element:
    try:
        head = msgspec.json.decode(item.content, type=_ElementFields)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Element(item)
    state = head.State.get("StateType") if isinstance(head.State, dict) else ""
    job_id = getattr(head, id_field)
    return Element(
        item,
        job_id if isinstance(job_id, str) else "",
        _number(head.CreateTime),
        _number(head.ModifyTime),
        _number(head.Version),
        state if isinstance(state, str) else "",
        head.Namespace if isinstance(head.Namespace, str) else "",
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _text(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def is_offset_token(token: str) -> bool:
    """Tell whether a token is an offset in the form of v1.2 and later."""
    try:
        parts = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).split(b":")
    except ValueError:
        return False
    return len(parts) == 4 and parts[2].isdigit() and parts[3].isdigit()


def offset_token(order: Order, limit: int, offset: int) -> str:
    """Return the token of the page that begins at an offset (pkg/models: `PagingToken`)."""
    reverse = "N" if order == "created_at" else "Y"
    text = f"{order}:{reverse}:{limit}:{offset}".encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
