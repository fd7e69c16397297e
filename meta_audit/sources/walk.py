"""From what a user names to sources: files, directories, standard input."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.cut.detect import HEAD_BYTES, kind_of_name
from meta_audit.errors import SourceError
from meta_audit.sources.compression import Budget, open_blocks
from meta_audit.sources.files import File, display, open_file
from meta_audit.sources.interface import Found, Skipped, Unreadable
from meta_audit.sources.standard_input import StandardInput
from meta_audit.sources.stream import unreadable

# A JSON object or a list of them, at the start of a line; flow-style YAML as well.
_JSON_LIKE: Final = re.compile(
    rb"""(?:\A(?:\xef\xbb\xbf)?\s*(?:\{|\[\s*[]{"'])|^[ \t]*(?:\{\s*["'}]|\[\s*\{\s*["']))""",
    re.MULTILINE,
)
_YAML_LIKE: Final = re.compile(
    rb"""^(?:---|[ \t]*(?:-[ ]+)?["']?(?:
    api_?version|job_?api_?version|job|jobs|metadata|spec|tasks|id|job_?id|engine|meta|items|
    client_?id|requester_?node_?id|constraints|allocated_?resources|compute_?state|namespace
    )["']?[ \t]*:(?=\s|\Z))""",
    re.MULTILINE | re.IGNORECASE | re.VERBOSE,
)


def find(
    arguments: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    budget: Budget | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Found]:
    """Yield the sources that the arguments name, one at a time, in a fixed order.

    An argument is a file, always taken; a directory, searched with all below it in the order
    of names; or `-` for `stdin` (by default the process's own). In a directory, files with a
    name of documents (`.json`, `.ndjson`, `.jsonl`, `.yaml`, `.yml`, also with `.gz` or
    `.zst`) are taken, others when their content looks like a job; hidden ones are skipped and
    links to directories not followed. A file reached twice is taken once.
    """
    return _Walk(stdin, budget or Budget(), block_bytes).find(arguments)


class _Walk:
    def __init__(self, stdin: BinaryIO | None, budget: Budget, block_bytes: int) -> None:
        self._stdin = stdin
        self._budget = budget
        self._block_bytes = block_bytes
        self._seen: set[tuple[int, int]] = set()
        self._stdin_seen = False

    def find(self, arguments: Sequence[str]) -> Iterator[Found]:
        for argument in arguments:
            if argument == "-":
                yield self._standard_input()
            elif os.path.isdir(argument):
                yield from self._directory(argument)
            else:
                yield self._file(argument, named=True)

    def _standard_input(self) -> Found:
        if self._stdin_seen:
            return Skipped("stdin", "named twice")
        self._stdin_seen = True
        return StandardInput(self._stdin, budget=self._budget, block_bytes=self._block_bytes)

    def _directory(self, top: str) -> Iterator[Found]:
        """Walk a directory with a stack of its own: no depth of directories can exhaust ours."""
        stack = [iter([top])]
        while stack:
            path = next(stack[-1], None)
            if path is None:
                stack.pop()
                continue
            try:
                is_link = path != top and os.path.islink(path)
                is_directory = os.path.isdir(path)
                if path != top and os.path.basename(path).startswith("."):
                    yield Skipped(display(path), "hidden")
                elif is_directory and is_link:
                    yield Skipped(display(path), "a link to a directory")
                elif is_directory:
                    names = sorted(os.listdir(path))
                    stack.append(iter([os.path.join(path, name) for name in names]))
                else:
                    yield self._file(path, named=False)
            except OSError as error:
                yield _unreadable(path, unreadable(error))

    def _file(self, path: str, *, named: bool) -> Found:
        try:
            with open_file(path) as file:
                status = os.fstat(file.fileno())
                key = (status.st_dev, status.st_ino)
                if key in self._seen:
                    return Skipped(display(path), "already taken under another name")
                if not named and kind_of_name(path) is None:
                    why = self._why_not(file)
                    if why:
                        return Skipped(display(path), why)
        except SourceError as error:
            return _unreadable(path, error)
        except OSError as error:
            return _unreadable(path, unreadable(error))
        self._seen.add(key)
        return File(path, status=status, budget=self._budget, block_bytes=self._block_bytes)

    def _why_not(self, file: BinaryIO) -> str:
        """Return why a file whose name says nothing is not taken, or nothing if it is."""
        head = open_blocks(iter(lambda: file.read(HEAD_BYTES), b""), self._budget).peek(HEAD_BYTES)
        head = head[:HEAD_BYTES]
        if not head:
            return "empty, and its name is not that of a document"
        if b"\0" in head:
            return "binary, and its name is not that of a document"
        if _JSON_LIKE.search(head) or _YAML_LIKE.search(head):
            return ""
        return "neither its name nor its content is that of a document"


def _unreadable(path: str, error: SourceError) -> Unreadable:
    return Unreadable(display(path), error.code, str(error), error.advice)
