"""Pages that say of themselves that more follow."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import yaml

from meta_audit.sources import Partial, StandardInput
from tests.sources.helpers import contents, gz

SERVERS = Path(__file__).resolve().parents[2] / "../shared/corpus/servers"
JOB = {"ID": "j-1", "Meta": {"k": "v"}}
DESCRIBED = {"Job": JOB, "History": {"Items": [], "NextToken": "abc"}}


def partial(data: bytes, name: str) -> Partial | None:
    source = StandardInput(io.BytesIO(data), uri=name)
    contents(list(source.documents()))
    return source.partial


@pytest.mark.parametrize("name", ["x", "x.json", "x.ndjson", "x.yaml", "x.gz"])
@pytest.mark.parametrize(
    ("page", "where"),
    [
        ({"Items": [JOB], "NextToken": "abc"}, "NextToken"),
        ({"NextToken": "abc", "Items": [JOB]}, "NextToken"),
        ({"jobs": [JOB], "next_token": "abc"}, "next_token"),
        ({"items": [JOB], "nexttoken": "abc"}, "nexttoken"),
        ({"Jobs": [], "NextToken": "7"}, "NextToken"),
        (DESCRIBED, "History.NextToken"),
        ({"job": JOB, "executions": {"items": [], "nexttoken": "x"}}, "executions.nexttoken"),
        ({"Items": [JOB], "NextToken": ""}, ""),
        ({"Items": [JOB], "NextToken": None}, ""),
        ({"Items": [JOB]}, ""),
        ({"Job": JOB, "History": {"Items": [], "NextToken": ""}}, ""),
        ({"Job": {**JOB, "Meta": {"NextToken": "abc", "nexttoken": "x"}}}, ""),
        ({"Items": [{**JOB, "Meta": {"NextToken": "abc"}}], "NextToken": ""}, ""),
    ],
)
def test_where_a_page_says_that_more_follow(name: str, page: object, where: str) -> None:
    for data in (
        yaml.safe_dump(page, sort_keys=False).encode() if name == "x.yaml" else b"",
        yaml.safe_dump(page, default_flow_style=True).encode() if name == "x.yaml" else b"",
        json.dumps(page).encode(),
        json.dumps(page, indent=1).encode() if name != "x.ndjson" else b"",
    ):
        if data:
            found = partial(gz(data) if name == "x.gz" else data, name)
            assert (found.pages, found.where) == (1, where) if found else not where, data


def test_pages_are_counted_and_the_first_is_named() -> None:
    page = json.dumps({"Items": [JOB, JOB], "NextToken": "abc"}).encode()
    whole = page.replace(b"abc", b"")
    lines = b"\n".join([whole, page, page, json.dumps(DESCRIBED).encode(), b""])
    found = partial(lines, "x.ndjson")
    assert found == Partial(3, 2, "NextToken")
    assert "3 pages say that more follow, the first at line 2 (NextToken)" in str(found)
    assert partial(whole + b"\n" + whole, "x.ndjson") is None


def test_a_second_reading_begins_anew(tmp_path: Path) -> None:
    from meta_audit.sources import File

    path = tmp_path / "x.json"
    path.write_bytes(json.dumps({"Items": [JOB], "NextToken": "abc"}).encode())
    source = File(str(path))
    for _ in range(2):
        list(source.batches())
        assert source.partial == Partial(1, 1, "NextToken")


def test_pages_of_real_servers() -> None:
    if not SERVERS.is_dir():
        pytest.skip("the corpus of real servers is not beside the repository")
    from meta_audit.sources import File

    found = {}
    for name in (
        "page-revfalse-00",
        "page-revfalse-01",
        "page-revfalse-05",
        "modified-top5",
        "all",
    ):
        source = File(str(SERVERS / f"v1.6.5/api/jobs/{name}.json"))
        list(source.batches())
        found[name] = bool(source.partial)
    assert found == {
        "page-revfalse-00": True,
        "page-revfalse-01": True,
        "page-revfalse-05": False,
        "modified-top5": True,
        "all": False,
    }
