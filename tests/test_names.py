"""One name has one meaning, and no file imports itself on a detour."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import ROOT

PACKAGE: Final = ROOT / "meta_audit"
SHARED: Final = {
    "aliases": "names of identities: given, asked for, shown",
    "backend": "the interface, and one per engine",
    "checkpoint": "the command, and what it shows",
    "checkpoints": "checkpoints asked for, shown, verified",
    "comparison": "its query and its page",
    "contract": "the contract of the views, and its page",
    "counts": "the commands that count, and their pages",
    "current_jobs": "the row of a job: computed, kept, verified",
    "diff": "the command, its query and its page",
    "document": "the command, and reading a decoded document",
    "dry_run": "what it does, and its page",
    "export": "the command, and the package that does it",
    "failures": "one per engine",
    "find": "the command, and its query",
    "findings": "the command, and its page",
    "history": "the command, its query and its page",
    "imports": "the command, its query and its page",
    "ingest": "the command, and the package that does it",
    "jobs": "jobs shown, jobs verified",
    "json": "cut, decoded and written",
    "lake": "the command, and the package that does it",
    "lookups": "lookup tables: filled, verified",
    "metrics": "the file of them, and what they count",
    "ndjson": "cut and written",
    "options": "of the command line, of an import",
    "presence": "its query and its page",
    "pull": "the command, and the source",
    "prove": "the command, and what it does",
    "rejections": "the command, and its query",
    "reread": "the command, and what it does",
    "report": "the command, its query and its page",
    "run": "one import, one verification",
    "segments": "the command, and what it does",
    "select": "one per engine",
    "session": "the interface, and one per engine",
    "sql": "the command, and its query",
    "tables": "those of a store, those of a lake",
    "trace": "the command, its query and its page",
    "uses": "what a job uses: parsed, asked for",
    "verify": "the command, and the package that does it",
    "who": "the command, its query and its page",
    "yaml": "cut and decoded",
}
"""Module names that stand more than once, with the reason."""
NO_VERB: Final = ("What", "Who", "Where", "Whether", "How")


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    """Parse every file of the product."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return [(path.relative_to(ROOT), ast.parse(path.read_text("utf-8"))) for path in paths]


def test_a_class_name_stands_once() -> None:
    classes = Counter(
        node.name
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, number in classes.items() if number > 1] == []


def test_a_type_alias_stands_once() -> None:
    aliases = Counter(name for _, tree in trees() for name in _aliases(tree))
    classes = {
        node.name
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    assert [name for name, number in aliases.items() if number > 1 or name in classes] == []


def _aliases(tree: ast.Module) -> Iterator[str]:
    """Find assignments of a module to a name that is written as a class is."""
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            target = node.target
        if isinstance(target, ast.Name) and target.id[:1].isupper() and not target.id.isupper():
            yield target.id


def test_a_module_name_stands_once_or_has_a_reason() -> None:
    modules: dict[str, list[str]] = defaultdict(list)
    for path, _ in trees():
        is_package = path.name == "__init__.py"
        if path.stem != "__main__":
            modules[path.parent.name if is_package else path.stem].append(str(path))
    assert {name for name, places in modules.items() if len(places) > 1} == set(SHARED)


def test_no_test_file_repeats_the_name_of_its_folder() -> None:
    repeated = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.parent.name.removesuffix("s") in path.stem.removeprefix("test_")
    ]
    assert repeated == []


def test_a_docstring_begins_with_a_verb() -> None:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = [
        f"{path}: {text.splitlines()[0]}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, kinds)
        and (text := ast.get_docstring(node))
        and text.split()[0] in NO_VERB
    ]
    assert found == []


def test_what_describes_a_field_is_no_question() -> None:
    found = [
        f"{path}:{node.lineno}: {text}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(text := node.value.value, str)
        and text.split()[:1]
        and text.split()[0] in NO_VERB
    ]
    assert found == []


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports for type checkers count too."""
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph(PACKAGE.name, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)
