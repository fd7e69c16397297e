"""COPY of whole documents into one jsonb column with a GIN index.

    python -m bench.peer_pg_jsonb FILE URL

No row but the document itself, no check but that it is JSON; 10,000 documents per transaction.
Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path

import psycopg

PER_COMMIT = 10_000


def main() -> None:
    """Run the command line."""
    began, count = time.perf_counter(), 0
    with psycopg.connect(sys.argv[2]) as connection, Path(sys.argv[1]).open("rb") as lines:
        connection.execute("CREATE TABLE IF NOT EXISTS raw (document jsonb NOT NULL)")
        connection.execute("CREATE INDEX IF NOT EXISTS ix ON raw USING gin (document)")
        connection.commit()
        while batch := list(islice(lines, PER_COMMIT)):
            with connection.cursor().copy("COPY raw FROM STDIN") as copy:
                copy.write(b"".join(batch).replace(b"\\", b"\\\\"))
            connection.commit()
            count += len(batch)
    print(json.dumps({"documents": count, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
