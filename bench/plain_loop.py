"""The plain loop: what a competent person writes in an afternoon, without keeping evidence.

    python -m bench.plain_loop FILE STORE     (STORE made by bench.tables)

orjson per line, the dictionaries of pairs and identities in memory, one `executemany` of the
same rows per table, all indexes live, 10,000 documents per commit, WAL and
`synchronous=NORMAL`. It keeps no document, no ledger, no findings, checks nothing (no duplicate
keys, no UTF-8, no known job) and stops at the first bad line. Prints one JSON object.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from bench.requesters import peer_id

PER_COMMIT = 10_000

_ROLES = {
    "bacalhau.org/requester.id": ("requester", "server"),
    "bacalhau.org/requester.publicKey": ("requester_key", "server"),
    "bacalhau.org/client.id": ("client", "server"),
    "bacalhau.org/orchestrator.id": ("requester", "server"),
    "bacalhau.org/server.installation.id": ("server_installation", "server"),
    "bacalhau.org/server.instance.id": ("server_instance", "server"),
    "bacalhau.org/client.installation.id": ("client_installation", "claimed"),
    "bacalhau.org/client.instance.id": ("client_instance", "claimed"),
}
"""Meta key: role and trust, as `meta_audit.identity` attributes them."""

_COLUMNS = {
    "jobs": 3,
    "job_versions": 11,
    "tasks": 6,
    "meta_keys": 3,
    "meta_pairs": 4,
    "meta_entries": 4,
    "label_entries": 3,
    "pair_jobs": 3,
    "identities": 3,
    "attribution_rules": 5,
    "attributions": 5,
    "identity_jobs": 4,
    "observations": 10,
}
"""Tables in the order they are written, and how many columns each has."""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _layout(meta: dict[str, str]) -> str:
    if "bacalhau.org/orchestrator.id" in meta:
        return "v1.5.2"
    return "v1.0.4" if "bacalhau.org/requester.publicKey" in meta else "v1.2.1"


class _Ids(dict[Any, int]):
    """Number of each distinct value; a new one gets the next number and a row to insert."""

    def __init__(self, known: Iterator[tuple[Any, int]], row: Callable[..., Any], rows: Any):
        super().__init__(known)
        self._row, self._rows = row, rows

    def __missing__(self, value: Any) -> int:
        number = self[value] = len(self) + 1
        self._rows.append(self._row(number, value))
        return number


class Loop:
    """The loop and what it remembers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _COLUMNS}
        rows, query = self._rows, connection.execute
        self._keys = _Ids(
            query("SELECT key, key_id FROM meta_keys"),
            lambda number, key: (number, _digest(key), key),
            rows["meta_keys"],
        )
        self._pairs = _Ids(
            (
                ((key, value), number)
                for key, value, number in query(
                    "SELECT key, value, pair_id FROM meta_pairs JOIN meta_keys USING (key_id)"
                )
            ),
            lambda number, pair: (
                number,
                self._keys[pair[0]],
                _digest(f"{pair[0]}\0{pair[1]}"),
                pair[1],
            ),
            rows["meta_pairs"],
        )
        self._identities = _Ids(
            query("SELECT value, identity_id FROM identities"),
            lambda number, value: (number, _digest(value), value),
            rows["identities"],
        )
        self._rules = _Ids(
            (
                (tuple(rule), number)
                for number, *rule in query(
                    "SELECT rule_id, role, basis, trust, verdict FROM attribution_rules"
                )
            ),
            lambda number, rule: (number, *rule),
            rows["attribution_rules"],
        )
        self._verdicts: dict[tuple[str, str], str] = {}
        self._job_key = query("SELECT coalesce(max(job_key), 0) FROM jobs").fetchone()[0]
        number = query("SELECT coalesce(max(import_id), 0) + 1 FROM imports").fetchone()[0]
        self._source = number
        query(
            "INSERT INTO imports VALUES (?, ?, ?, ?, ?)",
            (number, time.time_ns(), "bench", "0", "[]"),
        )
        query("INSERT INTO sources VALUES (?, ?, ?)", (number, number, "bench"))

    def run(self, lines: Iterator[bytes]) -> int:
        """Read all lines into the store; return how many."""
        ordinal = 0
        while batch := list(islice(lines, PER_COMMIT)):
            for line in batch:
                ordinal += 1
                self._add(orjson.loads(line), ordinal)
            self._write()
        return ordinal

    def _write(self) -> None:
        for table, columns in _COLUMNS.items():
            marks = ", ".join("?" * columns)
            self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", self._rows[table])
            self._rows[table].clear()
        self._connection.commit()

    def _add(self, job: dict[str, Any], ordinal: int) -> None:
        rows, pairs = self._rows, self._pairs
        self._job_key += 1
        key = self._job_key
        state = job.pop("State")
        revision, modified = job.pop("Revision"), job.pop("ModifyTime")
        created = job.pop("CreateTime")
        created_ms = created // 1_000_000
        meta = job["Meta"]
        rows["jobs"].append((key, job["ID"], job["Namespace"]))
        rows["job_versions"].append(
            (
                key,
                1,
                hashlib.sha256(orjson.dumps(job, option=orjson.OPT_SORT_KEYS)).digest(),
                "orchestrator",
                _layout(meta),
                job["Name"],
                job["Type"],
                job["Priority"],
                job["Count"],
                job["Version"],
                created,
            )
        )
        used = [pairs[item] for item in meta.items()]
        entries = rows["meta_entries"]
        entries.extend([(key, 1, 0, pair) for pair in used])
        for number, task in enumerate(job["Tasks"], 1):
            rows["tasks"].append(
                (key, 1, number, task["Name"], task["Engine"]["Type"], task["Publisher"]["Type"])
            )
            of_task = [pairs[item] for item in task.get("Meta", {}).items()]
            entries.extend([(key, 1, number, pair) for pair in of_task])
            used += of_task
        rows["pair_jobs"].extend([(pair, created_ms, key) for pair in set(used)])
        rows["label_entries"].extend([(key, 1, pairs[item]) for item in job["Labels"].items()])
        for position, (rule, identity) in enumerate(self._who(job["Namespace"], meta), 1):
            rows["attributions"].append((key, 1, position, rule, identity))
            rows["identity_jobs"].append((identity, created_ms, key, rule))
        rows["observations"].append(
            (
                key,
                key - 1,
                1,
                state["StateType"],
                state.get("Message", ""),
                revision,
                modified,
                self._source,
                ordinal,
                ordinal,
            )
        )

    def _who(self, namespace: str, meta: dict[str, str]) -> Iterator[tuple[int, int]]:
        """Yield rule and identity of each attribution."""
        for key, (role, trust) in _ROLES.items():
            if value := meta.get(key):
                verdict = self._verdict(meta) if role.startswith("requester") else "no_key"
                rule = (role, f"meta:{key}", trust, verdict)
                yield self._rules[rule], self._identities[value]
        if len(namespace) == 64 and "bacalhau.org/client.id" not in meta:
            rule = ("client", "namespace", "inferred", "no_key")
            yield self._rules[rule], self._identities[namespace]

    def _verdict(self, meta: dict[str, str]) -> str:
        """Return whether the requester's ID belongs to its key."""
        key = meta.get("bacalhau.org/requester.publicKey")
        if key is None:
            return "no_key"
        pair = (meta["bacalhau.org/requester.id"], key)
        if pair not in self._verdicts:
            same = peer_id(base64.b64decode(key)) == pair[0]
            self._verdicts[pair] = "match" if same else "mismatch"
        return self._verdicts[pair]


def load(file: Path, store: Path) -> int:
    """Load a file of documents into the store; return how many."""
    connection = sqlite3.connect(store)
    connection.execute("PRAGMA synchronous=NORMAL")
    with file.open("rb") as lines:
        count = Loop(connection).run(lines)
    connection.close()
    return count


def main() -> None:
    """Run the command line."""
    began = time.perf_counter()
    count = load(Path(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps({"documents": count, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
