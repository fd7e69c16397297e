"""Export a store without what differs from run to run; recompute its rows.

`export` writes every table with natural keys (job ID, SHA-256, source and position …): two
stores that took in the same documents in the same order give the same bytes, however the
import was cut into chunks, processes and runs. Left out are numbers that the store gave, who
ran which import when, and how documents were compressed.

`faults` recomputes every row from the kept bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import orjson
import sqlalchemy as sa

from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.ledger.entry import accepted_entry, rejected_entry
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.model import (
    Attribution,
    Event,
    Execution,
    Finding,
    JobRecord,
    Rejection,
    Task,
    Use,
)
from meta_audit.parse import parse
from meta_audit.schema.current_jobs import COLUMNS, current_jobs
from meta_audit.schema.text_digest import digest, pair_digest
from meta_audit.store.frames import decompress

Rows = list[tuple[Any, ...]]

_JOB = "j.job_id, (SELECT term FROM terms WHERE term_id = j.namespace_id)"
_TERM = "(SELECT term FROM terms WHERE term_id = {})"
_PAIR = "JOIN meta_pairs p ON p.pair_id = e.pair_id JOIN meta_keys k ON k.key_id = p.key_id"
_OF_JOB = "JOIN jobs j ON j.job_key = e.job_key"
_OF_DOCUMENT = "JOIN documents d ON d.document_id = e.document_id"

TABLES: Final[dict[str, str]] = {
    "ledger_entries": "SELECT entry_index, leaf_hash FROM ledger_entries",
    "documents": "SELECT document_id, sha256, size FROM documents",
    "terms": "SELECT digest, term FROM terms",
    "meta_keys": 'SELECT digest, "key" FROM meta_keys',
    "meta_pairs": 'SELECT p.digest, k."key", p.value FROM meta_pairs p'
    " JOIN meta_keys k ON k.key_id = p.key_id",
    "identities": "SELECT digest, value FROM identities",
    "attribution_rules": "SELECT role, basis, trust, verdict FROM attribution_rules",
    "jobs": f"SELECT {_JOB} FROM jobs j",
    "job_versions": f"SELECT {_JOB}, e.version_no, e.spec_sha256, {_TERM.format('e.origin_id')},"
    f" {_TERM.format('e.layout_id')}, {_TERM.format('e.name_id')}, {_TERM.format('e.type_id')},"
    f' e.priority, e."count", e.version, e.created_at FROM job_versions e {_OF_JOB}',
    "attributions": f"SELECT {_JOB}, e.version_no, r.role, i.value, r.basis, r.trust, r.verdict"
    f" FROM job_versions e {_OF_JOB} JOIN attribution_members a ON a.set_id = e.attribution_set"
    " JOIN attribution_rules r ON r.rule_id = a.rule_id"
    " JOIN identities i ON i.identity_id = a.identity_id",
    "tasks": f"SELECT {_JOB}, e.version_no, e.task_no, {_TERM.format('e.name_id')},"
    f" {_TERM.format('e.engine_id')}, {_TERM.format('e.publisher_id')} FROM tasks e {_OF_JOB}",
    "meta_entries": f'SELECT {_JOB}, e.version_no, e.task_no, k."key", p.value'
    f" FROM meta_entries e {_OF_JOB} {_PAIR}",
    "label_entries": f'SELECT {_JOB}, e.version_no, k."key", p.value'
    f" FROM label_entries e {_OF_JOB} {_PAIR}",
    "observations": f"SELECT {_JOB}, d.sha256, e.version_no, {_TERM.format('e.state_id')},"
    f" {_TERM.format('e.message_id')}, e.revision, e.modified_at, s.uri, e.ordinal, e.line"
    f" FROM observations e {_OF_JOB} {_OF_DOCUMENT} JOIN sources s ON s.source_id = e.source_id",
    "executions": f"SELECT {_JOB}, d.sha256, e.position, e.execution_id, i.value, e.state,"
    " e.desired_state, e.message, e.created_at, e.modified_at"
    f" FROM executions e {_OF_JOB} {_OF_DOCUMENT} JOIN identities i ON i.identity_id = e.node_id",
    "job_events": f'SELECT {_JOB}, d.sha256, e.position, e."time", e.kind, e.execution_id,'
    f" i.value, e.state, e.message FROM job_events e {_OF_JOB} {_OF_DOCUMENT}"
    " JOIN identities i ON i.identity_id = e.node_id",
    "findings": f"SELECT {_JOB}, d.sha256, e.position, e.code, e.severity, e.detail"
    f" FROM findings e {_OF_JOB} {_OF_DOCUMENT}",
    "uses": f"SELECT {_JOB}, d.sha256, m.position, m.task_no, u.kind,"
    f" {_TERM.format('u.type_id')}, {_TERM.format('u.value_id')}, {_TERM.format('u.target_id')}"
    f" FROM observations e {_OF_JOB} {_OF_DOCUMENT} JOIN use_members m ON m.set_id = e.use_set"
    " JOIN uses u ON u.use_id = m.use_id",
    "rejections": "SELECT e.rejection_id, s.uri, e.ordinal, e.line, e.reason, e.message,"
    " e.format, e.sha256, e.size FROM rejections e JOIN sources s ON s.source_id = e.source_id",
    "rejection_resolutions": "SELECT rejection_id FROM rejection_resolutions",
    "readings": "SELECT reading_id, supersedes FROM readings",
    "rejection_dismissals": "SELECT rejection_id, reason FROM rejection_dismissals",
    "sources": "SELECT DISTINCT s.uri, r.size, r.sha256 FROM sources s"
    " JOIN source_results r ON r.source_id = s.source_id"
    " WHERE r.status IN ('complete', 'known')",
}
"""The tables by their content: every fact that documents brought, and where they stood."""

ROW_COUNTS: Final = ("attribution_sets", "attribution_members", "use_sets", "use_members")
"""Tables whose content is in `attributions` and `uses`; beside it their rows are counted."""


def tables(connection: sa.Connection) -> dict[str, Rows]:
    """Return the rows of every table, sorted; binaries as hex."""
    found = {name: _rows(connection, sql) for name, sql in TABLES.items()}
    for name in ROW_COUNTS:
        found[name] = _rows(connection, f"SELECT count(*) FROM {name}")
    found["evidence"] = [(n, sha256(c).hexdigest()) for n, c in evidence(connection)]
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def evidence(connection: sa.Connection) -> Iterator[tuple[int, bytes]]:
    """Yield the kept bytes of every document and rejection, with its index in the ledger."""
    found = connection.exec_driver_sql(
        "SELECT dictionary_id, content FROM compression_dictionaries"
    )
    dictionaries = {number: bytes(content) for number, content in found} | {0: b""}
    frames = connection.exec_driver_sql(
        "SELECT document_id, dictionary_id, content FROM documents"
        " UNION ALL SELECT rejection_id, 0, content FROM rejections"
    )
    for number, dictionary, frame in frames:
        yield number, decompress(frame, dictionaries[dictionary])


def export(connection: sa.Connection) -> bytes:
    """Export the store as lines of JSON, `[table, column, …]`."""
    return b"\n".join(
        orjson.dumps([name, *row]) for name, rows in tables(connection).items() for row in rows
    )


def leaves(connection: sa.Connection) -> list[bytes]:
    """Return the leaf hashes in the order of the ledger."""
    rows = connection.exec_driver_sql("SELECT leaf_hash FROM ledger_entries ORDER BY entry_index")
    return [bytes(row[0]) for row in rows]


def faults(connection: sa.Connection) -> list[str]:
    """List every row that differs from the documents."""
    found: list[str] = []
    try:
        found.extend(Recomputation(connection).faults())
    except KeyError as error:
        found.append(f"a row refers to number {error}, which is not there")
    return found


def _rows(connection: sa.Connection, sql: str) -> Rows:
    return [
        tuple([bytes(v).hex() if isinstance(v, bytes | memoryview) else v for v in row])
        for row in connection.exec_driver_sql(sql)
    ]


@lru_cache(4_096)
def _is_said_by(
    content: bytes, digest_: bytes, where: tuple[str, int, int], leaf: bytes | None
) -> bool:
    """Return whether the bytes give the leaf, in any way of reading them."""
    for format_ in ("json", "yaml"):
        for coerce in (False, True):
            try:
                record = parse(decode(content, format_), content, coerce_scalars=coerce)
            except RejectedError:
                continue
            if leaf_hash(accepted_entry(digest_, record, *where)) == leaf:
                return True
    return False


class Recomputation:
    """Reads all rows of a store once, and compares them with the kept bytes."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._leaves = dict(self._all("SELECT entry_index, leaf_hash FROM ledger_entries"))
        self._contents = dict(evidence(connection))
        self._terms = dict(self._all("SELECT term_id, term FROM terms"))
        self._identities = dict(self._all("SELECT identity_id, value FROM identities"))
        self._uris = dict(self._all("SELECT source_id, uri FROM sources"))
        self._pairs = {
            number: (key, value)
            for number, key, value in self._all(
                'SELECT p.pair_id, k."key", p.value FROM meta_pairs p'
                " JOIN meta_keys k ON k.key_id = p.key_id"
            )
        }
        self._seen: set[tuple[int, int]] = set()

    def faults(self) -> Iterator[str]:
        """Yield what is wrong, one by one."""
        yield from self._ledger()
        yield from self._documents()
        yield from self._rejections()
        yield from self._left_over()
        yield from self._digests()

    def _all(self, sql: str) -> Rows:
        return [tuple(row) for row in self._connection.exec_driver_sql(sql)]

    def _ledger(self) -> Iterator[str]:
        numbers = Counter(
            number
            for (number,) in self._all(
                "SELECT document_id FROM documents UNION ALL SELECT rejection_id FROM rejections"
            )
        )
        if sorted(self._leaves) != list(range(len(self._leaves))):
            yield "the ledger is not numbered from 0 without gaps"
        if numbers != Counter(list(self._leaves)):
            yield "documents and rejections are not the entries of the ledger"

    def _documents(self) -> Iterator[str]:
        stored = self._stored_records()
        for number, digest_, size in self._all("SELECT document_id, sha256, size FROM documents"):
            content = self._contents[number]
            if sha256(content).digest() != digest_ or len(content) != size:
                yield f"document {number}: its bytes are not those of its SHA-256 and size"
                continue
            if len(stored[number]) != 1:
                yield f"document {number}: {len(stored[number])} observations"
                continue
            record, where = stored[number][0]
            if leaf_hash(accepted_entry(digest_, record, *where)) != self._leaves.get(number):
                yield f"document {number}: its rows do not give its leaf hash"
            if not _is_said_by(content, digest_, where, self._leaves.get(number)):
                yield f"document {number}: its bytes do not give its leaf hash"

    def _stored_records(self) -> dict[int, list[tuple[JobRecord, tuple[str, int, int]]]]:
        """Rebuild the record of each document from rows, with its position."""
        terms, versions = self._terms, self._versions()
        jobs = {
            k: (i, terms[n])
            for k, i, n in self._all("SELECT job_key, job_id, namespace_id FROM jobs")
        }
        executions, events, findings = self._activity()
        uses = self._uses()
        stored = defaultdict(list)
        for key, number, version_no, state, message, revision, modified, *place in self._all(
            "SELECT job_key, document_id, version_no, state_id, message_id, revision,"
            " modified_at, source_id, ordinal, line FROM observations"
        ):
            self._seen.add((key, version_no))
            record = JobRecord(
                job_id=jobs[key][0],
                namespace=jobs[key][1],
                **versions.get((key, version_no), _NO_VERSION if not version_no else _MISSING),
                state=terms[state],
                state_message=terms[message],
                revision=revision,
                modified_at=modified,
                executions=tuple(executions[key, number]),
                events=tuple(events[key, number]),
                findings=tuple(findings[key, number]),
                uses=tuple(uses[key, number]),
            )
            stored[number].append((record, (self._uris[place[0]], place[1], place[2])))
        return stored

    def _versions(self) -> dict[tuple[int, int], dict[str, Any]]:
        terms = self._terms
        attributions = self._attributions()
        tasks, metas, labels = self._tasks(), self._metas(), self._labels()
        versions = {}
        for key, no, spec, *ids, priority, count, version, created, set_id in self._all(
            "SELECT job_key, version_no, spec_sha256, origin_id, layout_id, name_id, type_id,"
            ' priority, "count", version, created_at, attribution_set FROM job_versions'
        ):
            origin, layout, name, type_ = [terms[number] for number in ids]
            members = attributions[set_id]
            versions[key, no] = {
                "spec_sha256": spec,
                "origin": origin,
                "layout": layout,
                "name": name,
                "type": type_,
                "priority": priority,
                "count": count,
                "version": version,
                "created_at": created,
                "attributions": tuple(members),
                "labels": labels[key, no],
                "meta": {k: v for _, k, v in metas[key, no, 0]},
                "tasks": tuple(
                    Task(*names, {k: v for _, k, v in metas[key, no, task_no]})
                    for task_no, names in sorted(tasks[key, no])
                ),
            }
        return versions

    def _attributions(self) -> dict[int, list[Attribution]]:
        rules = {
            number: rule
            for number, *rule in self._all(
                "SELECT rule_id, role, basis, trust, verdict FROM attribution_rules"
            )
        }
        sets = defaultdict(list)
        for set_id, rule, who in self._all(
            "SELECT set_id, rule_id, identity_id FROM attribution_members"
        ):
            role, basis, trust, verdict = rules[rule]
            sets[set_id].append(Attribution(role, self._identities[who], basis, trust, verdict))
        return sets

    def _tasks(self) -> dict[tuple[int, int], list[tuple[int, list[str]]]]:
        tasks = defaultdict(list)
        for key, no, task_no, *ids in self._all(
            "SELECT job_key, version_no, task_no, name_id, engine_id, publisher_id FROM tasks"
        ):
            tasks[key, no].append((task_no, [self._terms[number] for number in ids]))
        return tasks

    def _metas(self) -> dict[tuple[int, int, int], list[tuple[int, str, str]]]:
        metas = defaultdict(list)
        for key, no, task_no, pair in self._all(
            "SELECT job_key, version_no, task_no, pair_id FROM meta_entries"
        ):
            metas[key, no, task_no].append((pair, *self._pairs[pair]))
        return metas

    def _labels(self) -> dict[tuple[int, int], dict[str, str]]:
        labels: defaultdict[tuple[int, int], dict[str, str]] = defaultdict(dict)
        for key, no, pair in self._all("SELECT job_key, version_no, pair_id FROM label_entries"):
            labels[key, no].update([self._pairs[pair]])
        return labels

    def _activity(self) -> tuple[defaultdict[tuple[int, int], list[Any]], ...]:
        """Collect the executions, events and findings of each job and document, in order."""
        executions, events, findings = (defaultdict(list) for _ in range(3))
        for key, number, execution, node, *rest in self._all(
            "SELECT job_key, document_id, execution_id, node_id, state, desired_state, message,"
            " created_at, modified_at FROM executions ORDER BY job_key, document_id, position"
        ):
            executions[key, number].append(Execution(execution, self._identities[node], *rest))
        for key, number, time, kind, execution, node, state, message in self._all(
            'SELECT job_key, document_id, "time", kind, execution_id, node_id, state, message'
            " FROM job_events ORDER BY job_key, document_id, position"
        ):
            event = Event(time, kind, execution, self._identities[node], state, message)
            events[key, number].append(event)
        for key, number, code, detail in self._all(
            "SELECT job_key, document_id, code, detail FROM findings"
            " ORDER BY job_key, document_id, position"
        ):
            findings[key, number].append(Finding(code, detail))
        return executions, events, findings

    def _uses(self) -> defaultdict[tuple[int, int], list[Use]]:
        uses = defaultdict(list)
        for key, number, task_no, kind, *ids in self._all(
            "SELECT d.job_key, d.document_id, m.task_no, u.kind, u.type_id, u.value_id, u.target_id"
            " FROM observations d JOIN use_members m ON m.set_id = d.use_set"
            " JOIN uses u ON u.use_id = m.use_id"
            " ORDER BY d.job_key, d.document_id, m.position"
        ):
            use = Use(task_no, kind, *[self._terms[term] for term in ids])
            uses[key, number].append(use)
        return uses

    def _rejections(self) -> Iterator[str]:
        for number, source, reason, message, *place, digest_, size, format_ in self._all(
            "SELECT rejection_id, source_id, reason, message, ordinal, line, sha256, size, format"
            " FROM rejections"
        ):
            content = self._contents[number]
            if len(content) == size and sha256(content).digest() != digest_:
                yield f"rejection {number}: its bytes are not those of its SHA-256"
            rejection = Rejection(reason, message, content, *place, size, digest_, format_)
            if leaf_hash(rejected_entry(rejection, self._uris[source])) != self._leaves[number]:
                yield f"rejection {number}: its row does not give its leaf hash"

    def _left_over(self) -> Iterator[str]:
        """Yield rows that no document accounts for."""
        if self._all(current_jobs("IS NOT NULL") + " ORDER BY 1") != self._all(_CURRENT):
            yield "current_jobs does not follow from the other tables"
        versions = set(self._all("SELECT job_key, version_no FROM job_versions"))
        if versions != {(key, no) for key, no in self._seen if no}:
            yield "job_versions are not those that documents show"
        for name, sql in _UNREFERENCED.items():
            count = len(self._all(sql))
            if count:
                yield f"{name}: {count} rows that nothing refers to"

    def _digests(self) -> Iterator[str]:
        texts: Iterable[tuple[bytes, str]] = self._all(
            "SELECT digest, term FROM terms UNION ALL SELECT digest, value FROM identities"
            ' UNION ALL SELECT digest, "key" FROM meta_keys'
        )
        if any(digest(text) != found for found, text in texts):
            yield "a text that its digest does not find"
        pairs = dict(self._all("SELECT pair_id, digest FROM meta_pairs"))
        if any(pair_digest(*pair) != pairs[number] for number, pair in self._pairs.items()):
            yield "a pair that its digest does not find"


_CURRENT: Final = f"SELECT {', '.join(COLUMNS)} FROM current_jobs ORDER BY 1"
_NO_VERSION: Final[dict[str, Any]] = {"spec_sha256": b"", "origin": "activity", "layout": ""}
_MISSING: Final[dict[str, Any]] = {**_NO_VERSION, "layout": "there is no such version"}

_UNREFERENCED: Final[dict[str, str]] = {
    "jobs": "SELECT 1 FROM jobs WHERE job_key NOT IN (SELECT job_key FROM observations)",
    "tasks": "SELECT 1 FROM tasks e LEFT JOIN job_versions v ON v.job_key = e.job_key"
    " AND v.version_no = e.version_no WHERE v.job_key IS NULL",
    "meta_entries": "SELECT 1 FROM meta_entries e LEFT JOIN job_versions v"
    " ON v.job_key = e.job_key AND v.version_no = e.version_no WHERE v.job_key IS NULL",
    "meta_entries of tasks": "SELECT 1 FROM meta_entries e LEFT JOIN tasks t"
    " ON t.job_key = e.job_key AND t.version_no = e.version_no AND t.task_no = e.task_no"
    " WHERE e.task_no > 0 AND t.job_key IS NULL",
    "label_entries": "SELECT 1 FROM label_entries e LEFT JOIN job_versions v"
    " ON v.job_key = e.job_key AND v.version_no = e.version_no WHERE v.job_key IS NULL",
    **{
        name: f"SELECT 1 FROM {name} e LEFT JOIN observations o ON o.job_key = e.job_key"
        " AND o.document_id = e.document_id WHERE o.job_key IS NULL"
        for name in ("executions", "job_events", "findings")
    },
    "observations": "SELECT 1 FROM observations"
    " WHERE document_id NOT IN (SELECT document_id FROM documents)",
    "meta_pairs": "SELECT 1 FROM meta_pairs WHERE pair_id NOT IN (SELECT pair_id FROM"
    " meta_entries UNION SELECT pair_id FROM label_entries)",
    "meta_keys": "SELECT 1 FROM meta_keys WHERE key_id NOT IN (SELECT key_id FROM meta_pairs)",
    "attribution_sets": "SELECT 1 FROM attribution_sets WHERE set_id NOT IN"
    " (SELECT attribution_set FROM job_versions)",
    "uses": "SELECT 1 FROM uses WHERE use_id NOT IN (SELECT use_id FROM use_members)",
    "use_sets": "SELECT 1 FROM use_sets WHERE set_id NOT IN (SELECT use_set FROM observations)",
    "use_members": "SELECT 1 FROM use_members WHERE set_id NOT IN (SELECT set_id FROM use_sets)",
    "attribution_members": "SELECT 1 FROM attribution_members WHERE set_id NOT IN"
    " (SELECT set_id FROM attribution_sets)",
}
