"""What tasks run, read, write and ask for, in every layout, and what executions published."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.model import Format, Use
from meta_audit.nul import MAX_NAME
from meta_audit.parse import parse

IMAGE = Use(1, "image", "", "ubuntu:22.04", "")
CID = "QmeeEB1YMrG6K8z43VdsdoYmQV46gAPQCHotZs9pwusCm9"


def uses(value: Any, format_: Format = "json") -> tuple[Use, ...]:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parse(decode(content, format_), content).uses


def job(**task: Any) -> dict[str, Any]:
    return {"ID": "j-1", "Tasks": [{"Name": "main", "Engine": {"Type": "docker"}, **task}]}


def docker(image: Any) -> dict[str, Any]:
    return {"Engine": {"Type": "docker", "Params": {"Image": image}}}


def source(type_: str, **params: Any) -> dict[str, Any]:
    return {"Source": {"Type": type_, "Params": params}, "Target": "/in"}


def test_a_task_in_full() -> None:
    told = uses(
        job(
            **docker("ubuntu:22.04"),
            InputSources=[source("s3", Bucket="b", Key="in/*", Region="eu")],
            ResultPaths=[{"Name": "outputs", "Path": "/outputs"}],
            Publisher={"Type": "s3", "Params": {"Bucket": "b", "Key": "out"}},
            Resources={"CPU": "500m", "Memory": "1Gb", "Disk": "", "GPU": "1"},
        )
    )
    assert told == (
        IMAGE,
        Use(1, "input", "s3", "s3://b/in/*", "/in"),
        Use(1, "output", "", "/outputs", "outputs"),
        Use(1, "output", "s3", "s3://b/out", ""),
        Use(1, "resource", "CPU", "500m", ""),
        Use(1, "resource", "Memory", "1Gb", ""),
        Use(1, "resource", "GPU", "1", ""),
    )


def test_both_roads_say_the_same() -> None:
    """Another case of letters, and an unknown field, take the road that folds names."""
    usual = job(**docker("ubuntu:22.04"), InputSources=[source("ipfs", CID=CID)])
    folded = json.dumps(usual).replace("InputSources", "inputsources").replace("CID", "cid")
    assert uses(usual) == uses(folded.encode()) == uses({**usual, "New": 1})
    assert uses(usual) == (IMAGE, Use(1, "input", "ipfs", CID, "/in"))


@pytest.mark.parametrize(
    ("storage", "place"),
    [
        (source("ipfs", CID=CID), CID),
        (source("urlDownload", URL="https://e.org/a?b"), "https://e.org/a?b"),
        (source("localDirectory", SourcePath="/data", ReadWrite=True), "/data"),
        (source("repoClone", Repo="https://e.org/r"), "https://e.org/r"),
        (source("s3", bucket="b", key="k"), "s3://b/k"),
        (source("ipfs", URL="https://e.org"), ""),
        (source("new", CID="c", URL="u"), "c"),
        (source("noop"), ""),
    ],
)
def test_places_of_inputs(storage: dict[str, Any], place: str) -> None:
    type_ = storage["Source"]["Type"]
    assert uses(job(InputSources=[storage])) == (Use(1, "input", type_, place, "/in"),)


def test_modules() -> None:
    def wasm(**params: Any) -> tuple[Use, ...]:
        return uses(job(Engine={"Type": "wasm", "Params": params}))

    inline = source("inline", URL="data:application/wasm;base64,AGFzbQEAAAA=")
    place = "data:application/wasm;base64,AGFzbQEAAAA="
    assert wasm(EntryModule=inline) == (Use(1, "module", "inline", place, "/in"),)
    assert wasm(EntryModule="main.wasm") == (Use(1, "module", "", "main.wasm", ""),)
    assert wasm(EntryModule=None, ImportModules=[inline])[0].value == place
    assert wasm(EntryModule=7, ImportModules="x") == ()


def test_a_long_value_is_shortened() -> None:
    (use,) = uses(job(**docker("x" * 100_000)))
    assert len(use.value) == MAX_NAME
    assert use != uses(job(**docker("x" * 100_001)))[0]


def test_a_job_that_names_nothing_uses_nothing() -> None:
    assert uses(job()) == ()
    assert uses(job(Publisher={"Type": "local"}, Resources={"CPU": ""})) == ()


@pytest.mark.parametrize("odd", ["7", "true", "null", '["x"]', '{"a": "b"}', "9" * 5000])
def test_odd_values_are_no_uses_and_no_fault(odd: str) -> None:
    values: list[dict[str, Any]] = [
        {"Engine": {"Type": "docker", "Params": {"Image": "ODD"}}},
        {"InputSources": [source("s3", Bucket="ODD", Key="ODD")]},
        {"InputSources": [{"Source": {"Type": "s3", "Params": "ODD"}}]},
        {"Publisher": {"Type": "s3", "Params": {"Bucket": "ODD"}}},
    ]
    for value in values:
        content = json.dumps(job(**value)).replace('"ODD"', odd).encode()
        with suppress(RejectedError):
            assert all(isinstance(use.value, str) for use in uses(content))


def test_yaml_and_numbers() -> None:
    content = b"Tasks:\n- Name: t\n  Engine: {Type: docker, Params: {Image: 1.20}}\n"
    assert uses(content, "yaml")[0].value == "1.20"


def test_results_of_executions() -> None:
    execution = {
        "ID": "e-1",
        "JobID": "j-1",
        "NodeID": "n-1",
        "ComputeState": {"StateType": 3},
        "PublishedResult": {"Type": "ipfs", "Params": {"CID": CID}},
    }
    result = Use(0, "result", "ipfs", CID, "e-1")
    assert uses(execution) == (result,)
    assert uses({**execution, "PublishedResult": {"Type": "", "Params": None}}) == ()
    described = {"Job": job(**docker("ubuntu:22.04")), "Executions": {"Items": [execution]}}
    assert uses(described) == (IMAGE, result)
    older = {
        "JobID": "j-1",
        "ComputeReference": "e-1",
        "NodeID": "n-1",
        "State": "Completed",
        "PublishedResults": {"StorageSource": "IPFS", "Name": "r", "CID": CID},
    }
    assert uses(older) == (Use(0, "result", "IPFS", CID, "e-1"),)
    local = {"Execution": execution, "RequesterNodeID": "n-0", "State": "Completed"}
    published = {"Type": "s3", "Params": {"Bucket": "b", "Key": "k"}}
    assert uses(local) == (result,)
    assert uses({**local, "PublishedResult": published})[0].value == "s3://b/k"


def test_legacy_specs() -> None:
    spec = {
        "Engine": "Docker",
        "Docker": {"Image": "ubuntu:22.04"},
        "Inputs": [
            {"StorageSource": "IPFS", "CID": CID, "Path": "/in"},
            {"StorageSource": "S3", "S3": {"Bucket": "b", "Key": "k"}, "path": "/s3"},
        ],
        "Contexts": [{"Engine": "ipfs", "cid": CID, "path": "/job"}],
        "outputs": [{"StorageSource": "IPFS", "Name": "outputs", "path": "/outputs"}],
        "PublisherSpec": {"Type": "s3", "Params": {"Bucket": "b", "Key": "out"}},
        "Resources": {"CPU": "", "Memory": "", "Disk": "", "GPU": "1"},
    }
    assert uses({"APIVersion": "V1beta1", "Spec": spec}) == (
        IMAGE,
        Use(1, "input", "IPFS", CID, "/in"),
        Use(1, "input", "S3", "s3://b/k", "/s3"),
        Use(1, "input", "ipfs", CID, "/job"),
        Use(1, "output", "", "/outputs", "outputs"),
        Use(1, "output", "s3", "s3://b/out", ""),
        Use(1, "resource", "GPU", "1", ""),
    )
    wasm = {"Engine": "wasm", "Wasm": {"EntryModule": {"StorageSource": "ipfs", "CID": CID}}}
    assert uses({"Spec": wasm, "APIVersion": "V1beta1"}) == (Use(1, "module", "ipfs", CID, ""),)


def test_the_result_of_an_event() -> None:
    event = {
        "JobID": "j-1",
        "EventName": "ResultsPublished",
        "SourceNodeID": "n-1",
        "ExecutionID": "e-1",
        "PublishedResult": {"StorageSource": "ipfs", "CID": CID},
    }
    assert uses(event) == (Use(0, "result", "ipfs", CID, "e-1"),)
