"""Groups of commands, imported when they are called, so that `--help` starts at once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """A group with commands that are imported when they are called.

    `lazy` has sections of the help; each maps a command to its place and to its help in a line.
    The place is a module, which calls it `command`, or `module:name`.
    """

    def __init__(
        self,
        *arguments: Any,
        lazy: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.no_args_is_help = False  # `parse_args` does it, the same with every click
        self._sections = lazy or {}
        self._lazy = {
            name: place for part in self._sections.values() for name, place in part.items()
        }

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the help on stderr where no command is given: that is wrong usage."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they are defined."""
        return [*self.commands, *self._lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported where it is a lazy one."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), name or "command")
        if not isinstance(command, click.Command):
            raise TypeError(cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of a name that is none, tell the nearest one."""
        name, known = args[0], self.list_commands(ctx)
        if name in known or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return ctx.fail(f"No such command '{name}'.{hint}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        sections = dict(self._sections)
        own = {name: ("", c.get_short_help_str(limit=80)) for name, c in self.commands.items()}
        width = max(map(len, self.list_commands(ctx)))
        sections = {"Commands": {**own, **sections.pop("Commands", {})}, **sections}
        for title, part in sections.items():
            if part:
                with formatter.section(title):
                    formatter.write_dl(
                        [(f"{name:{width}}", text) for name, (_, text) in part.items()]
                    )
