"""The documentation says what the program does: if a test fails here, run `make docs`.

What is still red then is a link, an option or a code that does not exist, or lacks a word.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from meta_audit import catalogue, cli
from meta_audit.parse import attribution
from tests.docs import blocks, code_reference, generate
from tests.docs.schema_reference import GROUPS
from tests.docs.shell import ROOT, Shell

PAGES = (
    *generate.documents(),
    *sorted((ROOT / "docs/adr").glob("*.md")),
    *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md")),
)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_OTHER_PROGRAMS = {"--wheel", "--dry-run", "--template-vars", "--setting"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("docs")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def example_store(scratch: Path) -> Iterator[generate.ExampleStore]:
    with closing(generate.ExampleStore(Shell(scratch / "store"))) as store:
        yield store


@pytest.fixture(scope="module")
def made(
    scratch: Path, example_store: generate.ExampleStore, forked_program: Path
) -> dict[Path, str]:
    return generate.generate_all(scratch, example_store, forked_program)


@pytest.mark.parametrize("path", generate.documents(), ids=name_of)
def test_generated_parts_are_fresh(path: Path, made: dict[Path, str]) -> None:
    is_now, should_be = path.read_text("utf-8"), made[path]
    if is_now != should_be:
        diff = difflib.unified_diff(is_now.splitlines(), should_be.splitlines(), lineterm="", n=1)
        pytest.fail(f"{name_of(path)} is not fresh: run `make docs`\n" + "\n".join(diff), False)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_resolve(path: Path) -> None:
    for link in _LINK.findall(path.read_text("utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{link} in {name_of(path)} leads nowhere"
        if anchor:
            assert anchor in {_anchor(h) for h in _HEADING.findall(file.read_text("utf-8"))}, link


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", generate.documents(), ids=name_of)
def test_every_option_exists(path: Path) -> None:
    parameters = [parameter for _, command in code_reference.walk() for parameter in command.params]
    known = {option for one in parameters for option in (*one.opts, *one.secondary_opts)}
    mentioned = set(_OPTION.findall(_without_fences(path.read_text("utf-8"))))
    assert mentioned - known - _OTHER_PROGRAMS - {"--help"} == set()


@pytest.mark.parametrize("path", generate.documents(), ids=name_of)
def test_every_command_exists(path: Path) -> None:
    paths = {context.command_path for context, _ in code_reference.walk()}
    text = path.read_text("utf-8")
    for mention in re.findall(r"`(meta-audit [a-z][^`]*)`", text):
        words = mention.split()
        assert " ".join(words[:2]) in paths, mention
        if " ".join(words[:2]) in ("meta-audit db", "meta-audit rejections") and words[2:]:
            assert any(f"{' '.join(words[:2])} {w}" in paths for w in words[2].split("|")), mention


def _without_fences(text: str) -> str:
    """Prose and commands; not output, where Bacalhau's own messages may stand."""
    commands = [c for block in blocks.fences(text, "console") for c in blocks.commands(block)]
    ours = [c for c in commands if c.startswith("meta-audit ")]
    return "\n".join([re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), *ours])


def test_every_code_of_the_catalogue_is_documented() -> None:
    text = (ROOT / "docs/catalogue.md").read_text("utf-8")
    codes = {*catalogue.REASONS, *catalogue.FINDINGS, *catalogue.SOURCE_ERRORS}
    assert {code for code in codes if f"`{code}`" not in text} == set()


def test_help_shows_no_backslash_that_click_should_have_read() -> None:
    assert "\\b\n" not in (ROOT / "docs/cli.md").read_text("utf-8")


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/cli.md").read_text("utf-8")
    assert set(cli.COMMANDS) <= set(re.findall(r"^## meta-audit (\w[\w-]*)", text, re.M))


def test_every_variable_of_the_environment_is_documented() -> None:
    text = (ROOT / "docs/cli.md").read_text("utf-8")
    sources = (p.read_text("utf-8") for p in (ROOT / "meta_audit").rglob("*.py"))
    used = {name for source in sources for name in re.findall(r"(?<!_)META_AUDIT_[A-Z_]+", source)}
    assert {name for name in used if f"`{name}`" not in text} == set()


def test_every_rule_of_attribution_is_documented() -> None:
    documented = {rule for _, rules in code_reference.RULES for rule in rules}
    documented |= set(attribution.META.values())
    assert _rules(vars(attribution).values()) - documented == set()
    prefix = "bacalhau.org/"
    assert {prefix + key for key in code_reference.META_VERSIONS} == set(attribution.META)


def _rules(values: object) -> set[attribution.Rule]:
    found: set[attribution.Rule] = set()
    for value in list(values):  # type: ignore[call-overload]
        if isinstance(value, attribution.Rule):
            found.add(value)
        elif isinstance(value, tuple):
            found |= {rule for rule in value if isinstance(rule, attribution.Rule)}
    return found


def test_every_table_is_documented_once(example_store: generate.ExampleStore) -> None:
    shown = [table for group in GROUPS.values() for table in group]
    assert len(shown) == len(set(shown))
    assert set(shown) == example_store.meanings.tables()
    text = (ROOT / "docs/schema.md").read_text("utf-8")
    assert set(GROUPS) == {n for n in blocks.part_names(text) if n.startswith("schema-")}


def test_no_page_names_a_machine() -> None:
    for path in PAGES:
        assert str(ROOT) not in path.read_text("utf-8"), path


def test_readme_names_the_command_of_the_gate() -> None:
    assert re.search(r"^    make test\b", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert (ROOT / ".ci/run").read_text("utf-8").rstrip().endswith("\nmake test\nmake test-lake")


def test_demo_gives_the_answer(shell: Shell) -> None:
    """What `make demo` runs once the program is installed."""
    (shell.home / "demo").mkdir()
    done = subprocess.run(
        ["sh", "examples/demo.sh"],
        cwd=shell.home,
        env=shell.environment | {"DEMO": "demo"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (shell.home / "demo/audit.db").is_file()
    assert "$ meta-audit ingest examples\n" in done.stdout
    assert "(exit code 1)" in done.stdout
    assert "set by the orchestrator" in done.stdout
    assert "the ID belongs to its public key" in done.stdout
    assert "meta.not_string" in done.stdout
    assert "nightly-report" in done.stdout
    assert "Error" not in done.stderr


def test_cookbook_gives_the_same_on_postgresql(
    postgres_url: str, example_store: generate.ExampleStore, shell: Shell
) -> None:
    shell.run(f"meta-audit ingest examples --db '{postgres_url}'")
    pages = [(ROOT / "docs" / name).read_text("utf-8") for name in generate.WITH_RESULTS]
    queries = [sql for page in pages for sql in blocks.queries(page)]
    assert len(queries) >= 53
    engine = sa.create_engine(postgres_url)
    try:
        with engine.connect() as connection:
            for sql in queries:
                rows = connection.execute(generate.as_written(sql)).fetchall()
                assert _to_microseconds(rows, shell) == _to_microseconds(
                    example_store.rows(sql), shell
                ), sql
    finally:
        engine.dispose()


def _to_microseconds(rows: Iterable[Sequence[Any]], shell: Shell) -> list[list[Any]]:
    """Return rows with times as text and as exact as `timestamptz` is."""

    def cell(value: Any) -> Any:
        if isinstance(value, datetime):
            value = f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"
        if not isinstance(value, str):
            return value
        return shell.stand_in(re.sub(r"(\.[0-9]{6})[0-9]{3}Z", r"\g<1>000Z", value))

    return [[cell(value) for value in row] for row in rows]


def test_cookbook_reads_what_it_says(example_store: generate.ExampleStore) -> None:
    """Only small tables may be scanned by the queries about one job, pair or client.

    `readings` holds a row for each document that was read again differently; most stores have none.
    """
    queries = dict(enumerate(blocks.queries((ROOT / "docs/sql.md").read_text("utf-8")), 1))
    small = {1: {"a"}, 2: set(), 3: {"p"}, 5: {"f"}, 6: set(), 7: set(), 11: set()}
    for number, allowed in small.items():
        plan = example_store.plan(queries[number])
        scanned = {step.split()[1] for step in plan if step.startswith("SCAN ")} - {"readings"}
        assert scanned <= allowed, (number, plan)


def test_blocks_are_filled_in_place() -> None:
    text = "a\n```console\n$ one\nold\n$ two\n> more\n> words\n```\nb\n"
    filled = "a\n```console\n$ one\n[one]\n$ two\n> more\n> words\n[two more words]\n```\nb\n"
    run = "[{}]\n".format

    def echo(command: str) -> str:
        return run(command.replace("\n", " "))

    assert blocks.fill_consoles(text, echo) == filled
    assert blocks.fill_consoles(filled, echo) == filled
    text = "```pycon\n>>> for\n...   x\n...\nold\n>>> y\n```\n"
    filled = "```pycon\n>>> for\n...   x\n...\n[for\n  x\n]\n>>> y\n[y]\n```\n"

    def session(statements: list[str]) -> list[str]:
        return [run(one) for one in statements]

    assert blocks.fill_sessions(text, session) == filled
    text = "```sql\nSELECT 1\n```\n\nb\n```text\nc\n```\n"
    filled = "```sql\nSELECT 1\n```\n\n```text\nd\n```\n\nb\n```text\nc\n```\n"
    assert blocks.fill_queries(text, lambda sql: "d\n") == filled
    assert blocks.fill_queries(filled, lambda sql: "d\n") == filled
    text = "<!-- generated: x -->\n<!-- end of x -->\n"
    filled = "<!-- generated: x -->\n\n[x]\n\n<!-- end of x -->\n"
    assert blocks.fill_parts(text, run) == filled
    assert blocks.fill_parts(filled, run) == filled


def test_the_shell_hides_what_is_volatile(shell: Shell) -> None:
    assert shell.run("pwd") == "/home/ana\n"
    assert shell.run("(exit 3)") == ""
    assert shell.run("echo $?; echo e >&2; test -t 1 && echo terminal") == "e\n3\nterminal\n"
    assert shell.stand_in("in 12.3 s, 4,567/s") == "in 0.1 s, 180/s"
    assert shell.stand_in("2023-09-28 06:49:38Z") == "2023-09-28 06:49:38Z"
    assert shell.stand_in("2999-01-01T00:00:00.123456789Z") == "2026-01-05T09:30:00.000000000Z"
    assert os.environ.get("META_AUDIT_DB") != shell.environment["META_AUDIT_DB"]
