"""Make a small store whose jobs differ in everything that can be asked for."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from meta_audit.identity.base58 import encode
from meta_audit.identity.keys import KeyType, PublicKey, encode_public_key, key_fingerprint
from meta_audit.identity.peer import multihash

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
"""2023-11-14T22:13:20Z."""
KEYS = ("a", "b", "version", "environment", "project", "owner", "ticket", "team", "my key")
VALUES = (
    *("1", "1.2.3", "x.2", "prod", "staging", "frontend", "team-a", "x", "Acme Corp", "", "50%"),
    *("a\0b", "\uffff", "x\0001", "\0"),
)
NODES = ("n-1", "n-2")
CLIENTS = ("c-1", "c-2")
IMAGES = ("alpine", "alpine:3.18", "ubuntu?", "")
RESULTS = ("QmResult", "QmOther")
_PROTOBUF = encode_public_key(PublicKey(KeyType.ED25519, bytes(range(32))))
PEER = encode(multihash(_PROTOBUF))
KEY = b64encode(_PROTOBUF).decode()
FINGERPRINT = key_fingerprint(KEY)
Make = Callable[..., dict[str, Any]]


def documents(make: Make, seed: int, number: int) -> Iterator[dict[str, Any]]:
    """Yield documents of about so many jobs: versions, states, specs, executions, events."""
    choice = random.Random(seed)
    for n in range(number):
        yield from _of_job(make, choice, f"j-{n:03}")


def _pairs(choice: random.Random) -> dict[str, str]:
    return {choice.choice(KEYS): choice.choice(VALUES) for _ in range(choice.randrange(4))}


def _uses(choice: random.Random) -> dict[str, Any]:
    image = choice.choice(IMAGES)
    source = {"Type": "s3", "Params": {"Bucket": "data", "Key": choice.choice(("in/*", "in/1"))}}
    paths = [{"Name": "out", "Path": "/out"}] if choice.random() < 0.3 else []
    return {
        "Engine": {"Type": "docker", "Params": {"Image": image} if image else {}},
        "InputSources": [{"Source": source, "Target": "/in"}] if choice.random() < 0.5 else [],
        "ResultPaths": paths,
    }


def _of_job(make: Make, choice: random.Random, job_id: str) -> Iterator[dict[str, Any]]:
    who = {"bacalhau.org/requester.id": choice.choice((*NODES, PEER))}
    if choice.random() < 0.5:
        who["bacalhau.org/client.id"] = choice.choice(CLIENTS)
    if choice.random() < 0.3:
        who |= {"bacalhau.org/requester.publicKey": KEY}
    if choice.random() < 0.3:
        who["bacalhau.org/client.installation.id"] = choice.choice(("i-1", "i-2"))
    forged = {"bacalhau.org/client.id": "c-1"} if choice.random() < 0.1 else {}
    created = START + choice.choice((-400, -1, 0, 0, 1, 3, 40)) * 86_400 * SECOND
    common = {
        "Name": choice.choice(("nightly", "acme", "hello")),
        "Namespace": choice.choice(("default", "ns-2")),
        "Type": choice.choice(("batch", "service")),
        "CreateTime": created + choice.randrange(3),
    }
    if choice.random() < 0.1:
        yield {**make(job_id, meta=_pairs(choice), **common), "State": None, "Revision": 0}
        return
    for version in range(choice.choice((1, 1, 2))):
        job = make(
            job_id,
            meta={**who, **_pairs(choice)},
            task_meta={**forged, **_pairs(choice)},
            Labels=_pairs(choice),
            state=choice.choice(("Pending", "Running", "Completed", "Failed", "Stopped")),
            Version=version,
            ModifyTime=created + choice.randrange(90) * 86_400 * SECOND,
            **common,
        )
        job["Tasks"][0] |= _uses(random.Random(f"{job_id} {version}"))
        yield job
    if choice.random() < 0.6:
        of_job = choice.choice((job_id, job_id, f"other-{job_id}"))
        yield {
            "ID": f"e-{job_id[2:]}",
            "JobID": of_job,
            "NodeID": choice.choice(NODES),
            "ComputeState": {"StateType": 3},
            "PublishedResult": {"Type": "ipfs", "Params": {"CID": RESULTS[len(of_job) % 2]}},
            **({"Namespace": common["Namespace"]} if choice.random() < 0.5 else {}),
        }
