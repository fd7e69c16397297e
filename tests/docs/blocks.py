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


def commands(block: str) -> list[str]:
    """List the commands of a block: lines after `$ `, continued by lines after `> `."""
    found: list[str] = []
    open_ = False  # output may begin with "> " too
    for line in block.splitlines():
        if line.startswith(PROMPT):
            found.append(line.removeprefix(PROMPT))
            open_ = True
        elif open_ and line.startswith(CONTINUATION):
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
