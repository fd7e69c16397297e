"""Options and arguments of commands. An empty one, as by a variable without value, is refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class Option(click.Option):
    """Take an option, which may be empty on the command line only where that means something."""

    def __init__(self, *arguments: Any, may_be_empty: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.may_be_empty = may_be_empty

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Refuse an empty value. Raises `click.BadParameter`."""
        given = opts.get(self.name or "")
        is_empty = given == "" or (isinstance(given, list) and "" in given)
        if is_empty and not (self.may_be_empty or ctx.resilient_parsing):
            raise click.BadParameter("it is empty. Give a value, or leave it out.", ctx, self)
        return super().handle_parse_result(ctx, opts, args)


class Argument(click.Argument):
    """Take an argument, which may not be empty."""

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Refuse an empty value. Raises `click.BadParameter`."""
        if value == "" or (isinstance(value, tuple) and "" in value):
            raise click.BadParameter("it is empty. Give a value.", ctx, self)
        return super().type_cast_value(ctx, value)


option: Final = partial(click.option, cls=Option)
argument: Final = partial(click.argument, cls=Argument)
