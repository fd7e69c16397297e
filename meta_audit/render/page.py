"""The interface of this package: a result, as each format shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.render.layout import Screen

Result = TypeVar("Result")


@dataclass(frozen=True)
class Page(Generic[Result]):
    """Show one kind of result. A subclass says how it is laid out as text."""

    indent: ClassVar[int] = 2
    """Of JSON; 0 writes it on one line."""

    result: Result

    def text(self, screen: Screen) -> str:
        """Return lines for people, every value in them escaped."""
        raise NotImplementedError

    def value(self) -> object:
        """Return the whole content, for JSON."""
        return self.result

    def notes(self) -> Sequence[str]:
        """Return lines for stderr: what a reader of any format should know, escaped."""
        return ()


class Listing(Page[Result]):
    """Show a result that is a list: NDJSON and CSV have a line for each row."""

    row: ClassVar[type[Struct]]

    def rows(self) -> Sequence[Struct]:
        """Return the rows; each is a `row`."""
        raise NotImplementedError

    def csv_header(self) -> list[str]:
        """Return the names of the CSV columns."""
        return [*_names(self.row)]

    def csv_row(self, row: Struct) -> list[Any]:
        """Return the CSV cells of a row."""
        return [*_cells(row)]


def _names(row: type[Struct]) -> Iterator[str]:
    """Yield a column for each field; for those of a Struct within, in its place."""
    for field in fields(row):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from _names(field.type)
        else:
            yield field.name


def _cells(row: Struct) -> Iterator[Any]:
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, Struct):
            yield from _cells(value)
        else:
            yield value
