"""Run the product with small chunks, so that it commits often; print what it acknowledged.

Dictionaries are trained on few documents, so that other processes parse from the second
chunk on.

    python -m tests.faults.small_chunks DOCUMENTS BYTES ARGUMENT…

Everything is imported first; then a line `ready` goes to stdout, and after each commit the
number of documents that this run has dealt with.
"""

from __future__ import annotations

import sys
from typing import Any

import meta_audit.cli.ingest
import meta_audit.schema.migrate  # noqa: F401 - imported first, as main says
from meta_audit import cli
from meta_audit.cli.progress import Quiet
from meta_audit.ingest.options import Limits


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(documents: str, block: str, *arguments: str) -> None:
    """Run the command with chunks of so many documents, and blocks of so many bytes."""

    def wrote(_: Quiet, counts: Any) -> None:
        _say(counts.documents)

    Quiet.wrote = wrote  # type: ignore[method-assign]
    _say("ready")
    limits = Limits(chunk_documents=int(documents), training_bytes=100_000, block_bytes=int(block))
    sys.exit(cli.run(arguments, limits))


if __name__ == "__main__":
    main(*sys.argv[1:])
