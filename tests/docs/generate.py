"""Rewrite the generated parts of README.md and docs/: `make docs`.

These are generated: the output in `console` blocks, the results below `sql` blocks, and the text
between `<!-- generated: NAME -->` and its end. `tests/docs` fails when one of them is out of date.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from tests.docs import blocks
from tests.docs.code_reference import PARTS
from tests.docs.schema_reference import GROUPS, SchemaReference, as_table
from tests.docs.shell import ROOT, Shell

if TYPE_CHECKING:
    from collections.abc import Sequence

WITH_RESULTS: Final = ("questions.md", "sql.md")
"""Pages with the result of each query below it."""


def documents() -> list[Path]:
    """List the generated documents; those with the most commands come first."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return sorted(found, key=lambda path: -path.read_text("utf-8").count("\n$ "))


def generate(path: Path, shell: Shell, store: ExampleStore) -> str:
    """Return the text that a document should have now."""
    text = blocks.fill_consoles(path.read_text("utf-8"), shell.run)
    text = blocks.fill_sessions(text, shell.python)
    text = blocks.fill_parts(text, store.part)
    if path.name in WITH_RESULTS:
        text = blocks.fill_queries(text, store.query)
    return text


def as_written(sql: str) -> sa.TextClause:
    """Escape colons, so that SQLAlchemy sees no parameters in a statement."""
    return sa.text(sql.replace(":", r"\:"))


class ExampleStore:
    """A store with `examples/` in it: the source of schema pages and query results."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._shell.run("meta-audit ingest examples")
        self._engine = sa.create_engine(f"sqlite:///{self._shell.home / 'audit.db'}")
        with self._engine.connect() as connection:
            self.meanings = SchemaReference(connection)

    def part(self, name: str) -> str:
        """Return the text between the markers of a name."""
        if name == "views":
            return self.meanings.views()
        if name in GROUPS:
            return self.meanings.relations(GROUPS[name])
        return PARTS[name]()

    def query(self, sql: str) -> str:
        """Return the result of a query as a table."""
        with self._engine.connect() as connection:
            result = connection.execute(as_written(sql))
            return as_table(list(result.keys()), result.fetchall(), self._shell.stand_in)

    def rows(self, sql: str) -> Sequence[sa.Row[Any]]:
        """Return the rows of a query."""
        with self._engine.connect() as connection:
            return connection.execute(as_written(sql)).fetchall()

    def plan(self, sql: str) -> list[str]:
        """Return the last column of EXPLAIN QUERY PLAN."""
        with self._engine.connect() as connection:
            return [row[3] for row in connection.execute(as_written(f"EXPLAIN QUERY PLAN {sql}"))]

    def close(self) -> None:
        """Close the store."""
        self._engine.dispose()


def generate_all(
    scratch: Path, store: ExampleStore, program: Path | None = None
) -> dict[Path, str]:
    """Return the text that each document should have now."""
    with ThreadPoolExecutor(2) as pool:
        futures = {
            path: pool.submit(generate, path, Shell(scratch / path.stem, program), store)
            for path in documents()
        }
        return {path: future.result() for path, future in futures.items()}


def main() -> None:
    """Write the documents that changed."""
    with (
        tempfile.TemporaryDirectory(prefix="meta-audit-docs-") as folder,
        closing(ExampleStore(Shell(Path(folder) / "store"))) as store,
    ):
        made = generate_all(Path(folder), store)
    for path, text in made.items():
        if "Internal error: " in text:
            sys.exit(f"{path.relative_to(ROOT)}: a command failed\n{text}")
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
