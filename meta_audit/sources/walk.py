"""From what a user names to sources: files, directories, standard input."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from itertools import accumulate, chain
from typing import BinaryIO, NamedTuple

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.errors import SourceError
from meta_audit.sources.archives.archive import ArchiveFile
from meta_audit.sources.archives.names import is_package
from meta_audit.sources.bolt.cut_bolt import holds_jobs
from meta_audit.sources.bolt.file import BoltFile, reader
from meta_audit.sources.compression import Budget
from meta_audit.sources.content import Look, container_of, look
from meta_audit.sources.content_memory import ContentMemory
from meta_audit.sources.files import File, display, open_file
from meta_audit.sources.interface import Discovered, Skipped, Unreadable
from meta_audit.sources.likely import HEAD_BYTES, why_not
from meta_audit.sources.object_stores import ObjectUrl, check_objects, find_objects, is_object_url
from meta_audit.sources.standard_input import NamedPipe, StandardInput, is_pipe
from meta_audit.sources.stream import unreadable


def find(
    arguments: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    stdin_name: str = "stdin",
    budget: Budget | None = None,
    block_bytes: int = BLOCK_BYTES,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    follow_links: bool = False,
    memory: ContentMemory | None = None,
) -> Iterator[Discovered]:
    """Yield the sources that the arguments name, one at a time, in a fixed order.

    An argument is a file or a pipe, always taken; a directory, searched with all below it in the
    order of names; the URL of an object, or of all objects below it; or `-` for `stdin` (by
    default the process's own). A file reached twice is
    taken once. In a directory, a file is taken when its beginning looks like a job document
    (`likely.why_not`). Skipped are hidden files, and links to directories and to files outside
    the directory unless `follow_links`. Members of an archive are chosen like files in a
    directory.

    `include` and `exclude` are patterns as of a shell, for what is found in directories and
    archives: they match a file's or directory's name, or its path from the directory or archive
    named (`*` matches `/` as well). With `include`, only files that match one of them are looked
    at. `memory` tells of files and objects that were read before; it is closed at the end. Raises
    `UsageError` for a URL that cannot be one of a source.
    """
    check_objects(arguments)  # before anything is written: a URL may bear a secret
    rules = _Rules(tuple(include), tuple(exclude), follow_links)
    budget = budget or Budget()
    live = StandardInput(stdin, uri=stdin_name, budget=budget, block_bytes=block_bytes)
    return _Walk(live, budget, block_bytes, rules, memory or ContentMemory()).find(arguments)


class _Rules(NamedTuple):
    """Choose by name what a directory search passes over."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    follow_links: bool

    def why_not(self, path: str, top: str, *, is_directory: bool, is_link: bool) -> str:
        """Return why the path is passed over, or nothing if it is looked at."""
        name = os.path.basename(path)
        is_foreign = is_link and not self.follow_links
        if name.startswith("."):
            return "hidden"
        from_top = os.path.relpath(path, top) if self.include or self.exclude else ""
        if _matches(self.exclude, name, from_top):
            return "excluded"
        if is_directory:
            return "a link to a directory" if is_foreign else ""
        if self.include and not _matches(self.include, name, from_top):
            return "not included"
        if is_foreign and not _is_within(path, top):
            return "a link to a file outside the directory"
        return ""

    def why_not_member(self, path: str) -> str:
        """Return why a member of an archive is passed over, or nothing if it is looked at.

        The first directory of its path may be hidden, as one that is named may.
        """
        *directories, name = path.split("/")
        if any(part.startswith(".") for part in (*directories[1:], name)):
            return "hidden"
        above = accumulate(directories, "{}/{}".format)
        if _matches(self.exclude, *directories, *above, name, path):
            return "excluded"
        return "" if not self.include or _matches(self.include, name, path) else "not included"


class _Entry(NamedTuple):
    """Hold one name of a directory."""

    path: str
    absolute: str
    """The same, from the root."""
    is_directory: bool
    """Links to directories are directories."""
    is_link: bool


class _Walk:
    def __init__(
        self,
        stdin: StandardInput,
        budget: Budget,
        block_bytes: int,
        rules: _Rules,
        memory: ContentMemory,
    ) -> None:
        self._stdin = stdin
        self._budget = budget
        self._block_bytes = block_bytes
        self._rules = rules
        self._memory = memory
        self._seen: set[tuple[int, int]] = set()
        self._stdin_seen = False

    def find(self, arguments: Sequence[str]) -> Iterator[Discovered]:
        with closing(self._memory):
            yield from self._find(arguments)

    def _find(self, arguments: Sequence[str]) -> Iterator[Discovered]:
        for argument in arguments:
            if argument == "-":
                yield self._standard_input()
            elif is_object_url(argument):
                yield from find_objects(
                    ObjectUrl.parse(argument),
                    self._rules.why_not_member,
                    self._memory,
                    budget=self._budget,
                    block_bytes=self._block_bytes,
                )
            elif os.path.isdir(argument):
                yield from self._directory(argument)
            elif is_pipe(argument):
                yield NamedPipe(argument, budget=self._budget, block_bytes=self._block_bytes)
            else:
                absolute = os.path.abspath(argument)
                yield self._known_file(argument, absolute) or self._file(
                    argument, absolute, named=True
                )

    def _standard_input(self) -> Discovered:
        if self._stdin_seen:
            return Skipped(self._stdin.uri, "named twice")
        self._stdin_seen = True
        return self._stdin

    def _directory(self, top: str) -> Iterator[Discovered]:
        """Walk a directory with a stack of its own: no depth of directories can exhaust ours."""
        stack = [iter([_Entry(top, os.path.abspath(top), is_directory=True, is_link=False)])]
        entered: set[tuple[int, int]] = set()
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
                continue
            path, absolute, is_directory, is_link = entry
            try:
                why = path != top and self._rules.why_not(
                    path, top, is_directory=is_directory, is_link=is_link
                )
                if why:
                    yield Skipped(display(path), why)
                elif not is_directory:
                    yield self._known_file(path, absolute) or self._file(
                        path, absolute, named=False
                    )
                elif self._rules.follow_links and not _is_new(os.stat(path), entered):
                    yield Skipped(display(path), "already searched under another name")
                else:
                    stack.append(iter(_entries(path, absolute)))
            except OSError as error:
                yield _unreadable(path, unreadable(error))

    def _known_file(self, path: str, absolute: str) -> Discovered | None:
        """Return a file that was read before and did not change since; it need not be opened."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        sha256 = self._memory.sha256(absolute, self._memory.mark_of(status))
        if not sha256:
            return None
        if not _is_new(status, self._seen):
            return Skipped(display(path), "already taken under another name")
        return self._plain(path, absolute, status, remembered=sha256)

    def _plain(
        self,
        path: str,
        absolute: str,
        status: os.stat_result,
        *,
        remembered: bytes = b"",
        content: bytes | None = None,
    ) -> File:
        return File(
            path,
            absolute=absolute,
            status=status,
            memory=self._memory,
            remembered=remembered,
            content=content,
            budget=self._budget,
            block_bytes=self._block_bytes,
        )

    def _file(self, path: str, absolute: str, *, named: bool) -> Discovered:
        try:
            with open_file(path) as file:
                status = os.fstat(file.fileno())
                if (status.st_dev, status.st_ino) in self._seen:
                    return Skipped(display(path), "already taken under another name")
                content = file.read(HEAD_BYTES + 1) if status.st_size <= HEAD_BYTES else b""
                is_whole = len(content) == status.st_size
                found = self._look(file, content)
                why = "" if named else _why_not(path, found, file, status.st_size)
        except SourceError as error:
            if error.code == "source.format" and not named:
                return Skipped(display(path), "archive or database")
            return _unreadable(path, error)
        except OSError as error:
            return _unreadable(path, unreadable(error))
        if why:
            return Skipped(display(path), why)
        _is_new(status, self._seen)
        if found.container in ("tar", "zip"):
            return self._archive(path, status, found)
        if found.container == "bolt" and not found.is_packed:
            return BoltFile(path, status=status, block_bytes=self._block_bytes)
        return self._plain(path, absolute, status, content=content if is_whole else None)

    def _archive(self, path: str, status: os.stat_result, found: Look) -> Discovered:
        if found.container == "zip" and found.is_packed:
            message = "a zip archive in compressed data is not unpacked"
            advice = "Decompress it once and give the result."
            return Unreadable(display(path), "archive.budget", message, advice)
        return ArchiveFile(
            path,
            status,
            is_zip=found.container == "zip",
            why_not=self._rules.why_not_member,
            budget=self._budget,
            block_bytes=self._block_bytes,
        )

    def _look(self, file: BinaryIO, content: bytes) -> Look:
        """Look at a file of which `content` was read."""
        if content.startswith(b"{"):  # so it is neither compressed nor of another encoding
            container = container_of(content)
            return Look(container, is_packed=False, head=b"" if container else content)
        rest = iter(lambda: file.read(HEAD_BYTES), b"")
        return look(chain([content] if content else [], rest), self._budget, HEAD_BYTES)


def _entries(directory: str, absolute: str) -> list[_Entry]:
    """Return what a directory holds, in the order of names. Raises `OSError`."""
    above = os.path.join(absolute, "")
    with os.scandir(directory) as found:
        return sorted(
            _Entry(one.path, above + one.name, _is_directory(one), one.is_symlink())
            for one in found
        )


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # of a link
        return False


def _why_not(path: str, found: Look, file: BinaryIO, size: int) -> str:
    """Return why a file in a directory is passed over, or nothing if it is taken."""
    if found.container == "bolt":
        is_other = not found.is_packed and not holds_jobs(reader(file), size)
        return "archive or database" if is_other else ""
    if found.container:
        return "archive or database" if is_package(path) else ""
    return why_not(path, found.head)


def _matches(patterns: Sequence[str], *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _is_within(path: str, top: str) -> bool:
    real, top = os.path.realpath(path), os.path.realpath(top)
    return os.path.commonpath([real, top]) == top


def _is_new(status: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    """Tell whether a file was not seen before, and remember it."""
    key = (status.st_dev, status.st_ino)
    is_new = key not in seen
    seen.add(key)
    return is_new


def _unreadable(path: str, error: SourceError) -> Unreadable:
    return Unreadable(display(path), error.code, str(error), error.advice)
