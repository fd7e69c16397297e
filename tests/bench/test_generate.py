"""The documents we measure with: the same every time, and as Bacalhau writes them."""

import base64
import hashlib
import io
from itertools import pairwise

import orjson
import pytest

from bench import requesters
from bench.generate import Generator, main, write

COUNT = 2_000


def generated(start: int = 0, count: int = COUNT, seed: int = 1) -> bytes:
    out = io.BytesIO()
    assert write(Generator(seed).documents(start, count), out) == count
    return out.getvalue()


@pytest.fixture(scope="module")
def content() -> bytes:
    return generated()


@pytest.fixture(scope="module")
def jobs(content: bytes) -> list[dict]:
    return [orjson.loads(line) for line in content.splitlines()]


def test_same_seed_same_bytes(content):
    assert generated() == content
    # Pinned: figures measured in different years must rest on the same documents.
    assert hashlib.sha256(content).hexdigest() == PINNED


def test_other_seed_other_bytes(content):
    assert not set(generated(seed=2).splitlines()) & set(content.splitlines())


def test_start_skips(content):
    assert generated(1_500, 500) == b"".join(content.splitlines(keepends=True)[1_500:])


def test_command_line(tmp_path, content, capsys):
    out = tmp_path / "deep" / "jobs.ndjson"
    main(["--count", str(COUNT), "--out", str(out)])
    assert out.read_bytes() == content
    assert [file.name for file in out.parent.iterdir()] == ["jobs.ndjson"]
    assert f"{COUNT} documents" in capsys.readouterr().err


def test_size(content):
    assert 1_380 < len(content) / COUNT < 1_450


def test_meta_at_two_levels(jobs):
    of_jobs = sum(len(job["Meta"]) for job in jobs) / COUNT
    of_tasks = sum(len(task["Meta"]) for job in jobs for task in job["Tasks"]) / COUNT
    assert 11.8 < of_jobs + of_tasks < 12.2
    assert of_tasks > 1
    assert {len(job["Tasks"]) for job in jobs} == {1, 2}
    assert {len(job["Labels"]) for job in jobs} == {2, 3}


def test_fields_in_the_order_of_go(jobs):
    fields = [
        "ID",
        "Name",
        "Namespace",
        "Type",
        "Priority",
        "Count",
        "Constraints",
        "Meta",
        "Labels",
        "Tasks",
        "State",
        "Version",
        "Revision",
        "CreateTime",
        "ModifyTime",
    ]
    task_fields = [
        "Name",
        "Engine",
        "Publisher",
        "Env",
        "Meta",
        "InputSources",
        "ResultPaths",
        "Resources",
        "Network",
        "Timeouts",
    ]
    for job in jobs:
        assert list(job) == fields
        for mapping in (job["Meta"], job["Labels"], *(task["Meta"] for task in job["Tasks"])):
            assert list(mapping) == sorted(mapping)
        for task in job["Tasks"]:
            assert list(task) == [field for field in task_fields if field in task]
            for field in ("Env", "InputSources", "ResultPaths"):
                assert task.get(field) not in ({}, []), "omitempty"
        assert job["State"].get("Message") != "", "omitempty"


def test_text_as_go_escapes_it(content):
    assert content.isascii()
    assert b"\\u0026\\u0026" in content
    assert not set(b"<>&") & set(content)


def test_names_that_must_differ(jobs):
    assert len({job["ID"] for job in jobs}) == COUNT
    assert all(len({task["Name"] for task in job["Tasks"]}) == len(job["Tasks"]) for job in jobs)


def test_create_times_increase_with_jitter(jobs):
    times = [job["CreateTime"] for job in jobs]
    assert times != sorted(times)
    assert all(later > earlier - 600 * 10**9 for earlier, later in pairwise(times))
    assert all(job["ModifyTime"] >= job["CreateTime"] for job in jobs)
    last = next(Generator(1).documents(999_999, 1))
    two_years = 2 * 365 * 86_400 * 10**9
    assert abs(orjson.loads(last)["CreateTime"] - times[0] - two_years) < 86_400 * 10**9


def test_eras_and_their_reserved_keys(jobs):
    of_era = {"key": 0, "nats": 0, "orchestrator": 0}
    for job in jobs:
        meta = {key.removeprefix("bacalhau.org/"): value for key, value in job["Meta"].items()}
        if "orchestrator.id" in meta:
            of_era["orchestrator"] += 1
            assert meta["requester.id"] == meta["orchestrator.id"]
            assert {"server.installation.id", "server.instance.id"} <= set(meta)
            assert not {"client.id", "requester.publicKey"} & set(meta)
        else:
            of_era["key" if "requester.publicKey" in meta else "nats"] += 1
            assert meta.get("client.id", job["Namespace"]) == job["Namespace"]
    assert all(count > COUNT / 5 for count in of_era.values()), of_era


def test_states_change_nothing_but_the_state(jobs):
    first = {job["ID"]: job for job in jobs}
    later = [orjson.loads(line) for line in Generator(1).states(0, COUNT)]
    assert COUNT / 4 < len(later) < COUNT / 2
    for job in later:
        before = first[job["ID"]]
        assert before["State"]["StateType"] in ("Pending", "Running")
        assert job["State"]["StateType"] in ("Completed", "Failed", "Stopped")
        assert job["Revision"] > before["Revision"]
        assert job["ModifyTime"] > before["ModifyTime"]
        for field in ("State", "Revision", "ModifyTime"):
            job[field] = before[field]
        assert job == before


def test_peer_ids_belong_to_keys():
    found = requesters.load()
    assert len({requester.peer_id for requester in found}) == 20
    assert {requester.key_type for requester in found} == {"RSA-2048", "Ed25519"}
    for requester in found:
        key = base64.b64decode(requester.public_key, validate=True)
        multihash = from_base58(requester.peer_id)
        if requester.key_type == "Ed25519":
            assert multihash == b"\x00\x24" + key
            assert key[:4] == b"\x08\x01\x12\x20"
            assert len(key) == 36
        else:
            assert multihash == b"\x12\x20" + hashlib.sha256(key).digest()
            assert key[:5] == b"\x08\x00\x12\xa6\x02"
            assert len(key) == 5 + 0x126


def test_pairs_in_documents_are_those_requesters(jobs):
    known = {(requester.peer_id, requester.public_key) for requester in requesters.load()}
    key = "bacalhau.org/requester.publicKey"
    seen = {
        (job["Meta"]["bacalhau.org/requester.id"], job["Meta"][key])
        for job in jobs
        if key in job["Meta"]
    }
    assert seen <= known
    assert {public_key.startswith("CAES") for _, public_key in seen} == {True, False}


def from_base58(text: str) -> bytes:
    """Decode base58btc digit by digit, apart from the code that encodes."""
    digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    out = [0]
    for character in text:
        carry = digits.index(character)
        for place in range(len(out)):
            carry += out[place] * 58
            out[place] = carry & 0xFF
            carry >>= 8
        while carry:
            out.append(carry & 0xFF)
            carry >>= 8
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + bytes(reversed(out)).lstrip(b"\0")


PINNED = "7751951ec4edb6df375375351301e598c81502beed0eaa244a625115c906a292"
