"""A pager is used at a terminal alone, and only for what is long."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

LONG = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n LIMIT 100"


def at_terminal(
    program: Path, *arguments: str | Path, piped: bool = False, **environment: str
) -> str:
    """Run the program at a terminal; return what it shows there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [program, *map(str, arguments)],
        stdin=subprocess.DEVNULL if piped else theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    _, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert err == b""
    return shown.decode()


def test_long_text_goes_through_the_pager(
    empty_sqlite: Path, tmp_path: Path, forked_program: Path
) -> None:
    at = forked_program, "sql"
    kept = tmp_path / "kept"
    store = ("--db", empty_sqlite)
    paged = {"PAGER": f"sh -c 'echo $LESS >> {kept}; cat >> {kept}'"}
    assert at_terminal(*at, *store, **paged, LESS="FX").strip() == ""  # the contract
    assert kept.read_text().startswith("FX\n")
    assert "v_jobs" in kept.read_text()
    kept.unlink()
    assert at_terminal(*at, LONG, *store, **paged).strip() == ""
    assert kept.read_text().endswith("\n100\n")
    kept.unlink()
    shown = at_terminal(*at, "--format", "json", *store, **paged)
    assert '"v_jobs"' in shown
    assert "v_jobs" in at_terminal(*at, *store, piped=True, **paged)
    assert "v_jobs" in at_terminal(*at, *store, PAGER="no-such-pager")
    assert "v_jobs" in at_terminal(*at, *store, PAGER="")
    at_terminal(*at, LONG.replace("100", "1000000"), *store, PAGER="head -n 1")
    assert not kept.exists()
