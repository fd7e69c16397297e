"""Write a folder with every kind of source; some documents are broken, some repeated."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import yaml
import zstandard

from bench.generate import Generator

BROKEN: Final = (
    b'{"ID": "j-1", "Meta": {"version": 1.2}, "Tasks": [{"Name": "t"}]}',
    b'{"ID": "j-2", "ID": "j-3", "Tasks": []}',
    b'{"ID": "j-4", "Meta": {"a": "b"}, "meta": {"a": "c"}, "Tasks": [{"Name": "t"}]}',
    b'{"ID": "j-5", "Tasks": [{"Name": "t"}',
    b'{"ID": "j-6", "Meta": {"k": "\\u0000"}, "Tasks": [{"Name": "t"}]}',
    b'{"ID": "j-7", "Priority": NaN, "Tasks": [{"Name": "t"}]}',
    b'{"nothing": "of a job"}',
    b'{"ID": "j-8", "Name": "\xff\xfe", "Tasks": [{"Name": "t"}]}',
)
SMALL_FILES: Final = 60
YAML_DOCUMENTS: Final = 40


def write_folder(folder: Path, count: int, seed: int) -> Path:
    """Fill a folder with about `count` documents and return it."""
    chance = random.Random(seed)
    generator = Generator(seed)
    documents = iter([d.encode() for d in generator.documents(0, count)])
    later = [d.encode() for d in generator.states(0, count // 2)]
    folder.mkdir(parents=True)
    (folder / "small" / "deep").mkdir(parents=True)
    for number, document in enumerate(islice(documents, SMALL_FILES)):
        below = folder / "small" / ("deep" if number % 3 else "")
        (below / f"{number}.json").write_bytes(_in_other_form(document, number))
    _write_special(folder)
    (folder / "broken.ndjson").write_bytes(b"\n".join(BROKEN) + b"\n")
    chosen = [json.loads(d) for d in islice(documents, YAML_DOCUMENTS)]
    (folder / "jobs.yaml").write_text(yaml.safe_dump_all(chosen, sort_keys=False))
    (folder / "page.json").write_bytes(
        b'{"Items": [' + b",\n".join(islice(documents, 30)) + b'], "NextToken": ""}'
    )
    rest = list(documents)
    half = len(rest) // 2
    first = list(_mixed(rest[:half], chance))
    (folder / "a.ndjson").write_bytes(b"\n".join(first) + b"\n")
    packed = zstandard.compress(b"\n".join(_mixed([*rest[half:], *first[:40]], chance)))
    (folder / "b.ndjson.zst").write_bytes(packed)
    (folder / "later.ndjson.gz").write_bytes(gzip.compress(b"\n".join(_mixed(later, chance))))
    cut = gzip.compress(b"\n".join([*later[:20], *rest[:20]]))
    (folder / "cut.ndjson.gz").write_bytes(cut[: len(cut) * 2 // 3])
    return folder


def without_uses(folder: Path) -> Path:
    """Rename the fields of uncompressed files that say what jobs use, and return the folder."""
    for path in folder.rglob("*.*"):
        content = path.read_bytes()
        for field in (b"Params", b"InputSources", b"ResultPaths", b"Resources"):
            content = content.replace(field, b"No" + field)
        if not path.suffix.endswith(("gz", "zst")):
            path.write_bytes(content)
    return folder


def _in_other_form(document: bytes, number: int) -> bytes:
    return json.dumps(json.loads(document), indent=2).encode() if number % 2 else document


def _mixed(documents: Sequence[bytes], chance: random.Random) -> Iterator[bytes]:
    """Yield the documents, with broken ones between them and some repeated."""
    for document in documents:
        yield document
        if chance.random() < 0.02:
            yield chance.choice(BROKEN)
        if chance.random() < 0.03:
            yield chance.choice(documents)


def _write_special(folder: Path) -> None:
    """Write documents that fill the tables of executions, events, findings and labels."""
    for number in range(6):
        job_id = f"j-00000000-0000-4000-8000-{number:012}"
        described = {
            "Job": _job(job_id, number),
            "Executions": {"Items": [_execution(job_id, number, n) for n in range(3)]},
            "History": {"Items": [_event(job_id, number, n) for n in range(4)]},
        }
        (folder / f"describe-{number}.json").write_text(json.dumps(described))
    spoofed = {
        "Name": "spoofed",
        "Type": "batch",
        "Meta": {"bacalhau.org/client.id": "forged", "ünïcode ключ": "\u202e\t=1+1"},
        "Tasks": [{"Name": "t", "Engine": {"Type": "noop"}, "Meta": {"bacalhau.org/x": "y"}}],
    }
    (folder / "spoofed.json").write_text(json.dumps(spoofed))


def _job(job_id: str, number: int) -> dict[str, Any]:
    return {
        "ID": job_id,
        "Name": f"described-{number}",
        "Namespace": "default",
        "Type": "batch",
        "Count": 3,
        "Meta": {"bacalhau.org/requester.id": "n-1", "number": str(number), "empty": ""},
        "Labels": {"team": "a", "number": str(number)},
        "Tasks": [
            {"Name": name, "Engine": {"Type": "docker"}, "Meta": {"same": "pair"}}
            for name in ("one", "two")
        ],
        "State": {"StateType": "Completed"},
        "Version": 1,
        "Revision": 4,
        "CreateTime": 1_700_000_000_000_000_001 + number,
        "ModifyTime": 1_700_000_009_000_000_001,
    }


def _execution(job_id: str, number: int, n: int) -> dict[str, Any]:
    return {
        "ID": f"e-{number}-{n}",
        "JobID": job_id,
        "NodeID": f"n-compute-{n}",
        "ComputeState": {"StateType": 7, "Message": "done"},
        "DesiredState": {"StateType": 2},
        "CreateTime": 1_700_000_000_500_000_000,
        "ModifyTime": 1_700_000_008_500_000_000,
    }


def _event(job_id: str, number: int, n: int) -> dict[str, Any]:
    return {
        "Type": "ExecutionLevel" if n else "JobLevel",
        "JobID": job_id,
        "ExecutionID": f"e-{number}-{n}" if n else "",
        "Time": f"2023-11-14T22:13:2{n}.5Z",
        "Event": {"Message": f"step {n}", "Topic": "Run"},
    }
