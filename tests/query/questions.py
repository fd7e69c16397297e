"""One store for the questions of auditors: random jobs, and the cases that they ask about."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from meta_audit import cli
from tests.conftest import ROOT
from tests.identity.samples import real_pairs
from tests.ingest import again

START = 1_704_067_200_000_000_000
"""2024-01-01."""
DAY = 86_400 * 10**9
CLIENTS = ("c-one", "c-two", "c-\x1b[2Jthree", "C-ONE")
REQUESTERS = ("n-east", "n-west", "n-north")
NODES = ("n-east", "w-1", "w-2")
VALUES = {"team": ("a", "b", "=x"), "Team": ("a",), "tеam": ("b",), "round": tuple("0123456789")}
LABELS = {"zone": ("prod", "dev"), "team": ("a",)}


class Told(NamedTuple):
    """What a job document says."""

    job_id: str
    created: int
    meta: dict[str, str]
    labels: dict[str, str]


def document(job_id: str, meta: dict[str, str], created: int = START, **fields: Any) -> Any:
    """A job as v1.2.1 and later write it."""
    task = {
        "Name": "main",
        "Engine": {"Type": "docker", "Params": {"Image": "alpine:1"}},
        "Publisher": {"Type": "s3"},
    }
    return {
        "ID": job_id,
        "Name": job_id,
        "Namespace": "default",
        "Type": "batch",
        "Count": 1,
        "Meta": meta,
        "Tasks": [task],
        "State": {"StateType": "Completed"},
        "Version": 1,
        "Revision": 2,
        "CreateTime": created,
        "ModifyTime": created + 10**9,
    } | fields


def random_jobs(seed: int) -> list[Any]:
    """Jobs of one or two versions each."""
    random = Random(seed)
    documents = []
    for number in range(40):
        created = START + random.randrange(60) * DAY
        requester = random.choice(REQUESTERS)
        for version in range(1, random.choice((2, 2, 3))):
            meta = {key: random.choice(values) for key, values in VALUES.items()}
            for key in random.sample(sorted(meta), random.randrange(3)):
                del meta[key]
            meta["bacalhau.org/requester.id"] = requester
            if random.random() < 0.8:
                meta["bacalhau.org/client.id"] = random.choice(CLIENTS)
            labels = {key: random.choice(values) for key, values in LABELS.items()}
            of_version = {"Labels": labels, "Version": version, "Revision": version + 1}
            documents.append(document(f"j-random-{number}", meta, created, **of_version))
    return documents


def execution(number: int, node: str, state: int = 7, **fields: Any) -> Any:
    """An execution of a random job, which does not state its namespace."""
    created = START + number * DAY
    return {
        "ID": f"e-{number}-{node}",
        "JobID": f"j-random-{number}",
        "NodeID": node,
        "ComputeState": {"StateType": state, "Message": "done"},
        "CreateTime": created,
        "ModifyTime": created + 10**9,
    } | fields


def executions() -> list[Any]:
    """Two executions of each of ten jobs."""
    return [execution(n, node) for n in range(10) for node in (NODES[n % 3], NODES[(n + 1) % 3])]


def keyed_jobs() -> list[Any]:
    """One key under two IDs, and one ID with two keys."""
    (first, key), (second, other_key) = real_pairs()[-2:]
    pairs = ((first, key), (second, key), (first, other_key))
    return [
        document(
            f"j-keyed-{number}",
            {"bacalhau.org/requester.id": peer, "bacalhau.org/requester.publicKey": public},
        )
        for number, (peer, public) in enumerate(pairs)
    ]


def changed_job() -> list[Any]:
    """Two versions that differ in everything that is compared."""
    meta = {"bacalhau.org/requester.id": "n-east", "team": "a", "gone": "1"}
    old = document("j-changed", meta, Labels={"zone": "dev"})
    new = json.loads(json.dumps(old)) | {"Version": 2, "Revision": 5, "Priority": 9}
    new["ModifyTime"] = START + DAY
    new["Meta"] = {"bacalhau.org/requester.id": "n-west", "team": "b", "come": "\x1b[2J"}
    new["Labels"] = {"zone": "prod"}
    new["Tasks"][0]["Engine"]["Params"]["Image"] = "alpine:2"
    new["Tasks"][0]["Meta"] = {"step": "1"}
    new["Tasks"].append({"Name": "more", "Engine": {"Type": "wasm"}})
    return [old, new]


def two_jobs() -> list[Any]:
    """One ID, of which two orchestrators tell."""
    return [
        document("j-two", {"bacalhau.org/requester.id": who}, START + days * DAY, Version=days)
        for days, who in ((1, "n-east"), (2, "n-west"))
    ]


def specs_of_one_version() -> list[Any]:
    """Two specs under the same version, of which one must be a forgery or a mistake."""
    return [
        document("j-same-version", {"spec": spec}, ModifyTime=START + DAY) for spec in ("a", "b")
    ]


def misread_jobs() -> list[Any]:
    """Jobs that a better program reads in another way (`again.renamed`)."""
    return [document(f"j-misread-{n}", {"number": str(n)}) for n in (1, 2)]


def write(path: Path, documents: Iterable[Any]) -> Path:
    """Write documents as NDJSON."""
    path.write_text("".join(f"{json.dumps(one)}\n" for one in documents))
    return path


def fill(db: str, folder: Path) -> None:
    """Fill a store by three imports, of which the last one reads again."""
    jobs = write(folder / "jobs.ndjson", [*random_jobs(7), *keyed_jobs(), *misread_jobs()])
    ran = write(folder / "executions.ndjson", executions())
    first = [jobs, ran, ROOT / "examples"]
    assert cli.run(["ingest", *map(str, first), "--db", db, "-q"]) == 1  # what is rejected
    later = write(
        folder / "later.ndjson",
        [*changed_job(), *two_jobs(), *specs_of_one_version(), execution(0, "n-east")],
    )
    assert cli.run(["ingest", str(later), "--db", db, "-q"]) == 0
    again.reread(db, again.renamed)


class Counted(NamedTuple):
    """What a list of counts should say of a name."""

    jobs: int
    first: int
    last: int


def counted(told: Iterable[tuple[str, str, int]]) -> dict[str, Counted]:
    """Count jobs by name, one by one. Takes names, jobs and create times."""
    jobs: dict[str, dict[str, int]] = defaultdict(dict)
    for name, job_id, created in told:
        jobs[name][job_id] = created
    return {name: Counted(len(of), min(of.values()), max(of.values())) for name, of in jobs.items()}
