"""The plain loop: what a competent person writes in an afternoon, without keeping evidence.

    python -m bench.plain_loop FILE STORE     (STORE made by bench.tables)

orjson per line, the dictionaries of terms, pairs and identities in memory, one `executemany` of
the same rows per table, all indexes live, 10,000 documents per commit, WAL and
`synchronous=NORMAL`. It keeps no document, no ledger, no findings, none of what jobs use, checks
nothing (no duplicate keys, no UTF-8, no known job) and stops at the first bad line. Prints one JSON
object.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from bench.requesters import peer_id

PER_COMMIT = 10_000
NO_USES = 0
"""The loop leaves out what jobs use: images, inputs, outputs, resources."""

_ROLES = {
    "bacalhau.org/orchestrator.id": ("requester", "server"),
    "bacalhau.org/requester.id": ("requester", "server"),
    "bacalhau.org/requester.publicKey": ("requester_key", "server"),
    "bacalhau.org/client.id": ("client", "server"),
    "bacalhau.org/server.installation.id": ("server_installation", "server"),
    "bacalhau.org/server.instance.id": ("server_instance", "server"),
    "bacalhau.org/client.installation.id": ("client_installation", "claimed"),
    "bacalhau.org/client.instance.id": ("client_instance", "claimed"),
}
"""Meta key: role and trust, as `meta_audit.parse.attribution` has them."""

_COLUMNS = {
    "terms": 3,
    "jobs": 3,
    "job_versions": 12,
    "tasks": 6,
    "meta_keys": 3,
    "meta_pairs": 4,
    "meta_entries": 4,
    "label_entries": 3,
    "identities": 3,
    "attribution_rules": 5,
    "attribution_sets": 2,
    "attribution_members": 3,
    "observations": 11,
    "current_jobs": 19,
}
"""Tables in the order they are written, and how many columns each has."""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _layout(meta: dict[str, str]) -> str:
    if "bacalhau.org/orchestrator.id" in meta:
        return "v1.5.2"
    return "v1.0.4" if "bacalhau.org/requester.publicKey" in meta else "v1.2.1"


class _Ids(dict[Any, int]):
    """Number of each distinct value; a new one gets the next number and its rows to insert."""

    def __init__(self, known: Iterable[tuple[Any, int]], add: Callable[[int, Any], None]) -> None:
        super().__init__(known)
        self._add = add

    def __missing__(self, value: Any) -> int:
        number = self[value] = len(self) + 1
        self._add(number, value)
        return number


class Loop:
    """The loop and what it remembers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _COLUMNS}
        query = connection.execute
        self._terms = self._texts("terms", "term_id", "term")
        self._keys = self._texts("meta_keys", "key_id", "key")
        self._identities = self._texts("identities", "identity_id", "value")
        self._pairs = _Ids(
            (
                ((key, value), number)
                for key, value, number in query(
                    "SELECT key, value, pair_id FROM meta_pairs JOIN meta_keys USING (key_id)"
                )
            ),
            self._add_pair,
        )
        self._rules = _Ids(
            (
                (tuple(rule), number)
                for number, *rule in query(
                    "SELECT rule_id, role, basis, trust, verdict FROM attribution_rules"
                )
            ),
            lambda number, rule: self._rows["attribution_rules"].append((number, *rule)),
        )
        members: dict[int, list[tuple[int, int]]] = {}
        for number, *member in query("SELECT * FROM attribution_members ORDER BY 1, 2, 3"):
            members.setdefault(number, []).append((member[0], member[1]))
        self._sets = _Ids(
            ((tuple(member), number) for number, member in members.items()), self._add_set
        )
        self._verdicts: dict[tuple[str, str | None], str] = {}
        self._job_key = query("SELECT coalesce(max(job_key), 0) FROM jobs").fetchone()[0]
        number = query("SELECT coalesce(max(import_id), 0) + 1 FROM imports").fetchone()[0]
        self._source = number
        query(
            "INSERT INTO imports VALUES (?, ?, ?, ?, ?)",
            (number, time.time_ns(), "bench", "0", "[]"),
        )
        query("INSERT INTO sources VALUES (?, ?, ?)", (number, number, "bench"))

    def _texts(self, table: str, number: str, text: str) -> _Ids:
        rows = self._rows[table]
        return _Ids(
            self._connection.execute(f"SELECT {text}, {number} FROM {table}"),
            lambda number, text: rows.append((number, _digest(text), text)),
        )

    def _add_pair(self, number: int, pair: tuple[str, str]) -> None:
        key, value = pair
        row = (number, self._keys[key], _digest(f"{key}\0{value}"), value)
        self._rows["meta_pairs"].append(row)

    def _add_set(self, number: int, members: tuple[tuple[int, int], ...]) -> None:
        text = ",".join([f"{rule}:{identity}" for rule, identity in members])
        self._rows["attribution_sets"].append((number, _digest(text)))
        self._rows["attribution_members"].extend([(number, *member) for member in members])

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
        rows, pairs, terms = self._rows, self._pairs, self._terms
        self._job_key += 1
        key = self._job_key
        state = job.pop("State")
        revision, modified = job.pop("Revision"), job.pop("ModifyTime")
        created = job.pop("CreateTime")
        meta = job["Meta"]
        who = list(self._who(meta))
        rows["jobs"].append((key, job["ID"], terms[job["Namespace"]]))
        rows["job_versions"].append(
            (
                key,
                1,
                hashlib.sha256(orjson.dumps(job, option=orjson.OPT_SORT_KEYS)).digest(),
                terms["orchestrator"],
                terms[_layout(meta)],
                terms[job["Name"]],
                terms[job["Type"]],
                job["Priority"],
                job["Count"],
                job["Version"],
                created,
                self._sets[tuple(sorted(member for _, member in who))],
            )
        )
        entries = rows["meta_entries"]
        entries.extend([(key, 1, 0, pairs[item]) for item in meta.items()])
        for number, task in enumerate(job["Tasks"], 1):
            rows["tasks"].append(
                (
                    key,
                    1,
                    number,
                    terms[task["Name"]],
                    terms[task["Engine"]["Type"]],
                    terms[task["Publisher"]["Type"]],
                )
            )
            entries.extend([(key, 1, number, pairs[item]) for item in task["Meta"].items()])
        rows["label_entries"].extend([(key, 1, pairs[item]) for item in job["Labels"].items()])
        rows["observations"].append(
            (
                key,
                key - 1,
                1,
                terms[state["StateType"]],
                terms[state.get("Message", "")],
                revision,
                modified,
                self._source,
                ordinal,
                ordinal,
                NO_USES,
            )
        )
        client, requester = self._best(who, "client"), self._best(who, "requester")
        rows["current_jobs"].append(
            (
                key,
                key - 1,
                1,
                1,
                created,
                modified,
                revision,
                job["Version"],
                job["Namespace"],
                state["StateType"],
                job["Type"],
                "orchestrator",
                terms[job["Name"]],
                *client,
                *requester,
                self._source,
                self._source,
            )
        )

    def _best(self, who: list[tuple[str, tuple[int, int]]], role: str) -> tuple[int, int]:
        """Return identity and rule of the first attribution in a role."""
        for of, (rule, identity) in who:
            if of == role:
                return identity, rule
        return 0, 0

    def _who(self, meta: dict[str, str]) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield role, rule and identity of each attribution."""
        for key, (role, trust) in _ROLES.items():
            if value := meta.get(key):
                verdict = self._verdict(meta) if role.startswith("requester") else "no_key"
                rule = (role, f"meta:{key}", trust, verdict)
                yield role, (self._rules[rule], self._identities[value])

    def _verdict(self, meta: dict[str, str]) -> str:
        """Return whether the requester's ID belongs to its key."""
        pair = (meta["bacalhau.org/requester.id"], meta.get("bacalhau.org/requester.publicKey"))
        verdict = self._verdicts.get(pair)
        if verdict is None:
            requester, key = pair
            if requester.startswith("n-"):
                verdict = "not_a_peer_id"
            elif key is None:
                verdict = "no_key"
            else:
                same = peer_id(base64.b64decode(key)) == requester
                verdict = "match" if same else "mismatch"
            self._verdicts[pair] = verdict
        return verdict


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
