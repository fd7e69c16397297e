"""Log the question of a command as it was given, before it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.store.opening import Store


def log_this(store: Store, *, wanted: bool | None) -> None:
    """Log the command that runs, where that is `wanted`; None leaves it to the role.

    Raises as `log_question` does.
    """
    from meta_audit.record.questions import log_question

    context = click.get_current_context()
    name = context.command_path.partition(" ")[2]
    log_question(store, name, list(_given(context)), wanted=wanted)


def _given(context: click.Context) -> Iterator[str]:
    """Yield arguments and options that somebody gave, as they stand on a command line."""
    for parameter in context.command.get_params(context):
        name = parameter.name or ""
        if name == "log_queries" or name not in context.params:
            continue
        if context.get_parameter_source(name) is ParameterSource.DEFAULT:
            continue
        value = context.params[name]
        values = value if isinstance(value, list | tuple) else (value,)
        if isinstance(parameter, click.Argument):
            yield from map(str, values)
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            yield parameter.opts[0]
        elif parameter.multiple:
            yield from (f"{parameter.opts[0]}={one}" for one in values)
        else:
            yield f"{parameter.opts[0]}={','.join(map(str, values))}"
