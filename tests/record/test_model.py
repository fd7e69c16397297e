"""Any sequence of imports leaves in the store what a model of a few dictionaries says.

The documents show few jobs again and again: the same bytes, other bytes of the same content, new
states and specs, executions and events alone, rejected ones between them. Chunks are small, and
other processes build some of the batches.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from alembic.script import ScriptDirectory

from meta_audit.catalogue import FINDINGS
from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.ingest.options import Limits
from meta_audit.ledger.entry import accepted_entry, rejected_entry
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.model import JobRecord, Rejection
from meta_audit.parse import parse
from meta_audit.schema import migrate
from meta_audit.schema.text_digest import digest, pair_digest
from tests.conftest import Audit
from tests.faults.documents import BROKEN

QM: Final = {"CID": "Q"}
COUNTED: Final = ("documents", "new", "changed", "unchanged", "rejected", "known_rejected")
Table = set[tuple[Any, ...]]


class Documents:
    """Makes documents of few jobs, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._made: list[bytes] = []
        self._specs: list[dict[str, Any]] = [self._spec() for _ in range(12)]

    def some(self, count: int) -> list[bytes]:
        """So many documents, some of which were given before."""
        return [self._one() for _ in range(count)]

    def _one(self) -> bytes:
        chance = self._chance
        kind = chance.choices(range(5), (5, 25, 2, 2, 1))[0]
        if not self._made or kind == 1:
            value: Any = self._seen_job()
        elif kind == 0:
            return chance.choice(self._made)
        elif kind == 2:
            value = self._execution(chance.choice(self._specs)["ID"])
        elif kind == 3:
            value = {**self._event(), "JobID": chance.choice(self._specs)["ID"]}
        else:
            return chance.choice(BROKEN)
        self._made.append(self._written(value))
        return self._made[-1]

    def _written(self, value: Any) -> bytes:
        separators = self._chance.choice([(",", ":"), (", ", ": ")])
        ascii_only = self._chance.random() < 0.5
        return json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()

    def _spec(self) -> dict[str, Any]:
        chance = self._chance
        return {
            "ID": f"j-{chance.randrange(8)}",
            "Name": f"name-{chance.randrange(3)}",
            "Namespace": chance.choice(["default", "other", ""]),
            "Type": "batch",
            "Priority": chance.randrange(-1, 2),
            "Count": 1,
            "Meta": self._meta(),
            "Labels": {f"label-{n}": chance.choice("ab") for n in range(chance.randrange(3))},
            "Tasks": [
                {"Name": f"task-{n}", "Engine": self._engine(), "Meta": self._meta()}
                for n in range(chance.randrange(1, 4))
            ],
            "Version": chance.randrange(2),
            "CreateTime": chance.choice([0, 1_700_000_000_000_000_001, 1_700_009_000_000_000_000]),
        }

    def _engine(self) -> dict[str, Any]:
        image = self._chance.choice(["a:1", "b:2", ""])
        return {"Type": "docker"} | ({"Params": {"Image": image}} if image else {})

    def _meta(self) -> dict[str, Any]:
        chance = self._chance
        meta: dict[str, Any] = {
            key: chance.choice(["", "1", "ü\n", "n-1"])
            for key in ("project", "ключ", "bacalhau.org/requester.id", "bacalhau.org/client.id")
            if chance.random() < 0.5
        }
        return meta | ({"retries": 3} if chance.random() < 0.03 else {})

    def _seen_job(self) -> dict[str, Any]:
        chance = self._chance
        if chance.random() < 0.15:
            changed = self._spec()
            changed["ID"] = chance.choice(self._specs)["ID"]
            self._specs[chance.randrange(len(self._specs))] = changed
        revision = chance.randrange(3)
        job = {
            **chance.choice(self._specs),
            "State": {"StateType": chance.choice([1, 3, "Completed"]), "Message": ""},
            "Revision": revision,
            "ModifyTime": 1_700_010_000_000_000_000 + revision,
        }
        if chance.random() < 0.8:
            return job
        executions = [self._execution(job["ID"]) for _ in range(chance.randrange(3))]
        history = [self._event() for _ in range(chance.randrange(3))]
        return {"Job": job, "Executions": {"Items": executions}, "History": {"Items": history}}

    def _execution(self, job_id: str) -> dict[str, Any]:
        number = self._chance.randrange(4)
        return {
            "ID": f"e-{number}",
            "JobID": job_id,
            "NodeID": f"n-{number % 2}",
            "ComputeState": {"StateType": self._chance.randrange(1, 8)},
            "PublishedResult": self._chance.choice(
                [None, {"Type": "ipfs", "Params": {"CID": "Q"}}]
            ),
            "CreateTime": self._chance.choice([0, 1_700_000_000_500_000_000]),
        }

    def _event(self) -> dict[str, Any]:
        kind = self._chance.choice(["JobLevel", "ExecutionLevel"])
        event = {"Message": "step", "Topic": "Run"}
        return {"Type": kind, "Time": "2023-11-14T22:13:20.5Z", "Event": event}


class Seen(NamedTuple):
    """What the model remembers of a job."""

    versions: list[tuple[Any, ...]]
    observations: Table


class Model:
    """The tables of `tests.faults.export`, filled one document after the other."""

    def __init__(self) -> None:
        self.rows: dict[str, Table] = defaultdict(set)
        self.counts: list[tuple[int, ...]] = []
        self._count: Counter[str] = Counter()
        self._jobs: dict[tuple[str, str], Seen] = {}
        self._accepted: set[bytes] = set()
        self._rejected: dict[tuple[bytes, str, str], tuple[int, str, int, bytes]] = {}
        """By digest, reason and name of the source."""
        self._entries = 0

    def ingest(self, files: Sequence[tuple[Path, list[bytes]]], *, coerce: bool) -> None:
        """Take in files of a document per line."""
        for path, documents in files:
            content = path.read_bytes()
            self.rows["sources"].add((str(path), len(content), sha256(content).hexdigest()))
            for line, document in enumerate(documents, 1):
                self._offer(str(path), line, document, coerce=coerce)
        self._end()

    def retry(self, *, coerce: bool) -> None:
        """Offer what was rejected and never accepted again."""
        unresolved = [
            place
            for (digest_, reason, _), place in self._rejected.items()
            if digest_ not in self._accepted and reason != "truncated"
        ]
        for _, uri, line, document in unresolved:
            self._offer(uri, line, document, coerce=coerce)
        self._end()

    def tables(self) -> dict[str, Table]:
        """Rows by table; those that follow from the others included."""
        rows = self.rows
        rows["rejection_resolutions"] = {
            (place[0],)
            for (digest_, _, _), place in self._rejected.items()
            if digest_ in self._accepted
        }
        return rows

    def _end(self) -> None:
        self.counts.append(tuple(self._count[name] for name in COUNTED))
        self._count.clear()

    def _next_entry(self, entry: bytes) -> int:
        self._entries += 1
        self.rows["ledger_entries"].add((self._entries - 1, leaf_hash(entry).hex()))
        return self._entries - 1

    def _offer(self, uri: str, line: int, document: bytes, *, coerce: bool) -> None:
        self._count["documents"] += 1
        digest_ = sha256(document).digest()
        if digest_ in self._accepted:
            self._count["unchanged"] += 1
            return
        try:
            record = parse(decode(document, "json"), document, coerce_scalars=coerce)
        except RejectedError as error:
            is_known = (digest_, error.reason, uri) in self._rejected
            self._count["known_rejected" if is_known else "rejected"] += 1
            if not is_known:
                self._reject(uri, line, document, error)
            return
        self._accepted.add(digest_)
        number = self._next_entry(accepted_entry(digest_, record, uri, line, line))
        self.rows["documents"].add((number, digest_.hex(), len(document)))
        self.rows["evidence"].add((number, digest_.hex()))
        self._count[self._take(record, digest_.hex(), (uri, line, line))] += 1

    def _reject(self, uri: str, line: int, document: bytes, error: RejectedError) -> None:
        digest_, size = sha256(document).digest(), len(document)
        rejection = Rejection(error.reason, str(error), document, line, line, size, digest_, "json")
        number = self._next_entry(rejected_entry(rejection, uri))
        self._rejected[digest_, error.reason, uri] = (number, uri, line, document)
        what = error.reason, str(error), "json", digest_.hex(), size
        self.rows["rejections"].add((number, uri, line, line, *what))
        self.rows["evidence"].add((number, digest_.hex()))

    def _take(self, record: JobRecord, document: str, where: tuple[str, int, int]) -> str:
        name = record.job_id, record.namespace
        is_new = name not in self._jobs
        seen = self._jobs.setdefault(name, Seen([], set()))
        self.rows["jobs"].add(name)
        version_no = self._version(record, name, seen) if record.spec_sha256 else 0
        state = record.state, record.state_message, record.revision, record.modified_at
        self._add_terms(record.namespace, *state[:2])
        self.rows["observations"].add((*name, document, version_no, *state, *where))
        self._add_activity(record, (*name, document))
        observation = version_no, *state
        is_known = version_no and observation in seen.observations
        seen.observations.add(observation)
        return "new" if is_new else "unchanged" if is_known else "changed"

    def _version(self, record: JobRecord, name: tuple[str, str], seen: Seen) -> int:
        r = record
        told = r.origin, r.layout, r.name, r.type
        columns = r.spec_sha256.hex(), *told, r.priority, r.count, r.version, r.created_at
        who = {(a.role, a.value, a.basis, a.trust, a.verdict) for a in r.attributions}
        version = *columns, frozenset(who)
        if version in seen.versions:
            return seen.versions.index(version) + 1
        seen.versions.append(version)
        rows, at = self.rows, (*name, len(seen.versions))
        self._add_terms(*told)
        rows["job_versions"].add((*at, *columns))
        rows["attributions"] |= {(*at, *attribution) for attribution in who}
        if who:
            rows["sets"].add((frozenset(who),))
        rows["attribution_rules"] |= {(role, *rest) for role, _, *rest in who}
        for _, value, *_ in who:
            self._add_identity(value)
        for task_no, task in enumerate(r.tasks, 1):
            names = task.name, task.engine, task.publisher
            rows["tasks"].add((*at, task_no, *names))
            self._add_terms(*names)
        for task_no, meta in enumerate([r.meta, *(task.meta for task in r.tasks)]):
            for pair in meta.items():
                self._add_pair(pair)
                rows["meta_entries"].add((*at, task_no, *pair))
        for pair in r.labels.items():
            self._add_pair(pair)
            rows["label_entries"].add((*at, *pair))
        return len(seen.versions)

    def _add_activity(self, record: JobRecord, at: tuple[Any, ...]) -> None:
        rows = self.rows
        for position, e in enumerate(record.executions, 1):
            self._add_identity(e.node_id)
            told = e.execution_id, e.node_id, e.state, e.desired_state, e.message
            rows["executions"].add((*at, position, *told, e.created_at, e.modified_at))
        for position, v in enumerate(record.events, 1):
            self._add_identity(v.node_id)
            told = v.kind, v.execution_id, v.node_id, v.state, v.message
            rows["job_events"].add((*at, position, v.time, *told))
        for position, f in enumerate(record.findings, 1):
            severity = FINDINGS[f.code].severity
            rows["findings"].add((*at, position, f.code, severity, f.detail))

        for position, u in enumerate(record.uses, 1):
            self._add_terms(u.type, u.value, u.target)
            told = u.task_no, u.kind, u.type, u.value, u.target
            rows["uses"].add((*at, position, *told))
        if record.uses:
            rows["lists of uses"].add((record.uses,))

    def _add_terms(self, *terms: str) -> None:
        self.rows["terms"] |= {(digest(term).hex(), term) for term in terms}

    def _add_identity(self, value: str) -> None:
        self.rows["identities"].add((digest(value).hex(), value))

    def _add_pair(self, pair: tuple[str, str]) -> None:
        self.rows["meta_keys"].add((digest(pair[0]).hex(), pair[0]))
        self.rows["meta_pairs"].add((pair_digest(*pair).hex(), *pair))


def must_agree(audit: Audit, model: Model) -> None:
    """The store has the rows of the model, each once, and no others."""
    expected = {name: sorted(rows, key=repr) for name, rows in model.tables().items()}
    sets = expected.pop("sets", [])
    uses = expected.pop("lists of uses", [])
    found = audit.tables()
    members = sum(len(attributions) for (attributions,) in sets)
    assert found.pop("attribution_sets") == [(len(sets),)]
    assert found.pop("attribution_members") == [(members,)]
    assert found.pop("use_sets") == [(len(uses),)]
    assert found.pop("use_members") == [(sum(len(listed) for (listed,) in uses),)]
    for name, rows in found.items():
        assert rows == expected.get(name, []), name
    columns = ", ".join(COUNTED)
    assert audit.rows(f"SELECT {columns} FROM import_results ORDER BY import_id") == model.counts
    must_be_current(audit)


def must_be_current(audit: Audit) -> None:
    """`v_jobs` shows what schema 0003 computed for every question."""
    script = ScriptDirectory.from_config(migrate.configuration())
    (_, columns, source) = script.get_revision("0002").module.VIEWS["v_jobs"]
    names = [column for column, _, _ in columns if not column.endswith("_at")]
    selected = [
        re.sub(r"^TERM\((.*)\)$", r"(SELECT term FROM terms WHERE term_id = \1)", expression)
        for column, expression, _ in columns
        if column in names
    ]
    computed = audit.rows(f"SELECT {', '.join(selected)} {source}")
    quoted = ", ".join(f'"{name}"' for name in names)
    assert sorted(audit.rows(f"SELECT {quoted} FROM v_jobs")) == sorted(computed)


@pytest.mark.parametrize("seed", [1, 2, 149])
def test_a_sequence_of_imports(audit: Audit, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    documents, model = Documents(seed), Model()
    for step in range(6):
        limits = Limits(
            chunk_documents=chance.choice([1, 3, 10, 40, 8_000]),
            chunk_bytes=chance.choice([1_000, 20_000, 16_000_000]),
            training_bytes=1,
            block_bytes=chance.choice([500, 5_000, 1 << 20]),
        )
        coerce = chance.random() < 0.3
        options = ["--coerce-scalars"] if coerce else []
        if step == 4:
            audit.run("rejections", "retry", *options, limits=limits)
            model.retry(coerce=coerce)
        else:
            files = []
            for number in range(chance.randrange(1, 4)):
                path, some = tmp_path / f"{step}-{number}.ndjson", documents.some(60)
                path.write_bytes(b"\n".join(some) + b"\n")
                files.append((path, some))
            jobs = ["--jobs", chance.choice("0000124")]
            audit.ingest(*(path for path, _ in files), *jobs, *options, limits=limits)
            model.ingest(files, coerce=coerce)
        must_agree(audit, model)
    assert audit.faults() == []
