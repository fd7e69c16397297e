"""Read options from a file: TOML, with the names of the options.

A table per command holds its options; what stands before the first table holds for the whole
program. The command line comes first, then the environment, then the file.
"""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click

from meta_audit.cli.log import FORMATS
from meta_audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.cli.groups import LazyGroup

MAX_BYTES: Final = 1_000_000
GENERAL: Final = ("db", "quiet", "verbose", "log-format")
"""Options that stand before the first table."""
_OF_THE_RUN: Final = ("config", "help", "version", *GENERAL)
_ENVIRONMENT: Final = {"checkpoint-log": "META_AUDIT_CHECKPOINT_LOG"}
"""Options that a variable of the environment stands for, which then comes first."""


class Config:
    """Hold what a file says."""

    def __init__(self, path: str, content: dict[str, Any]) -> None:
        self._path = path
        self._tables = {name: part for name, part in content.items() if isinstance(part, dict)}
        self.general = {name: v for name, v in content.items() if name not in self._tables}
        """Values by the name of an option that holds for the whole program."""

    def check(self, group: LazyGroup, context: click.Context) -> None:
        """Check names that hold for the program, and those of commands. Raises `UsageError`."""
        self._check_names(self.general, GENERAL, "option for the whole program")
        self._check_names(self._tables, group.list_commands(context), "command")
        for name, kind in (("db", str), ("quiet", bool), ("verbose", bool), ("log-format", str)):
            value = self.general.get(name)
            if value is not None and not isinstance(value, kind):
                wanted = "text" if kind is str else "true or false"
                raise self._fault(f"{name} must be {wanted}")
        if self.general.get("quiet") and self.general.get("verbose"):
            raise self._fault("quiet and verbose cannot be used together")
        if self.general.get("log-format", "text") not in FORMATS:
            raise self._fault(f"log-format must be {' or '.join(FORMATS)}")

    def defaults(self, command: click.Command, context: click.Context, name: str) -> dict[str, Any]:
        """Return the values of a command's options, as click takes them. Raises `UsageError`."""
        return self._defaults(command, context, self._tables.get(name, {}), name)

    def _defaults(
        self, command: click.Command, context: click.Context, table: dict[str, Any], name: str
    ) -> dict[str, Any]:
        if isinstance(command, click.Group):
            self._check_names(table, command.list_commands(context), f"command of {name}")
            found = {}
            for inner, part in table.items():
                below = command.get_command(context, inner)
                if below is None or not isinstance(part, dict):
                    raise self._fault(f"{name}.{inner} must be a table")
                found[inner] = self._defaults(below, context, part, f"{name} {inner}")
            return found
        options = {
            option.removeprefix("--"): parameter
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
            if option.startswith("--") and option.removeprefix("--") not in _OF_THE_RUN
        }
        self._check_names(table, options, f"option of {name}")
        values = {}
        for key, value in table.items():
            if not _fits(options[key], value):
                raise self._fault(f"{name}: the value of {key} is empty or of the wrong kind")
            if not os.environ.get(_ENVIRONMENT.get(key, "")):
                values[str(options[key].name)] = value
        return values

    def _check_names(self, names: Iterable[str], known: Iterable[str], kind: str) -> None:
        known = list(known)
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                advice = f"Did you mean {near[0]}?" if near else f"It may be {', '.join(known)}."
                raise self._fault(f"{name} is no {kind}", advice)

    def _fault(self, what: str, advice: str = "") -> UsageError:
        return UsageError(f"{self._path}: {what}", advice=advice)


def read_config(path: str) -> Config:
    """Read a file. Raises `UsageError`."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UsageError(f"{path} has more than {MAX_BYTES:,} bytes: it is no configuration")
        return Config(path, tomllib.loads(content.decode()))
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"the configuration {path} is not TOML: {error}",
            advice='It has lines such as db = "audit.db", and tables such as [ingest].',
        ) from error


def _fits(option: click.Option, value: object) -> bool:
    if option.multiple:
        return isinstance(value, list) and all(isinstance(one, str) and one for one in value)
    if option.is_flag:
        return isinstance(value, bool)
    if isinstance(value, int) and not isinstance(value, bool):
        return not isinstance(option.type, click.types.StringParamType)
    return isinstance(value, str) and value != ""
