"""`meta-audit completion`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.groups import LazyGroup
from meta_audit.cli.output import done, write_bytes
from meta_audit.errors import UsageError
from meta_audit.render.escape import escape

FILES: Final = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/meta-audit"),
    "zsh": ("XDG_DATA_HOME", ".local/share", "zsh/site-functions/_meta-audit"),
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions/meta-audit.fish"),
}
"""Shell: the variable that names a directory, its default, and the file below it."""
_SHELL: Final = click.argument("shell", type=click.Choice(tuple(FILES)), required=False)


@click.group(cls=LazyGroup)
@options.verbosity
def command() -> None:
    """Complete commands, options, keys, values, jobs and identities with the Tab key.

    Keys, values and IDs come from the store that --db or META_AUDIT_DB names.
    """


@command.command()
@_SHELL
def show(shell: str | None) -> Exit:
    """Print the script for SHELL (bash, zsh or fish; by default yours).

    To try it in bash: eval "$(meta-audit completion show bash)"
    """
    write_bytes(_script(shell or _own_shell()).encode())
    return Exit.DONE


@command.command()
@_SHELL
@options.verbosity
def install(shell: str | None) -> Exit:
    """Put the script for SHELL where it looks for completions of this user.

    Run this again after an upgrade.
    """
    name = shell or _own_shell()
    variable, default, below = FILES[name]
    base = os.environ.get(variable) or Path.home() / default
    file = Path(base, below)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_script(name))
    except OSError as error:
        raise UsageError(
            f"cannot write {file}: {error.strerror}",
            advice="Use `meta-audit completion show`, and put its output into a file yourself.",
        ) from error
    done(f"Written to {escape(str(file))}.")
    if name == "zsh":
        done("Add this to ~/.zshrc, before compinit:")
        done(f"  fpath=({escape(str(file.parent))} $fpath)")
    done("It works in new shells.")
    return Exit.DONE


def _script(shell: str) -> str:
    from meta_audit.cli.shells import script

    return script(shell, click.get_current_context().find_root().command)


def _own_shell() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in FILES:
        raise UsageError("which shell?", advice="Name it: bash, zsh or fish.")
    return name
