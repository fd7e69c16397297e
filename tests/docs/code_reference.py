"""Generate pages from the code: commands, exit codes, catalogues, rules, packages."""

from __future__ import annotations

import ast
import inspect
import tomllib
from typing import TYPE_CHECKING, Final

import click

from meta_audit import catalogue, cli
from meta_audit.decode.scalars import plain, stored_text
from meta_audit.model import Scalar
from meta_audit.parse import attribution
from meta_audit.search import words
from tests.docs.blocks import table
from tests.docs.shell import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from meta_audit.parse.attribution import Rule

WIDTH: Final = 80

RULES: Final[tuple[tuple[str, tuple[Rule, ...]], ...]] = (
    ("v0.2.9 - v0.3.13", attribution.FLAT),
    ("v0.3.14 - v0.3.19", attribution.STATUS),
    ("v0.3.22 - v1.0.3", attribution.METADATA[:2]),
    ("v0.3.14 - v1.0.3", attribution.METADATA[2:]),
    ("v0.2.9 - v1.0.3, a `Created` event", attribution.EVENT),
    ("v0.2.9 - v1.1, a submission", (attribution.SUBMITTED,)),
    ("v0.3 - v1.1, a signed submission", (attribution.SIGNATURE,)),
    ("v1.0.4 - v1.4, where nothing else names a client", (attribution.NAMESPACE,)),
)
META_VERSIONS: Final = {
    "orchestrator.id": "v1.5.2 and later",
    "requester.id": "v1.0.4 and later",
    "requester.publicKey": "v1.0.4 - v1.2.0",
    "client.id": "v1.0.4 - v1.5.1, by the legacy API only",
    "server.installation.id": "v1.5.0 and later",
    "server.instance.id": "v1.5.0 and later",
    "client.installation.id": "v1.5.0 and later",
    "client.instance.id": "v1.5.0 and later",
}
"""Reserved key without its prefix: the versions that write it."""

SCALARS: Final = (
    "nightly", "2024-11-02", "12:30:45", "1.20", "3", "1_000", "017", "0o17", "0x1F", "08",
    "y", "NO", "on", "true", "~", ".inf", "1e400",
)  # fmt: skip


def walk(
    command: click.Command | None = None, parent: click.Context | None = None
) -> Iterator[tuple[click.Context, click.Command]]:
    """Yield every command with its context, the program first."""
    command = command or cli.cli
    context = click.Context(
        command,
        info_name=(parent and _name(parent, command)) or "meta-audit",
        parent=parent,
        terminal_width=WIDTH,
        **command.context_settings,
    )
    yield context, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from walk(child, context)


def _name(parent: click.Context, command: click.Command) -> str:
    group = parent.command
    assert isinstance(group, click.Group)
    return next(n for n in group.list_commands(parent) if group.get_command(parent, n) is command)


def commands() -> str:
    """Show `--help` of every command."""
    return "\n".join(
        f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
        for context, command in walk()
    )


def exit_codes() -> str:
    """List the exit codes with their meanings, from the docstrings of `Exit`."""
    body = ast.parse(inspect.getsource(cli.Exit)).body[0]
    assert isinstance(body, ast.ClassDef)
    texts = [
        node.value.value
        for node in body.body[1:]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    codes = list(cli.Exit)
    rows = [(f"{code.value}", str(text)) for code, text in zip(codes, texts, strict=True)]
    rows.append(("128 + N", "Stopped by signal N (130: Ctrl-C); run the same command again."))
    return table(("code", "meaning"), rows)


def reasons() -> str:
    """List the reasons for rejecting a document."""
    rows = [(f"`{name}`", meaning) for name, meaning in catalogue.REASONS.items()]
    return table(("reason", "meaning"), rows)


def findings() -> str:
    """List the findings, the worst first."""
    order = ("critical", "warning", "info")
    kinds = sorted(catalogue.FINDINGS.items(), key=lambda item: order.index(item[1].severity))
    rows = [(f"`{code}`", kind.severity, kind.meaning) for code, kind in kinds]
    return table(("code", "severity", "meaning"), rows)


def source_errors() -> str:
    """List the reasons for refusing a whole source."""
    rows = [(f"`{name}`", meaning) for name, meaning in catalogue.SOURCE_ERRORS.items()]
    return table(("code", "meaning"), rows)


def rules() -> str:
    """List where each layout names a requester or client."""
    rows = [
        (versions, rule.role, f"`{rule.basis}`", rule.trust)
        for versions, group in RULES
        for rule in group
    ]
    rows += [
        (META_VERSIONS[key.removeprefix("bacalhau.org/")], rule.role, f"`{rule.basis}`", rule.trust)
        for key, rule in attribution.META.items()
    ]
    return table(("Bacalhau", "role", "basis", "trust"), rows)


def scalars() -> str:
    """Show how plain YAML scalars are read, and what each is as a Meta value."""
    rows = []
    for text in SCALARS:
        value = plain(text)
        if value is None:
            stored = newer = '`""`, with the finding `meta.null`'
        elif isinstance(value, str):
            stored = newer = "as it is"
        else:
            stored, newer = f"`{stored_text(value)}`", "refused"
        rows.append((f"`{text}`", _kind(value), stored, newer))
    return table(("written", "is", "as Meta, v1.0.4-v1.3.2", "as Meta, v1.4 and later"), rows)


def _kind(value: str | int | float | Scalar | None) -> str:
    if isinstance(value, Scalar):
        if value.value is None:
            return "a number that JSON cannot hold"
        value = value.value
    if value is None:
        return "null"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    return f"the number {value}"


def find_fields() -> str:
    """List the fields of the find language."""
    rows = [(f"`{name}:`", meaning) for name, meaning in words.FIELDS.items()]
    return table(("field", "meaning"), rows)


def find_times() -> str:
    """List the times of the find language."""
    return table(("time", "meaning"), [(f"`{name}`", m) for name, m in words.TIMES.items()])


def packages() -> str:
    """List the packages, and the modules beside them, by the first line of their docstrings."""
    root = ROOT / "meta_audit"
    modules = [m for m in sorted(root.glob("*.py")) if not m.name.startswith("__")]
    folders = sorted(m.parent for m in root.glob("*/__init__.py"))
    rows = [(f"`{m.name}`", _first_line(m)) for m in modules]
    rows += [(f"`{f.name}/`", _first_line(f / "__init__.py")) for f in folders]
    return table(("package", "purpose"), rows)


def layers() -> str:
    """List the layers of imports, the highest first, as import-linter holds them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (found,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    lines = [line.replace(" | ", ", ") for line in found]
    return "\n".join(["```text", *lines, "```"])


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


PARTS: Final[dict[str, Callable[[], str]]] = {
    "commands": commands,
    "exit-codes": exit_codes,
    "reasons": reasons,
    "findings": findings,
    "source-errors": source_errors,
    "rules": rules,
    "scalars": scalars,
    "packages": packages,
    "layers": layers,
    "find-fields": find_fields,
    "find-times": find_times,
}
"""Name of a part between markers: function that generates it."""
