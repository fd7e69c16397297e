import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from meta_audit.errors import NotFoundError, UsageError
from meta_audit.query.past import session_at
from meta_audit.query.results import Candidates, Trace
from meta_audit.query.trace import trace
from meta_audit.query.who import Identity, who
from meta_audit.render.escape import escape
from meta_audit.render.json import to_json

ID = "j-5e85f246-aaaa-4bbb-8ccc-0123456789ab"
START = 1_700_000_000 * 10**9
HOUR = 3_600 * 10**9


def traced(store: Any, job: str = ID, namespace: str | None = None) -> Trace:
    found = trace(store.session, job, namespace)
    assert isinstance(found, Trace)
    return found


def candidates(store: Any, job: str, namespace: str | None = None) -> Candidates:
    found = trace(store.session, job, namespace)
    assert isinstance(found, Candidates)
    return found


def test_the_json_has_the_documented_shape(store, job, key_pair) -> None:
    peer_id, key = key_pair
    meta = {
        "bacalhau.org/requester.id": peer_id,
        "bacalhau.org/requester.publicKey": key,
        "bacalhau.org/client.id": "c1",
        "team": "a",
    }
    store.take(job(meta=meta), uri="dir/a.json")
    (document,) = json.loads(to_json([traced(store)]))
    assert list(document) == [
        "format",
        "job",
        "attributions",
        "tasks",
        "meta",
        "labels",
        "versions",
        "observations",
        "executions",
        "events",
        "evidence",
        "checkpoint",
        "findings",
        "readings",
        "as_of",
        "same_spec",
        "uses",
        "aliases",
        "at",
    ]
    assert document["format"] == "meta-audit/trace/1"
    wanted = {
        "job_id": ID,
        "namespace": "default",
        "name": "hello",
        "origin": "orchestrator",
        "type": "batch",
        "version": 1,
        "state": "Completed",
        "created_at": "2023-11-14T22:13:20.123456789Z",
    }
    assert document["job"].items() >= wanted.items()
    requester, its_key, client = document["attributions"]
    assert requester["fingerprint"] == its_key["fingerprint"]
    assert requester["fingerprint"].startswith("SHA256:")
    assert (
        requester.items()
        >= {
            "role": "requester",
            "value": peer_id,
            "basis": "meta:bacalhau.org/requester.id",
            "trust": "server",
            "verdict": "match",
        }.items()
    )
    assert its_key["value"] == key
    assert client.items() >= {"role": "client", "value": "c1", "fingerprint": ""}.items()
    assert [(m["level"], m["task"], m["key"], m["value"]) for m in document["meta"]] == [
        *(("job", None, key, value) for key, value in sorted(meta.items())),
        ("task", "main", "step", "1"),
    ]
    assert document["tasks"] == [
        {"task_no": 1, "name": "main", "engine": "docker", "publisher": "s3"}
    ]
    assert document["labels"] == {"env": "prod"}
    (version,) = document["versions"]
    assert (version["version_no"], version["requester"], version["client"]) == (1, peer_id, "c1")
    (evidence,) = document["evidence"]
    assert evidence["source"] == "dir/a.json"
    assert evidence["position"] == {"document": 1, "line": 1}
    assert (evidence["import_id"], evidence["entry_index"]) == (1, 0)
    assert len(evidence["document_sha256"]) == 64
    assert evidence["observed_at"].endswith("Z")
    (observation,) = document["observations"]
    assert observation["document_sha256"] == evidence["document_sha256"]
    assert document["findings"] == []


def test_findings_come_with_the_worst_first(store, job) -> None:
    store.take(
        job(meta={"a": None, "b": "x\u202ey"}, task_meta={"bacalhau.org/client.id": "forged"})
    )
    found = traced(store)
    assert [f.severity for f in found.findings] == ["critical", "warning", "info"]
    assert found.findings[0].code == "reserved.task"
    assert all(a.value != "forged" for a in found.attributions)


def test_the_newest_version_is_the_one_seen_in_the_newest_state(store, job) -> None:
    new = job(meta={"v": "2"}, Version=2, Revision=9, ModifyTime=1_700_000_900_000_000_000)
    store.take(new)
    store.take(job(meta={"v": "1"}), job(meta={"v": "1"}, state="Running", Revision=1))
    found = traced(store)
    assert [v.version for v in found.versions] == [2, 1]
    assert (found.job.version, found.job.version_no, found.job.revision) == (2, 1, 9)
    assert [m.value for m in found.meta if m.level == "job"] == ["2"]
    states = [(o.version_no, o.state, o.revision) for o in found.observations]
    assert states == [(2, "Running", 1), (2, "Completed", 2), (1, "Completed", 9)]
    assert [e.entry_index for e in found.evidence] == [0, 1, 2]


def test_the_best_client_of_each_version_is_named(store, job) -> None:
    client = "a" * 64
    store.take(job(Namespace=client, meta={"bacalhau.org/client.id": "b" * 64}))
    (version,) = traced(store).versions
    assert version.client == "b" * 64


def execution(job_id: str = ID, **fields: Any) -> dict[str, Any]:
    return {
        "ID": "e-1",
        "JobID": job_id,
        "NodeID": "n-9",
        "ComputeState": {"StateType": 3},
        "DesiredState": {"StateType": 2},
        **fields,
    }


def test_activity_without_a_namespace_is_shown_with_its_job(store, job) -> None:
    store.take(execution())
    assert traced(store).job.origin == "activity"
    store.take(job())
    found = traced(store)
    assert (found.job.namespace, found.job.origin) == ("default", "orchestrator")
    assert [e.node for e in found.executions] == ["n-9"]
    assert [e.version_no for e in found.evidence] == [0, 1]
    assert [o.version_no for o in found.observations] == [1]


def test_a_job_known_by_its_activity_alone_traces(store) -> None:
    event = {"Type": "JobLevel", "JobID": ID, "Time": "2023-11-14T22:13:20Z"}
    store.take(execution(), {**event, "JobState": {"New": "Pending"}})
    found = traced(store, "5e85f246")
    assert found.job.job_id == ID
    assert (found.job.version_no, found.versions, found.attributions) == (0, (), ())
    assert found.events[0].time == "2023-11-14T22:13:20.000000000Z"
    assert len(found.executions) == 1
    assert len(found.evidence) == 2


@pytest.mark.parametrize("text", [ID, "j-5e85f246", "5e85f246", "5e85f246-aaaa", "hello"])
def test_a_job_is_named_by_its_id_a_beginning_of_it_or_its_name(store, job, text: str) -> None:
    store.take(job(), job("j-5e85ffff-0000-4000-8000-000000000000", Name="other"))
    assert traced(store, text).job.job_id == ID


def test_what_fits_several_gives_candidates(store, job) -> None:
    ids = [f"j-5e85f246-{n:04d}" for n in range(25)]
    store.take(*(job(i, Name=f"n{i}") for i in ids))
    found = candidates(store, "5e85f246")
    assert [c.job_id for c in found.candidates] == ids[:20]
    assert found.more == 5
    assert found.query == "5e85f246"


def test_an_exact_id_wins_over_longer_ones_and_names(store, job) -> None:
    store.take(job("j-1"), job("j-12"), job("j-3", Name="j-1"))
    assert traced(store, "j-1").job.job_id == "j-1"


def test_a_job_named_like_a_short_id_never_passes_for_it(store, job) -> None:
    store.take(job(), job("j-evil", Name="j-5e85f246"))
    assert {c.job_id for c in candidates(store, "j-5e85f246").candidates} == {ID, "j-evil"}


def test_the_same_name_lists_the_last_that_came_first(store, job) -> None:
    store.take(job("j-1"), job("j-2"))
    assert [c.job_id for c in candidates(store, "hello").candidates] == ["j-2", "j-1"]


def test_a_namespace_chooses_among_jobs_of_one_id(store, job) -> None:
    store.take(job("j-1"), job("j-1", Namespace="other"), execution("j-1"))
    found = candidates(store, "j-1")
    assert [c.namespace for c in found.candidates] == ["default", "other"]
    assert traced(store, "j-1", "other").job.namespace == "other"
    assert len(traced(store, "j-1", "other").executions) == 1
    with pytest.raises(NotFoundError) as missing:
        trace(store.session, "j-1", "third")
    assert missing.value.advice.endswith("default, other")


@pytest.mark.parametrize("text", ["%", "_", "j-%", "j_5e85f246", "*", "[j]*", "\0", "\udcff", "'"])
def test_wildcards_and_what_cannot_be_stored_find_nothing(store, job, text: str) -> None:
    store.take(job())
    with pytest.raises(NotFoundError):
        trace(store.session, text)


def test_wildcards_find_themselves(store, job) -> None:
    store.take(job("j-%_1"), job("j-xx1"), job("j-2", Name="%"))
    assert traced(store, "%_").job.job_id == "j-%_1"
    assert {c.job_id for c in candidates(store, "%").candidates} == {"j-%_1", "j-2"}


def test_an_empty_text_is_refused(store, job) -> None:
    store.take(job())
    with pytest.raises(UsageError):
        trace(store.session, "")


def test_long_names_are_told_apart(store, job) -> None:
    store.take(job("j-1", Name="n" * 3000 + "1"), job("j-2", Name="n" * 3000 + "2"))
    assert traced(store, "n" * 3000 + "2").job.job_id == "j-2"


def test_the_number_of_statements_is_constant(store, job, statements: Callable[..., int]) -> None:
    few = job("j-few", meta={"a": "1"})
    many = job("j-many", meta={f"key{n}": f"{n}" for n in range(500)})
    many["Tasks"] = [{**many["Tasks"][0], "Name": f"t{n}"} for n in range(20)]
    store.take(few)
    store.take(*(dict(many, Revision=n) for n in range(30)))
    session = store.session
    counts = {statements(session, lambda i=i: trace(session, i)) for i in ("j-few", "j-many")}
    assert len(counts) == 1
    assert counts.pop() <= 16
    assert len(traced(store, "j-many").meta) == 520


def test_results_are_frozen(store, job) -> None:
    store.take(job())
    with pytest.raises(AttributeError):
        traced(store).job.job_id = "other"  # type: ignore[misc]
    assert msgspec.json.decode(to_json(traced(store)), type=Trace) == traced(store)


@pytest.mark.parametrize("reverse", [False, True])
def test_two_jobs_under_one_id_are_said_first(store, job, reverse: bool) -> None:
    other = {"bacalhau.org/requester.id": "n-2", "team": "a"}
    documents = [job(), job(meta=other, CreateTime=1_600_000_000_000_000_000)]
    store.take(*(reversed(documents) if reverse else documents))
    first = traced(store).findings[0]
    assert (first.code, first.severity) == ("identity.two_jobs", "critical")
    assert "requester n-1" in first.detail
    assert "requester n-2" in first.detail
    assert "2020-09-13T12:26:40.000000000Z" in first.detail


def test_a_new_version_of_one_job_is_no_second_job(store, job) -> None:
    store.take(job(), job(Name="renamed", Version=2, Revision=5))
    assert not traced(store).findings


def test_a_spec_never_hides_what_an_orchestrator_says(store, job) -> None:
    forged = job(meta={"bacalhau.org/requester.id": "forged"}, ModifyTime=1_900_000_000_000_000_000)
    del forged["CreateTime"], forged["Revision"], forged["State"]
    store.take(job(), forged)
    found = traced(store)
    assert found.job.origin == "orchestrator"
    assert [a.value for a in found.attributions if a.role == "requester"] == ["n-1"]
    assert "reserved.unsubmitted" in {finding.code for finding in found.findings}


def test_ties_of_time_are_broken_by_content(make_store, job) -> None:
    documents = [job(Name="one"), job(Name="two"), job(Name="three")]
    told = set()
    for order in (documents, documents[::-1], [documents[1], documents[0], documents[2]]):
        store = make_store()
        store.take(*order)
        told.add(traced(store).job.name)
        store.close()
    assert len(told) == 1


def test_nul_is_kept_exactly(store, job) -> None:
    meta = {"bacalhau.org/requester.id": "n-1", "a\0b": "c\0d\uffffe"}
    store.take(job("j-nul", meta=meta, Name="na\0me"))
    found = traced(store, "j-nul")
    assert found.job.name == "na\0me"
    assert {pair.key: pair.value for pair in found.meta if not pair.task_no} == meta
    assert "text.nul" in {finding.code for finding in found.findings}
    assert traced(store, "na\0me").job.job_id == "j-nul"


@pytest.mark.parametrize(("layout", "state"), [("v1.5.2", "BidRejected"), ("v1.2.1", "Failed")])
def test_numbers_of_states_are_named_by_the_layout(store, job, layout: str, state: str) -> None:
    """Those of executions alone; a number where a state is desired, or of a job, has no name."""
    role = "orchestrator.id" if layout == "v1.5.2" else "requester.id"
    event = {"JobID": ID, "Time": "2023-11-14T22:13:20Z", "ExecutionID": "e-1"}
    change = {"Previous": 0, "New": 8}
    store.take(
        job(meta={f"bacalhau.org/{role}": "n-1"}),
        {"ID": "e-1", "JobID": ID, "ComputeState": {"StateType": 8}, "DesiredState": 8},
        event | {"Type": "ExecutionLevel", "ExecutionState": change},
        event | {"Type": "JobLevel", "JobState": change},
    )
    found = traced(store)
    (execution,) = found.executions
    assert (execution.state, execution.desired_state) == (state, "unknown (8)")
    assert [event.state for event in found.events] == [state, "unknown (8)"]
    for view, told in (("v_executions", [state]), ("v_events", [state, "unknown (8)"])):
        sql = f"SELECT state FROM {view} ORDER BY entry_index"
        assert [shown for (shown,) in store.session.query(sql)] == told


@pytest.mark.parametrize("together", [False, True])
def test_a_plain_spec_does_not_name_the_numbers_of_states(store, job, together: bool) -> None:
    """It looks the same in every version: the job as an orchestrator gives it out tells which."""
    spec = {key: value for key, value in job(ID, meta={}).items() if key in ("ID", "Name", "Tasks")}
    ran = {"ID": "e-1", "JobID": ID, "ComputeState": {"StateType": 8}}
    store.take(*([{"Job": spec, "Executions": [ran]}] if together else [spec, ran]))
    assert traced(store).job.origin == "spec"
    for said in ("unknown (8)", "BidRejected"):
        assert {execution.state for execution in traced(store).executions} == {said}
        assert {row for (row,) in store.session.query("SELECT state FROM v_executions")} == {said}
        store.take(job(meta={"bacalhau.org/orchestrator.id": "n-1"}))


@pytest.mark.parametrize(
    "job_id", ["j-\0nul", "j-\x1b[31mred\nline", "j-\u202erlo", r"j-back\x41slash", "j-\U000e0041"]
)
def test_a_job_is_found_as_a_page_shows_it(store, job, job_id: str) -> None:
    store.take(job(job_id), job("k-A"))
    for written in (job_id, escape(job_id)):
        assert traced(store, written).job.job_id == job_id
    with pytest.raises(NotFoundError, match="no job matches"):
        traced(store, escape(job_id) + r"\x00")


SECOND = 10**9


def test_a_job_as_it_was_at_a_time(store, job) -> None:
    """States, executions and events of later times are left out, whatever document tells them."""
    born = 1_700_000_000 * SECOND
    states = ("Pending", "Running", "Completed")
    jobs = [
        job(
            "j-1",
            state=state,
            Revision=number + 1,
            CreateTime=born,
            ModifyTime=born + number * 100 * SECOND,
        )
        for number, state in enumerate(states, 1)
    ]
    execution = {
        "ID": "e-1",
        "JobID": "j-1",
        "NodeID": "n-1",
        "ComputeState": {"StateType": 3},
        "CreateTime": born + 150 * SECOND,
        "ModifyTime": born + 250 * SECOND,
    }
    history = {"Type": "JobLevel", "Time": "2023-11-14T22:18:20Z", "Event": {"Message": "done"}}
    store.take(
        *jobs[:2],
        {"Job": jobs[2], "Executions": {"Items": [execution]}, "History": {"Items": [history]}},
    )

    def at(seconds: int) -> Trace:
        found = trace(store.session, "j-1", at=born + seconds * SECOND)
        assert isinstance(found, Trace)
        return found

    for seconds, state, executions, events in (
        (1, "", 0, 0),
        (101, "Pending", 0, 0),
        (199, "Pending", 1, 0),
        (201, "Running", 1, 0),
        (302, "Completed", 1, 1),
    ):
        found = at(seconds)
        told = (found.job.state, len(found.executions), len(found.events))
        assert told == (state, executions, events), seconds
        assert found.meta
        assert found.at
    with pytest.raises(NotFoundError, match="was created later"):
        at(0)
    assert trace(store.session, "j-1").at is None


def test_results_of_older_versions_are_told(store, job) -> None:
    """Executions of an older version published what they did, whatever the newest one is."""
    published = {"Type": "ipfs", "Params": {"CID": "QmResult"}}
    execution = {"ID": "e-1", "JobID": ID, "NodeID": "n-2", "PublishedResult": published}
    old = job(Version=1, CreateTime=START, ModifyTime=START + HOUR)
    old["Tasks"][0]["Engine"]["Params"]["Image"] = "ubuntu"
    store.take({"Job": old, "Executions": {"Items": [execution]}})
    store.take(job(Version=2, CreateTime=START, ModifyTime=START + 2 * HOUR))
    assert [(u.kind, u.value, u.target) for u in traced(store).uses] == [
        ("image", "alpine", ""),
        ("result", "QmResult", "e-1"),
    ]


def test_results_of_later_documents_are_not_told(store, job) -> None:
    published = {"Type": "ipfs", "Params": {"CID": "QmResult"}}
    execution = {"ID": "e-1", "JobID": ID, "NodeID": "n-2", "PublishedResult": published}
    store.take(job(state="Running", CreateTime=START, ModifyTime=START + HOUR))
    done = job(CreateTime=START, ModifyTime=START + 3 * HOUR)
    store.take({"Job": done, "Executions": {"Items": [execution]}})
    assert [use.kind for use in traced(store).uses] == ["image", "result"]
    then = trace(store.session, ID, at=START + 2 * HOUR)
    assert isinstance(then, Trace)
    assert (then.job.state, [use.kind for use in then.uses]) == ("Running", ["image"])


def test_later_states_of_executions_are_not_told(store, job) -> None:
    def told(execution_id: str, state: str, modified: int) -> dict[str, Any]:
        return {
            "ID": execution_id,
            "JobID": ID,
            "NodeID": "n-2",
            "ComputeState": {"StateType": state, "Message": state.lower()},
            "DesiredState": {"StateType": "Running"},
            "CreateTime": START,
            "ModifyTime": modified,
        }

    first = [told("e-1", "Running", START + HOUR)]
    last = [told(name, "Completed", START + 3 * HOUR) for name in ("e-1", "e-2")]
    for state, number, items in (("Running", 1, first), ("Completed", 3, last)):
        shown = job(state=state, CreateTime=START, ModifyTime=START + number * HOUR)
        store.take({"Job": shown, "Executions": {"Items": items}})
    then = trace(store.session, ID, at=START + 2 * HOUR)
    assert isinstance(then, Trace)
    assert [(e.execution_id, e.node, e.state, e.message) for e in then.executions] == [
        ("e-1", "n-2", "Running", "running"),
        ("e-2", "n-2", "", ""),
    ]
    assert [e.state for e in traced(store).executions] == ["Running", "Completed", "Completed"]
    node = who(session_at(store.session, None, START + 2 * HOUR), "n-2")
    assert isinstance(node, Identity)
    assert (node.node and node.node.last_at) == "2023-11-14T23:13:20.000000000Z"
