"""Run the product with small chunks, so that it commits often; print what it acknowledged.

Dictionaries are trained on few documents, so that other processes parse from the second
chunk on.

    python -m tests.faults.small_chunks DOCUMENTS BYTES [ARGUMENT…]

Everything is imported first; then a line `ready` goes to stdout, and after each commit the
number of documents that this run has dealt with.

Without arguments it waits for runs on stdin: each line is a JSON list of a file for stdout, one
for stderr, and the arguments. It forks for each, which is faster than to start and import again;
and prints the ID of the process, and when that has ended its exit code.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import meta_audit.cli.ingest
import meta_audit.schema.migrate
import meta_audit.store.opening  # noqa: F401 - imported first, as main says
from meta_audit import cli
from meta_audit.cli.progress import ImportReporter
from meta_audit.ingest.options import Limits


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(documents: str, block: str, *arguments: str) -> None:
    """Run the command with chunks of so many documents, and blocks of so many bytes."""
    limits = Limits(chunk_documents=int(documents), training_bytes=100_000, block_bytes=int(block))
    _say("ready")
    gc.freeze()  # or else each fork copies the memory of what it collects
    if arguments:
        sys.exit(_run(arguments, limits))
    for line in sys.stdin:
        out, err, *arguments_ = json.loads(line)
        process = os.fork()
        if not process:
            _run_forked(out, err, arguments_, limits)
        _say(process)
        _say(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def _run(arguments: Sequence[str], limits: Limits) -> int:
    def wrote(_: ImportReporter, counts: Any) -> None:
        _say(counts.documents)

    ImportReporter.wrote = wrote  # type: ignore[method-assign]
    return cli.run(arguments, limits)


def _run_forked(out: str, err: str, arguments: Sequence[str], limits: Limits) -> None:
    status = cli.Exit.INTERNAL
    try:
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, number)
            os.close(file)
        status = _run(arguments, limits)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
