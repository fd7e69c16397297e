"""The product with small chunks, so that it commits often; it says what it acknowledged.

Dictionaries are trained on few documents, so that other processes parse from the second
chunk on.

    python -m tests.faults.small_chunks DOCUMENTS BYTES ARGUMENT…

Everything is imported first; then a line `ready` goes to stdout, and after each commit the
number of documents that this run has dealt with.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import meta_audit.cli.ingest
import meta_audit.schema.migrate  # noqa: F401 - imported first, as main says
from meta_audit import cli, sources
from meta_audit.cli.progress import Quiet
from meta_audit.ingest import chunks
from meta_audit.store import frames as evidence


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(documents: str, block: str, *arguments: str) -> None:
    """Run the command with chunks of so many documents, and blocks of so many bytes."""
    chunks.CHUNK_DOCUMENTS = int(documents)  # type: ignore[misc]
    evidence.TRAINING_BYTES = 100_000  # type: ignore[misc]
    sources.find = partial(sources.find, block_bytes=int(block))  # type: ignore[assignment]

    def wrote(_: Quiet, summary: Any) -> None:
        _say(summary.documents)

    Quiet.wrote = wrote  # type: ignore[method-assign]
    _say("ready")
    cli.main(arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
