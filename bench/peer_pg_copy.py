"""The bare limit on PostgreSQL: orjson and psycopg's COPY of the same rows, all indexes live.

    python -m bench.peer_pg_copy FILE URL     (URL of a store's database, made by bench.pg)

The plain loop (bench.plain_loop) with another way to write: per 10,000 documents and table one
binary COPY, in one transaction. Like that loop it keeps no document, no ledger and no findings,
checks nothing, and stops at the first bad line. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from bench.plain_loop import _COLUMNS, Loop

_TYPES = {"i": "int8", "t": "text", "b": "bytea"}
_FORMS = {
    "terms": "ibt",
    "jobs": "iti",
    "job_versions": "iibiiiiiiiii",
    "tasks": "iiiiii",
    "meta_keys": "ibt",
    "meta_pairs": "iibt",
    "meta_entries": "iiii",
    "label_entries": "iii",
    "identities": "ibt",
    "attribution_rules": "itttt",
    "attribution_sets": "ib",
    "attribution_members": "iii",
    "observations": "iiiiiiiiiii",
    "current_jobs": "iiiiiiiittttiiiiiii",
}


class _Connection:
    """What the loop asks of sqlite3, on psycopg."""

    def __init__(self, url: str) -> None:
        self.driver = psycopg.connect(url)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> psycopg.Cursor[Any]:
        return self.driver.execute(sql.replace("?", "%s"), parameters)


class CopyLoop(Loop):
    """The loop, with COPY."""

    def _write(self) -> None:
        driver = self._connection.driver
        with driver.cursor() as cursor:
            for table in _COLUMNS:
                with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types([_TYPES[kind] for kind in _FORMS[table]])
                    write_row = copy.write_row
                    for row in self._rows[table]:
                        write_row(row)
                self._rows[table].clear()
        driver.commit()


def main() -> None:
    """Run the command line."""
    began = time.perf_counter()
    connection = _Connection(sys.argv[2])
    with Path(sys.argv[1]).open("rb") as lines:
        count = CopyLoop(connection).run(lines)
    connection.driver.close()
    print(json.dumps({"documents": count, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
