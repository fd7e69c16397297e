"""Records for the tests of the ledger, and a strategy that makes any."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st
from msgspec.structs import replace

from meta_audit.model import (
    Attribution,
    Event,
    Execution,
    Finding,
    JobRecord,
    Origin,
    Role,
    Task,
    Trust,
    Use,
    UseKind,
    Verdict,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
number = st.integers(-(2**63), 2**64 - 1)
time = st.none() | st.integers(-(2**63), 2**63 - 1)
mapping = st.dictionaries(text, text, max_size=5)


def several(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(strategy, max_size=3).map(tuple)


def one_of(literal: object) -> st.SearchStrategy:
    return st.sampled_from(get_args(literal))


records = st.builds(
    JobRecord,
    origin=one_of(Origin),
    layout=text,
    job_id=text,
    namespace=text,
    spec_sha256=st.binary(min_size=32, max_size=32),
    name=text,
    type=text,
    priority=number,
    count=number,
    version=number,
    created_at=time,
    meta=mapping,
    labels=mapping,
    tasks=several(st.builds(Task, text, text, text, mapping)),
    attributions=several(
        st.builds(Attribution, one_of(Role), text, text, one_of(Trust), one_of(Verdict))
    ),
    state=text,
    state_message=text,
    revision=number,
    modified_at=time,
    executions=several(st.builds(Execution, text, text, text, text, text, time, time)),
    events=several(st.builds(Event, time, text, text, text, text, text)),
    findings=several(st.builds(Finding, text, text)),
    uses=several(st.builds(Use, number, one_of(UseKind), text, text, text)),
)

FULL = JobRecord(
    origin="orchestrator",
    layout="v1.5.2",
    job_id="j-6f3a8e0c-0d43-4a8e-9f4b-5f0c2f1f4b1d",
    namespace="default",
    spec_sha256=bytes(range(32)),
    name="train",
    type="batch",
    priority=50,
    count=1,
    version=1,
    created_at=1718000000123456789,
    meta={
        "team": "research",
        "bacalhau.org/requester.id": "QmNode",
        "Émile": "",
        "zz": "\U0001f600",
    },
    labels={"env": "prod"},
    tasks=(Task("main", "docker", "ipfs", {"retries": "3", "a": "x" * 300}),),
    attributions=(
        Attribution("requester", "QmNode", "meta:bacalhau.org/requester.id", "server", "no_key"),
        Attribution("client", "abc", "namespace", "inferred", "no_key"),
    ),
    state="Completed",
    state_message="",
    revision=4,
    modified_at=1718000100000000000,
    executions=(Execution("e-1", "n-1", "Completed", "Stopped", "", 1718000000200000000, None),),
    events=(Event(1718000000300000000, "JobLevel", "", "", "Running", "started"),),
    findings=(Finding("reserved.task", "bacalhau.org/client.id"),),
)
USING = replace(
    FULL,
    uses=(
        Use(1, "image", "", "ubuntu:22.04", ""),
        Use(1, "input", "s3", "s3://data/in/*", "/inputs"),
        Use(0, "result", "ipfs", "bafybeibml", "e-1"),
    ),
)
"""A record whose entry is of the newer form."""
