"""Job documents of v1.8 in several forms."""

from __future__ import annotations

import json
from typing import Any

import yaml


def job(number: int = 1, *, image: str = "alpine:1", state: str = "Running", **fields: Any) -> Any:
    """A job; its `image` belongs to the spec, its `state` does not."""
    finished = state != "Running"
    return {
        "ID": f"j-00000000-0000-4000-8000-{number:012}",
        "Name": f"job-{number}",
        "Namespace": "default",
        "Type": "batch",
        "Priority": 0,
        "Count": 1,
        "Meta": {"bacalhau.org/requester.id": "n-1", "number": f"{number}"},
        "Labels": {"team": "a"},
        "Tasks": [
            {
                "Name": "main",
                "Engine": {"Type": "docker", "Params": {"Image": image}},
                "Meta": {"step": "1"},
            }
        ],
        "State": {"StateType": state},
        "Version": 1,
        "Revision": 2 + finished,
        "CreateTime": 1_700_000_000_000_000_001 + number,
        "ModifyTime": 1_700_000_001_000_000_001 + number + finished,
        **fields,
    }


def compact(value: Any) -> bytes:
    """As Go writes JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def pretty(value: Any) -> bytes:
    """Laid out, and other members first."""
    return json.dumps(value, indent=2, sort_keys=True).encode()


def as_yaml(value: Any) -> bytes:
    """As `job describe --output yaml`."""
    return yaml.safe_dump(value, sort_keys=False).encode()


def lower_case(value: Any) -> Any:
    """Names of fields as Bacalhau's YAML had them for a while; Meta and labels as they are."""
    if isinstance(value, list):
        return [lower_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = ("Meta", "Labels", "Params")
    return {k.lower(): v if k in kept else lower_case(v) for k, v in value.items()}


def ndjson(*documents: bytes) -> bytes:
    """A line for each."""
    return b"".join(document + b"\n" for document in documents)
