"""Documents in any mixture and order: what becomes of each does not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meta_audit.cli.progress import ImportReporter
from meta_audit.ingest.options import Options
from meta_audit.ingest.run import Import
from meta_audit.sources import find
from meta_audit.store.opening import open_to_write
from tests.conftest import Audit, connected
from tests.engines import Server
from tests.faults import export
from tests.ingest.documents import compact, job, ndjson, pretty
from tests.store_factory import SqliteFiles

BROKEN = (
    (b'{"ID":"j-1","ID":"j-2"}', "duplicate_key"),
    (b'{"ID":"j-3","Meta":{"v":1.20},"Tasks":[{"Name":"t"}]}', "meta.not_string"),
    (b'{"ID":"j-4","Meta":{"v":"\\ud800"},"Tasks":[{"Name":"t"}]}', "text.encoding"),
    (b'{"ID":"j-5","Meta":{},"meta":{},"Tasks":[{"Name":"t"}]}', "case_collision"),
    (b'{"a":"b"}', "not_a_job"),
)
Kind = tuple[int, int, int, bool]
"""Job, image, state, laid out."""

GOOD = st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2), st.booleans())
BAD = st.integers(0, len(BROKEN) - 1)
MIXTURE = st.lists(st.one_of(GOOD, GOOD, BAD), max_size=25)
STATES = ("Pending", "Running", "Completed")


def content(kind: Kind | int) -> bytes:
    """The document."""
    if isinstance(kind, int):
        return BROKEN[kind][0]
    number, image, state, laid_out = kind
    value = job(number, image=f"alpine:{image}", state=STATES[state])
    return pretty(value).replace(b"\n", b"") if laid_out else compact(value)


def expected(*mixtures: list[Kind | int], known: set[Any] | None = None) -> dict[str, int]:
    """Count what an import of these files should, once more: slowly and without a database."""
    known = set() if known is None else known
    names = ("documents", "new", "changed", "unchanged", "rejected", "known_rejected")
    counts = dict.fromkeys(names, 0)
    for file, kind in [(file, kind) for file, kinds in enumerate(mixtures) for kind in kinds]:
        counts["documents"] += 1
        if isinstance(kind, int):
            # What is wrong with a source belongs to it.
            counts["known_rejected" if (file, kind) in known else "rejected"] += 1
            known.add((file, kind))
            continue
        number, image, state, _ = kind
        if ("sight", number, image, state) in known:
            counts["unchanged"] += 1
        elif ("job", number) in known:
            counts["changed"] += 1
        else:
            counts["new"] += 1
        known |= {("job", number), ("sight", number, image, state)}
    return counts


class Stores:
    """Makes one empty store after the other; the last two stand at a time."""

    def __init__(self, make: Callable[[int], str], folder: Path) -> None:
        self._make, self._folder, self._numbers = make, folder, count()

    def new(self) -> str:
        return self._make(next(self._numbers) % 2)

    def take(self, db: str, *files: bytes) -> dict[str, Any]:
        """Ingest files; the summary."""
        paths = []
        for number, file in enumerate(files):
            # One path for every store: it stands in the ledger.
            path = self._folder / f"{number}.json"
            path.write_bytes(file)
            paths.append(str(path))
        store = open_to_write(db)
        result = Import(store, ImportReporter(), Options(jobs=1)).run(find(paths), [])
        store.close()
        return result.shape()


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        return Stores(server.clean_store, tmp_path)
    files, empty = SqliteFiles(tmp_path), str(request.getfixturevalue("empty_sqlite"))
    return Stores(lambda _: files.copy(empty), tmp_path)


def counted(summary: dict[str, Any]) -> dict[str, int]:
    return {name: summary[name] for name in expected([])}


RELAXED = settings(
    max_examples=settings().max_examples // 4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@RELAXED
@given(mixture=MIXTURE)
def test_counts_add_up(stores: Stores, mixture: list[Kind | int]) -> None:
    documents = [content(kind) for kind in mixture]
    if len(documents) == 1:
        documents.append(documents[0])
        mixture = [*mixture, *mixture]
    listed = stores.take(stores.new(), b"[" + b",".join(documents) + b"]")
    db = stores.new()
    lines = stores.take(db, ndjson(*documents)) if documents else listed
    assert counted(lines) == counted(listed) == expected(mixture)
    assert lines["documents"] == sum(
        lines[name] for name in ("new", "changed", "unchanged", "rejected", "known_rejected")
    )
    assert sum(lines["reasons"].values()) == lines["rejected"]
    with connected(db) as connection:
        assert export.faults(connection) == []


@RELAXED
@given(first=MIXTURE, second=MIXTURE)
def test_two_imports_give_what_one_gives(
    stores: Stores, first: list[Kind | int], second: list[Kind | int]
) -> None:
    files = [b"[" + b",".join([content(k) for k in part]) + b"]" for part in (first, second)]
    one, two = stores.new(), stores.new()
    whole = stores.take(one, *files)
    part = stores.take(two, files[0])
    both = stores.take(two, *files)
    known: set[Any] = set()
    assert counted(part) == expected(first, known=known)
    assert counted(both) == expected(first, second, known=known)
    assert counted(whole) == expected(first, second)
    with connected(one) as a, connected(two) as b:
        assert export.export(a) == export.export(b)


@pytest.mark.parametrize(("broken", "reason"), BROKEN)
@pytest.mark.parametrize("form", ["list", "page", "ndjson"])
def test_one_bad_job_leaves_its_neighbours(
    audit: Audit, tmp_path: Path, broken: bytes, reason: str, form: str
) -> None:
    documents = [compact(job(1)), broken, pretty(job(2)).replace(b"\n", b" ")]
    forms = {
        "list": b"[" + b", ".join(documents) + b"]",
        "page": b'{"Items":[' + b",".join(documents) + b'],"NextToken":""}',
        "ndjson": ndjson(*documents),
    }
    (tmp_path / "jobs.json").write_bytes(forms[form])
    result = audit.ingest(tmp_path / "jobs.json")
    assert result.status == 1
    assert counted(result.summary) == {
        "documents": 3,
        "new": 2,
        "changed": 0,
        "unchanged": 0,
        "rejected": 1,
        "known_rejected": 0,
    }
    assert result.summary["reasons"] == {reason: 1}
    assert audit.rows("SELECT reason, ordinal FROM rejections") == [(reason, 2)]
