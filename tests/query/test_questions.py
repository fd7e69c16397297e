"""The questions of auditors, asked of one store on each engine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import meta_audit
from meta_audit import cli
from meta_audit.api import AuditStore
from meta_audit.errors import NotFoundError, SourceError, UsageError
from meta_audit.period import parse_period
from meta_audit.query.diff import VersionDiff
from meta_audit.query.history import History
from meta_audit.query.name_identity import IdentityCandidates
from meta_audit.query.texts import rfc3339
from meta_audit.query.who import Identity
from meta_audit.render.escape import is_safe
from meta_audit.render.layout import cells
from tests.engines import Server
from tests.identity.samples import real_pairs
from tests.query import questions
from tests.query.questions import DAY, START, Counted, counted, random_jobs


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def db(
    request: pytest.FixtureRequest, empty_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """One filled store, which no test changes."""
    folder = tmp_path_factory.mktemp("questions")
    if request.param == "sqlite":
        url = str(shutil.copy(empty_sqlite, folder / "audit.db"))
        questions.fill(url, folder)
        yield url
        return
    server: Server = request.getfixturevalue("postgres")
    name = server.create_store()
    questions.fill(server.url(name), folder)
    yield server.url(name)
    server.drop(name)


@pytest.fixture(scope="module")
def store(db: str) -> Iterator[AuditStore]:
    with closing(meta_audit.open(db)) as store:
        yield store


def said(rows: Any, name: str = "value") -> dict[str, Counted]:
    return {
        getattr(row, name): Counted(
            row.jobs, *(parse_period(t, now=0).start for t in (row.first_at, row.last_at))
        )
        for row in rows
        if row.first_at
    }


def of_random(found: dict[str, Counted], wanted: dict[str, Counted]) -> dict[str, Counted]:
    """Leave out what only the other documents name."""
    return {name: count for name, count in found.items() if name in wanted}


def test_counts_are_those_of_the_documents(store: AuditStore) -> None:
    documents = random_jobs(7)
    period = START + 10 * DAY, START + 30 * DAY
    for choice in ({}, {"since": "2024-01-11", "until": "2024-01-30"}):
        told = [
            (d["ID"], d["CreateTime"], d["Meta"], d["Labels"])
            for d in documents
            if not choice or period[0] <= d["CreateTime"] < period[1]
        ]
        for role, ask in (("client", store.clients), ("requester", store.requesters)):
            key = f"bacalhau.org/{role}.id"
            wanted = counted((m[key], j, t) for j, t, m, _ in told if key in m)
            if role == "requester":  # other jobs name these too
                wanted.pop("n-east"), wanted.pop("n-west")
            found = ask(**choice)
            assert of_random(said(found.identities), wanted) == wanted
            assert {one.server for one in found.identities} >= {c.jobs for c in wanted.values()}
        assert wanted
        own = {*questions.VALUES} - {"team"}
        keys = counted((key, j, t) for j, t, m, _ in told for key in m if key in own)
        assert of_random(said(store.keys(**choice).keys, "key"), keys) == keys
        runs = counted((m["round"], j, t) for j, t, m, _ in told if "round" in m)
        assert said(store.values("round", **choice).values) == runs
        envs = counted((labels["zone"], j, t) for j, t, _, labels in told)
        found_envs = said(store.values("zone", labels=True, **choice).values)
        if choice:  # the job that changed is older
            assert found_envs == envs
        else:
            assert found_envs.keys() == envs.keys()
            assert {k: found_envs[k].jobs - envs[k].jobs for k in envs} == {"dev": 1, "prod": 1}


def test_lists_are_sorted_and_limited(store: AuditStore) -> None:
    every = store.values("round").values
    assert [v.jobs for v in every] == sorted((v.jobs for v in every), reverse=True)
    part = store.values("round", limit=3)
    assert (part.values, part.total) == (every[:3], len(every))
    keys = [one.key for one in store.keys(sort="name").keys]
    assert keys.index("Team") + 1 == keys.index("team")
    first = [one.first_at for one in store.clients(sort="first").identities]
    assert first == sorted(first, key=lambda time: (time is None, time))
    last = [one.last_at for one in store.clients(sort="last").identities]
    assert last == sorted(last, key=lambda time: time or "", reverse=True)
    with pytest.raises(UsageError, match="cannot sort"):
        store.keys(sort="size")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError) as error:
        store.values("ruond")
    assert error.value.advice == "Did you mean round or run?"


def test_executions_of_a_job_that_came_without_its_namespace_are_of_that_job(
    store: AuditStore,
) -> None:
    found = {one.value: one for one in store.nodes().nodes}
    wanted = counted((e["NodeID"], e["JobID"], e["CreateTime"]) for e in questions.executions())
    for name, count in wanted.items():
        assert (found[name].jobs, found[name].executions) == (count.jobs, count.jobs)
        assert found[name].first_at == rfc3339(count.first)
        assert found[name].last_at == rfc3339(count.last + 10**9)


def test_a_better_reading_takes_the_place_of_the_older_one(store: AuditStore) -> None:
    assert {v.value for v in store.values("number").values} == {"1", "better 2"}
    (finding,) = [one for one in store.findings().findings if one.code == "time.unit"]
    assert (finding.jobs, finding.documents) == (1, 1)
    runs = [
        (line.kind, line.what)
        for line in told(store.history("j-misread-2"))
        if line.kind in ("import", "reading")
    ]
    assert runs == [("import", "import 1"), ("reading", "import 3")]


def known(store: AuditStore, text: str) -> Identity:
    found = store.who(text)
    assert isinstance(found, Identity)
    return found


def test_who_counts_as_the_lists_do(store: AuditStore) -> None:
    for role, listed in (("client", store.clients()), ("requester", store.requesters())):
        for one in listed.identities:
            who = known(store, one.value)
            in_role = [r for r in who.roles if r.role == role]
            assert sum(r.jobs for r in in_role if r.trust == "server") == one.server
            assert who.jobs >= one.jobs
            assert {job.job_id for job in who.newest_jobs}
    for node in store.nodes().nodes:
        assert known(store, node.value).node == node


def test_who_lists_the_newest_jobs_and_the_company(store: AuditStore) -> None:
    client = "c-one"
    who = known(store, client)
    of_client = {
        d["ID"]: d for d in random_jobs(7) if d["Meta"].get("bacalhau.org/client.id") == client
    }
    newest = sorted((d["CreateTime"] for d in of_client.values()), reverse=True)[:10]
    assert [job.created_at for job in who.newest_jobs] == [rfc3339(time) for time in newest]
    assert (who.first_import, who.last_import) == (1, 1)
    company = counted(
        (d["Meta"]["bacalhau.org/requester.id"], d["ID"], 0)
        for d in random_jobs(7)
        if d["Meta"].get("bacalhau.org/client.id") == client
    )
    assert {one.value: one.jobs for one in who.together} == {
        name: count.jobs for name, count in company.items()
    }
    assert who.warnings == ()


def test_one_key_under_two_ids_and_one_id_with_two_keys_stand_out(store: AuditStore) -> None:
    (first, key), (second, _) = real_pairs()[-2:]
    who = known(store, key)
    assert [one.code for one in who.warnings] == ["mismatch", "several_ids"]
    assert {one.value for one in who.together if one.role == "requester"} == {first, second}
    assert known(store, who.fingerprint) == who
    who = known(store, first)
    assert [one.code for one in who.warnings] == ["mismatch", "several_keys"]
    assert len({one.fingerprint for one in who.together if one.fingerprint}) == 2
    assert [one.code for one in known(store, second).warnings] == ["mismatch"]


def test_who_takes_beginnings_and_offers_what_is_near(store: AuditStore) -> None:
    assert known(store, "nort").value == "n-north"
    for shown in ("c-\\x1b[2Jthree", "c-\\x1b[2Jth…"):
        assert known(store, shown).value == "c-\x1b[2Jthree"
    found = store.who("n-")
    assert isinstance(found, IdentityCandidates)
    assert {"n-east", "n-west", "n-north"} <= {one.value for one in found.candidates}
    for text, advice in (
        ("n-nroth", "Did you mean n-north?"),
        ("j-random-1", "`meta-audit trace j-random-1` shows it"),
        ("SHA256:none", "`meta-audit clients`"),
        ("\udcff", "`meta-audit clients`"),
    ):
        with pytest.raises(NotFoundError) as error:
            store.who(text)
        assert advice in error.value.advice
    with pytest.raises(UsageError):
        store.who("")


def told(found: Any) -> Any:
    assert isinstance(found, History)
    return found.entries


def test_history_is_in_order_and_says_everything_once(store: AuditStore) -> None:
    lines = told(store.history("j-random-0"))
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    ended = [line for line in lines if line.what == "Completed" and line.by == "n-east"]
    assert [len(line.entry_indexes) for line in ended] == [1]  # both documents have these bytes
    found = store.history("j-4cd1566f")
    trace = store.trace("j-4cd1566f")
    events = {(e.time, e.kind, e.state, e.execution_id, e.node, e.message) for e in trace.events}
    assert len([line for line in told(found) if line.kind == "event"]) == len(events)
    assert {n for line in found.entries for n in line.entry_indexes} == {
        e.entry_index for e in found.evidence
    }
    actors = {line.by for line in found.entries if line.kind == "import"}
    assert actors == {one.actor for one in found.imports}
    assert all("@" in actor for actor in actors)


def test_history_has_versions_and_findings(store: AuditStore) -> None:
    lines = told(store.history("j-two"))
    assert [line.time for line in lines if line.what.startswith("version")] == [
        rfc3339(START + DAY),
        rfc3339(START + 2 * DAY + 10**9),
    ]
    kinds = [line.kind for line in told(store.history("j-same-version"))]
    assert (kinds.count("created"), kinds.count("version")) == (1, 1)
    (finding,) = [line for line in lines if line.kind == "finding"]
    assert (finding.what, finding.clock) == ("identity.two_jobs", "import")


def test_as_of_shows_what_the_store_knew(store: AuditStore) -> None:
    now = store.trace("j-changed")
    began = {one.import_id: one.started_at for one in store.imports().imports}
    assert store.trace("j-changed", as_of=began[2]).evidence == now.evidence
    with pytest.raises(NotFoundError, match="did not know the job j-changed then"):
        store.trace("j-changed", as_of=began[1])
    before = store.trace("j-misread-2", as_of=began[2])
    after = store.trace("j-misread-2")
    assert [(m.value for m in t.meta) and t.meta[0].value for t in (before, after)] == [
        "2",
        "better 2",
    ]
    assert (len(before.readings), len(after.readings)) == (0, 1)
    assert before.checkpoint.number == 2
    kinds = {line.kind for line in told(store.history("j-misread-2", as_of=began[2]))}
    assert kinds == {"created", "import", "state"}
    first = store.history("j-random-0", as_of=began[1])
    assert len(first.evidence) == len(store.history("j-random-0").evidence)


def test_diff_names_every_change(store: AuditStore) -> None:
    found = store.diff("j-changed")
    assert isinstance(found, VersionDiff)
    assert (found.old.version_no, found.new.version_no, found.not_compared) == (1, 2, "")
    assert {(c.part, c.task_no, c.key): (c.old, c.new) for c in found.changes} == {
        ("job", 0, "priority"): ("0", "9"),
        ("job", 0, "version"): ("1", "2"),
        ("identity", 0, "requester"): (
            "n-east (server, not_a_peer_id)",
            "n-west (server, not_a_peer_id)",
        ),
        ("task", 2, "name"): (None, "more"),
        ("task", 2, "engine"): (None, "wasm"),
        ("task", 2, "publisher"): (None, ""),
        ("meta", 0, "bacalhau.org/requester.id"): ("n-east", "n-west"),
        ("meta", 0, "team"): ("a", "b"),
        ("meta", 0, "gone"): ("1", None),
        ("meta", 0, "come"): (None, "\x1b[2J"),
        ("meta", 1, "step"): (None, "1"),
        ("label", 0, "zone"): ("dev", "prod"),
        ("spec", 0, "Tasks[1].Engine.Params.Image"): ("alpine:1", "alpine:2"),
    }
    back = store.diff("j-changed", 2, 1)
    assert isinstance(back, VersionDiff)
    assert {(c.key, c.new, c.old) for c in back.changes} == {
        (c.key, c.old, c.new) for c in found.changes
    }
    same = store.diff("j-changed", 2)
    assert isinstance(same, VersionDiff)
    assert same.changes == ()
    with pytest.raises(NotFoundError, match="has no version 3; it has 1, 2"):
        store.diff("j-changed", 3)
    with pytest.raises(NotFoundError, match="has one version"):
        store.diff("j-keyed-0")


def test_findings_and_their_places(store: AuditStore) -> None:
    counts = {one.code: one for one in store.findings().findings}
    for code, one in counts.items():
        places = store.finding(code)
        assert places.total == len(places.findings) >= one.documents
        assert len({place.job_id for place in places.findings}) == one.jobs
        assert len({place.entry_index for place in places.findings}) == one.documents
        assert {p.observed_at for p in places.findings} >= {one.first_at, one.last_at}
    assert counts["identity.mismatch"].jobs == 2
    two_jobs, changed = store.finding("identity.two_jobs").findings
    assert (two_jobs.job_id, two_jobs.import_id) == ("j-two", 2)
    assert changed.job_id == "j-changed"  # another requester
    assert two_jobs.detail == store.trace("j-two").findings[0].detail
    assert store.finding("reserved.task", limit=1).total == counts["reserved.task"].documents
    assert store.findings(until="2020").findings == ()
    assert store.finding("identity.two_jobs", until="2020").findings == ()
    with pytest.raises(NotFoundError) as error:
        store.finding("identity.two_job")
    assert "identity.two_jobs" in error.value.advice


def test_imports_say_who_brought_what(store: AuditStore) -> None:
    found = store.imports()
    assert [one.import_id for one in found.imports] == [3, 2, 1]
    assert [one.command for one in found.imports] == ["reread", "ingest", "ingest"]
    assert store.imports(limit=1).total == 3
    assert store.imports(until="2020").imports == ()
    detail = store.import_(1)
    assert detail.run == found.imports[2]
    assert detail.run.documents == sum(one.documents or 0 for one in detail.sources)
    assert sum(one.rejections for one in detail.rejections) == detail.run.rejected
    assert all(one.open == one.rejections for one in detail.rejections)
    assert (detail.total_sources, detail.checkpoint) == (len(detail.sources), 1)
    assert len(store.import_(1, limit=2).sources) == 2
    with pytest.raises(NotFoundError) as error:
        store.import_(4)
    assert error.value.advice == "The newest import is 3."


def test_has_tells_jobs_and_documents(store: AuditStore, tmp_path: Path) -> None:
    found = store.has(["j-two", "j-none", "\udcff", "j-4cd1566f-84cb-4830-a96b-1349f5b54b1b"])
    assert [row.found for row in found.rows] == ["job", "missing", "missing", "activity"]
    assert (found.asked, found.missing) == (4, 3)
    assert store.has_file(str(questions.write(tmp_path / "none.txt", ()))).asked == 0
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    assert [row.found for row in store.has_file(str(tmp_path / "binary")).rows] == ["missing"]
    listed = tmp_path / "ids.txt"
    listed.write_bytes(b"\xef\xbb\xbfj-two\r\n\n  j-none \n")
    assert [row.line for row in store.has_file(str(listed)).rows] == [1, 3]
    some = questions.changed_job()
    some[1] |= {"State": {"StateType": "Running"}}
    asked = [*some, questions.document("j-none", {}), {"ID": "j-x", "Meta": {"n": 1}, "Tasks": []}]
    documents = questions.write(tmp_path / "asked.ndjson", asked)
    rows = store.has_file(str(documents)).rows
    assert [(row.job_id, row.found) for row in rows] == [
        ("j-changed", "document"),
        ("j-changed", "job"),
        ("j-none", "missing"),
        ("j-x", "missing"),
    ]
    missing = store.has_file(str(documents), only_missing=True)
    assert (missing.rows, missing.asked, missing.missing) == (rows[1:], 4, 3)
    with pytest.raises(SourceError, match="no such file"):
        store.has_file(str(tmp_path / "none"))


COMMANDS = (
    ("clients",),
    ("requesters", "--sort", "name"),
    ("nodes",),
    ("keys",),
    ("keys", "--labels"),
    ("values", "team"),
    ("findings",),
    ("findings", "reserved.task"),
    ("imports",),
    ("imports", "1"),
    ("who", "c-\x1b[2Jthree"),
    ("who", "n-"),
    ("history", "j-changed"),
    ("diff", "j-changed"),
)
PAGES = ("imports 1", "who", "history", "diff")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:20])
def test_every_command_in_every_format(
    db: str, command: tuple[str, ...], capsys, monkeypatch
) -> None:
    from meta_audit.cli import output
    from meta_audit.render.layout import Screen

    def run(*more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([*command, *more, "--db", db])
        return int(status), *capsys.readouterr()

    wanted = 1 if command == ("who", "n-") else 0
    status, out, _ = run("--format", "json")
    assert (status, is_safe(out.replace("\n", ""))) == (wanted, True)
    assert json.loads(out)["format"].startswith("meta-audit/")
    if not " ".join(command).startswith(PAGES):
        status, out, _ = run("--format", "csv")
        rows = out.splitlines()
        assert (status, len(rows) > 1) == (wanted, True)
        assert len(run("--format", "ndjson")[1].splitlines()) == len(rows) - 1
    monkeypatch.setattr(output, "screen", lambda: Screen(80, color=True))
    status, out, err = run()
    assert status == wanted
    plain = out.replace("\x1b[", "\udcff").encode("utf-8", "surrogateescape")
    lines = [line for line in out.splitlines() if "\x1b" not in line]
    assert plain
    assert lines
    assert all(cells(line) <= 80 and is_safe(line) for line in lines), lines
    assert "\x1b[2J" not in out + err


def test_every_command_on_an_empty_store(audit, tmp_path: Path) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text("j-1\n")
    for command, status, text in (
        (("clients",), 1, "No identities."),
        (("nodes",), 1, "No nodes."),
        (("keys",), 1, "No keys."),
        (("values", "x"), 1, "the store knows no key x"),
        (("findings",), 0, "No findings."),
        (("findings", "text.nul"), 0, "No finding text.nul."),
        (("imports",), 0, "No imports."),
        (("imports", "1"), 1, "The store has no imports yet."),
        (("who", "x"), 1, "the store knows no client"),
        (("history", "x"), 1, "no job matches x"),
        (("diff", "x"), 1, "no job matches x"),
        (("has", listed), 1, ""),
        (("clients", "--since", "soon"), 2, "not a time: soon"),
        (("clients", "--since", "3000"), 2, "the year of 3000 is out of range"),
        (("imports", "1", "--format", "csv"), 2, "text or json"),
        (("imports", "9" * 20), 2, "is not in the range"),
        (("imports", "9" * 18), 1, "there is no import"),
        (("has", os.devnull), 3, "not a regular file"),
    ):
        result = audit.run(*command)
        assert (result.status, text in result.err) == (status, True), (command, result)
    assert audit.run("has", listed).out == "j-1  missing (line 1)\n0 of 1 are here.\n"
    assert audit.run("has", "--missing", listed).out == "j-1\n"
