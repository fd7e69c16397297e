"""Find and fill the generated parts of a document: fenced blocks and parts between markers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_QUERY: Final = re.compile(
    r"^```sql\n(?P<sql>.*?)^```\n(?:\n```text\n.*?^```\n)?", re.MULTILINE | re.DOTALL
)
_PART: Final = re.compile(
    r"^<!-- generated: ([\w-]+) -->\n.*?^<!-- end of \1 -->\n", re.MULTILINE | re.DOTALL
)
PROMPT: Final = "$ "
CONTINUATION: Final = "> "
PYTHON_PROMPT: Final = ">>> "
PYTHON_CONTINUATION: Final = "... "


def fences(text: str, language: str) -> Iterator[str]:
    """Return the contents of the fenced blocks of a language."""
    return (body for name, body in _FENCE.findall(text) if name == language)


def fill_consoles(text: str, run: Callable[[str], str]) -> str:
    """Run every command of the `console` blocks in order, and put its output below it."""

    def fill(match: re.Match[str]) -> str:
        if match[1] != "console":
            return match[0]
        shown = "".join(
            f"{PROMPT}{command}\n{run(_plain(command))}" for command in commands(match[2])
        )
        return f"```console\n{shown}```\n"

    return _FENCE.sub(fill, text)


def fill_sessions(text: str, run: Callable[[list[str]], list[str]]) -> str:
    """Run the statements of the `pycon` blocks in one interpreter, and put their output below."""
    blocks = [_inputs(b, PYTHON_PROMPT, PYTHON_CONTINUATION) for b in fences(text, "pycon")]
    statements = [one for block in blocks for one in block]
    plain = [re.sub(r"^\.\.\. ?", "", one, flags=re.MULTILINE) for one in statements]
    outputs = iter(run(plain) if plain else [])
    shown = iter(
        "".join(f"{PYTHON_PROMPT}{one}\n{next(outputs)}" for one in block) for block in blocks
    )
    return _FENCE.sub(lambda m: f"```pycon\n{next(shown)}```\n" if m[1] == "pycon" else m[0], text)


def commands(block: str) -> list[str]:
    """List the commands of a block: lines after `$ `, continued by lines after `> `."""
    return _inputs(block, PROMPT, CONTINUATION)


def _inputs(block: str, prompt: str, continuation: str) -> list[str]:
    found: list[str] = []
    open_ = False  # output may begin with "> " too
    for line in block.splitlines():
        if line.startswith(prompt):
            found.append(line.removeprefix(prompt))
            open_ = True
        elif open_ and f"{line} ".startswith(continuation):
            found[-1] += f"\n{line}"
        else:
            open_ = False
    return found


def _plain(command: str) -> str:
    return command.replace(f"\n{CONTINUATION}", "\n")


def queries(text: str) -> list[str]:
    """Return the SQL of every `sql` block."""
    return [match["sql"] for match in _QUERY.finditer(text)]


def fill_queries(text: str, run: Callable[[str], str]) -> str:
    """Run every `sql` block, and put its result into a `text` block below it."""
    return _QUERY.sub(lambda m: f"```sql\n{m['sql']}```\n\n```text\n{run(m['sql'])}```\n", text)


def part_names(text: str) -> list[str]:
    """Return the names of the parts between markers."""
    return _PART.findall(text)


def fill_parts(text: str, make: Callable[[str], str]) -> str:
    """Rewrite every part between `<!-- generated: NAME -->` and `<!-- end of NAME -->`."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- generated: {name} -->\n\n{make(name).strip()}\n\n<!-- end of {name} -->\n"

    return _PART.sub(fill, text)


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Format a Markdown table."""
    lines: list[tuple[str, ...]] = [header, tuple("---" for _ in header), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in line) + " |\n"
        for line in lines
    )
