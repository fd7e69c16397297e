"""Check an SQLite store after a failed import, and after the same command again."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meta_audit import cli
from meta_audit.errors import StoreError
from meta_audit.ledger.checkpoint import Checkpoint
from meta_audit.ledger.note import Note
from meta_audit.store.opening import open_to_read
from tests.faults import export
from tests.faults.kill import StoreState, exit_code, look
from tests.faults.program import KILLED


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Exit code and output of one run of the program."""

    status: int
    out: str = ""
    err: str = ""
    can_speak: bool = True
    """False if its stderr was broken."""

    @property
    def is_complete(self) -> bool:
        """Tell whether it says that it did everything."""
        return self.status in (cli.Exit.DONE, cli.Exit.ATTENTION)


@dataclass(frozen=True, slots=True)
class Reference:
    """Result of an undisturbed import, for comparison."""

    leaves: list[bytes]
    content: bytes
    root: str


def run(*arguments: str | Path) -> CommandResult:
    """Run the program in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.run([str(a) for a in arguments])
    out.flush()
    return CommandResult(status, out.buffer.getvalue().decode(), err.getvalue())


def ingest(folder: Path, db: Path) -> CommandResult:
    """Run the ingest that the faults disturb."""
    return run("ingest", folder, "--db", db, "--jobs", "0")


def verify(db: Path) -> CommandResult:
    """Verify a store, also against the checkpoint file beside it."""
    return run("verify", "--db", db, "--jobs", "1")


def reference(ran: CommandResult, db: Path) -> Reference:
    """Describe the store of an undisturbed run; raise if it is faulty."""
    seen = look(db)
    checked = verify(db)
    if seen.faults or checked.status or ran.status != exit_code(StoreState(), seen):
        raise RuntimeError(f"undisturbed, yet faulty: {ran} {seen.faults[:3]} {checked}")
    return Reference(seen.leaves, _content(db), _roots(db)[-1])


def problems(
    ran: CommandResult,
    db: Path,
    expected: Reference,
    least: int,
    *,
    before: StoreState,
    seen: StoreState,
    is_killed: bool = False,
) -> Iterator[str]:
    """Yield the problems of a store that a failed import left behind.

    `least`: entries that were there, or acknowledged; `before` and `seen`: what `look` found
    before the import and after it; `is_killed`: it was to be killed.
    """
    if ran.status == KILLED:
        if not is_killed:
            yield "it was killed"
    elif ran.is_complete:
        least = len(expected.leaves)
        if ran.status != exit_code(before, seen):
            yield f"complete, with exit code {ran.status}: {_short(ran.out + ran.err)}"
    yield from _of_ending(ran)
    yield from seen.faults
    count = len(seen.leaves)
    if seen.leaves != expected.leaves[:count]:
        yield "the ledger is not the beginning of the undisturbed one"
    if count < least:
        yield f"{count} entries, {least} were acknowledged"
    log = Path(f"{db}.checkpoints")
    if is_store(db):
        checked = verify(db)
        if checked.status:
            yield f"verify: {checked.status} {_short(checked.out + checked.err)}"
        roots = _roots(db)
        for root in re.findall(r"root sha256:([0-9a-f]{16})", ran.out):
            if not any(one.startswith(root) for one in roots):
                yield f"the checkpoint {root} was printed, and is not in the store"
    elif log.exists() and log.stat().st_size:
        yield "checkpoints, and no store"


def problems_again(
    folder: Path, db: Path, expected: Reference, before: StoreState
) -> Iterator[str]:
    """Run the same command again; yield the problems after it. `before`: what `look` found."""
    ran = ingest(folder, db)
    seen = look(db)
    if ran.status != exit_code(before, seen):
        yield f"again: {ran.status} {_short(ran.err)}"
        return
    checked = verify(db)
    yield from (f"again: {fault}" for fault in seen.faults)
    if checked.status:
        yield f"again, verify: {checked.status} {_short(checked.out + checked.err)}"
    if _content(db) != expected.content:
        yield "again: the export differs"
    if _roots(db)[-1] != expected.root:
        yield "again: the root differs"
    log = Path(f"{db}.checkpoints").read_text("utf-8")
    if log != "".join(f"{note}\n" for note in _notes(db)):
        yield "again: the file of checkpoints is not that of the store"
    if Path(f"{db}-journal").exists():
        yield "again: a journal is left"


def is_store(db: Path) -> bool:
    """Return whether a reader can open the store."""
    try:
        open_to_read(str(db)).close()
    except StoreError:
        return False
    return True


def _of_ending(ran: CommandResult) -> Iterator[str]:
    if "Traceback" in ran.err or "Internal error" in ran.err or "Exception ignored" in ran.err:
        yield f"a traceback: {_short(ran.err)}"
    if ran.status == KILLED or ran.is_complete:
        return
    lines = ran.err.splitlines()
    said = [n for n, line in enumerate(lines) if line.startswith("Error: ")]
    is_said = bool(said) and said[-1] + 1 < len(lines)
    is_said_of_source = is_said or any(line.startswith("Refused ") for line in lines)
    if ran.status == cli.Exit.SOURCE and is_said_of_source:
        return
    if ran.status not in (cli.Exit.STORE, cli.Exit.OUTPUT) or (ran.can_speak and not is_said):
        yield f"exit code {ran.status}, without saying why and what to do: {_short(ran.err)}"


def _content(db: Path) -> bytes:
    store = open_to_read(str(db))
    try:
        with store.engine.connect() as connection:
            return export.export(connection)
    finally:
        store.close()


def _notes(db: Path) -> list[str]:
    store = open_to_read(str(db))
    try:
        with store.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT note FROM checkpoints ORDER BY checkpoint_id")
            return [str(note) for (note,) in rows]
    finally:
        store.close()


def _roots(db: Path) -> list[str]:
    return [Checkpoint.parse(Note.parse(note).text).root.hex() for note in _notes(db)]


def _short(text: str) -> str:
    return " ".join(text.split())[-400:]
