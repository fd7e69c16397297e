"""Connect the shells with completion: what each asks with, and how it takes the answer.

Bash cuts words at `=` and `:`, and replaces only the last piece. After `KEY=`, no shell should
add a space. This is what click's own scripts do not do.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from click.shell_completion import (
    BashComplete,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

if TYPE_CHECKING:
    from click import Command
    from click.shell_completion import CompletionItem

PROGRAM: Final = "meta-audit"
VARIABLE: Final = "_META_AUDIT_COMPLETE"
_BASH: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' completion type value
    COMPREPLY=()
    for completion in $(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" \\
            COMP_BREAKS="$COMP_WORDBREAKS" %(complete_var)s=bash_complete "$1" 2>/dev/null); do
        type="${completion%%%%,*}" value="${completion#*,}"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                if [[ $value == *[=:] ]]; then compopt -o nospace; fi ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_ZSH: Final = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a plain begun response
    local type key descr
    (( ! $+commands[%(prog_name)s] )) && return 1
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for type key descr in ${response}; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain) if [[ $key == *[=:] ]]; then begun+=("$key"); else plain+=("$key"); fi ;;
        esac
    done
    if [ -n "$plain" ]; then compadd -U -V unsorted -a plain; fi
    if [ -n "$begun" ]; then compadd -U -S '' -V begun -a begun; fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class Bash(BashComplete):
    """Complete in bash."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, as the program would get them, and the begun one."""
        line = os.environ.get("COMP_LINE")
        if line is None:  # click's own script
            return super().get_completion_args()
        words = split_arg_string(line)[1:]
        if not words or line[-1:].isspace():
            return words, ""
        return words[:-1], words[-1]

    def complete(self) -> str:
        """Leave out what stands before the last break of the begun word: bash keeps it."""
        _, begun = self.get_completion_args()
        breaks = re.escape(os.environ.get("COMP_BREAKS", "=:"))
        self._kept = len(re.sub(f"[^{breaks}]*$", "", begun)) if breaks else 0
        return super().complete()

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return a line for the script."""
        value = item.value[self._kept :] if item.type == "plain" else item.value
        return f"{item.type},{value}"


class Zsh(ZshComplete):
    """Complete in zsh."""

    source_template = _ZSH


SHELLS: Final[dict[str, type[ShellComplete]]] = {"bash": Bash, "zsh": Zsh, "fish": FishComplete}


def register() -> None:
    """Make click use these."""
    for name, shell in SHELLS.items():
        add_completion_class(shell, name)


def script(shell: str, program: Command) -> str:
    """Return the script that makes a shell complete."""
    made = SHELLS[shell](program, {}, PROGRAM, VARIABLE)
    return made.source_template % dict(made.source_vars())
