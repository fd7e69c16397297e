"""Write the generated parts of README.md and docs/ anew: `make docs`.

Generated are: the output in `console` blocks, the results below `sql` blocks, and what stands
between `<!-- generated: NAME -->` and its end. `tests/docs` fails when one of them is not as
it would be written now.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from tests.docs import blocks
from tests.docs.code_parts import PARTS
from tests.docs.forks import Forks
from tests.docs.session import ROOT, Session
from tests.docs.store_parts import GROUPS, Meanings, laid_out


def documents() -> list[Path]:
    """Every document that readers get, with the longest to make first."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return sorted(found, key=lambda path: -path.read_text("utf-8").count("\n$ "))


def generate(path: Path, session: Session, store: ExampleStore) -> str:
    """A document as it should be now."""
    text = blocks.fill_consoles(path.read_text("utf-8"), session.run)
    text = blocks.fill_parts(text, store.part)
    if path.name == "sql.md":
        text = blocks.fill_queries(text, store.query)
    return text


def as_written(sql: str) -> sa.TextClause:
    """A statement without parameters, whatever signs it holds."""
    return sa.text(sql.replace(":", r"\:"))


class ExampleStore:
    """A store with `examples/` in it, for what documents show of stores."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._session.run("meta-audit ingest examples")
        self._engine = sa.create_engine(f"sqlite:///{self._session.home / 'audit.db'}")
        with self._engine.connect() as connection:
            self.meanings = Meanings(connection)

    def part(self, name: str) -> str:
        """What stands between the markers of a name."""
        if name == "views":
            return self.meanings.views()
        if name in GROUPS:
            return self.meanings.relations(GROUPS[name])
        return PARTS[name]()

    def query(self, sql: str) -> str:
        """The result of a query, laid out."""
        with self._engine.connect() as connection:
            result = connection.execute(as_written(sql))
            return laid_out(list(result.keys()), result.fetchall(), self._session.stand_in)

    def plan(self, sql: str) -> list[str]:
        """How SQLite would run a query: the last column of EXPLAIN QUERY PLAN."""
        with self._engine.connect() as connection:
            return [row[3] for row in connection.execute(as_written(f"EXPLAIN QUERY PLAN {sql}"))]

    def close(self) -> None:
        """Close the store."""
        self._engine.dispose()


def generate_all(scratch: Path, forks: Forks, store: ExampleStore) -> dict[Path, str]:
    """Every document as it should be now; two at a time."""
    with ThreadPoolExecutor(2) as pool:
        futures = {
            path: pool.submit(generate, path, Session(scratch / path.stem, forks), store)
            for path in documents()
        }
        return {path: future.result() for path, future in futures.items()}


def main() -> None:
    """Write what changed."""
    with (
        tempfile.TemporaryDirectory(prefix="meta-audit-docs-") as folder,
        closing(Forks()) as forks,
        closing(ExampleStore(Session(Path(folder) / "store", forks))) as store,
    ):
        made = generate_all(Path(folder), forks, store)
    for path, text in made.items():
        if "Internal error: " in text:
            sys.exit(f"{path.relative_to(ROOT)}: a command failed\n{text}")
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
