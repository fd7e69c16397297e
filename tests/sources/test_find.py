"""What a user names, to sources."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meta_audit.catalogue import SOURCE_ERRORS
from meta_audit.errors import SourceError
from meta_audit.sources import File, Skipped, Source, Unreadable, digest, find
from tests.sources.helpers import contents, good, gz, zst

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/bacalhau"
JOB = b'{"ID":"j-1","Meta":{}}'


def names(found: Iterator[object], kind: type = Source) -> list[str]:
    return [os.path.basename(each.uri) for each in found if isinstance(each, kind)]


def test_a_directory_in_order_recursive_and_lazily(tmp_path: Path) -> None:
    for name in ("b.json", "a/z.yaml", "a/b/c.jsonl", "c.yml.gz", "c.ndjson.zst", "d.JSON"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(JOB)
    found = find([str(tmp_path), str(tmp_path / "none")])
    first = next(found)
    assert isinstance(first, Source)
    assert first.uri == f"{tmp_path}/a/b/c.jsonl"
    assert first.size == len(JOB)
    assert names(found) == ["z.yaml", "b.json", "c.ndjson.zst", "c.yml.gz", "d.JSON"]


def test_every_job_of_the_corpus_is_offered_and_the_rest_is_said() -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real documents is not beside the repository")
    found = list(find([str(CORPUS)]))
    with (CORPUS / "INDEX.tsv").open(newline="") as index:
        wanted = {row["file"]: row for row in csv.DictReader(index, delimiter="\t")}
    assert len(wanted) == 294
    assert sorted(names(iter(found))) == sorted(wanted)
    assert names(iter(found), Skipped) == ["INDEX.tsv", "LICENSE"]
    for source in found:
        if not isinstance(source, Source):
            continue
        items = list(source.documents())
        row = wanted[os.path.basename(source.uri)]
        if row["format"] == "text":
            assert good(items) or "feed" in items[0].message
            continue
        assert contents(items)
        if "python-repr" in row["format"]:
            assert {item.format for item in items} == {"yaml"}
        elif row["format"] in ("json", "yaml"):
            assert {item.format for item in items} == {row["format"]}


def test_files_of_other_names_are_told_by_their_content(tmp_path: Path) -> None:
    samples = {
        "array.txt": b'[\n {"ID": "x", "Meta": {}}]',
        "binary": b"\0\1\2{\n",
        "config.ini": b"[section]\nkey=value\n",
        "empty": b"",
        "job.tpl": b'{\n "Name": "x", "Count": 1, "Tasks": []}',
        "packed.bak": gz(JOB),
        "packed.old": zst(b"Name: x\nTasks:\n- Engine: docker\n"),
        "program.c": b"int main(void)\n{\n  return 0;\n}\n",
        "project.toml": b"[[tool]]\nname = 1\n",
        "readme.md": b"# Jobs\n\nSome [links](x) and [more](y).\n",
        "repr.txt": b"{'job': {'id': 'x'}}",
        "spec": b"# comment\n\n  Job:\n    Metadata:\n",
        "table.csv": b"ID,Name\n1,2\n",
        "transcript.log": b'$ bacalhau job describe x\n{\n  "Job": {\n"ID": "x"}\n}\n',
    }
    for name, data in samples.items():
        (tmp_path / name).write_bytes(data)
    found = list(find([str(tmp_path)]))
    taken = ["array.txt", "job.tpl", "packed.bak", "packed.old", "repr.txt", "spec"]
    assert names(iter(found)) == [*taken, "transcript.log"]
    assert all(each.why for each in found if isinstance(each, Skipped))
    assert len(found) == len(samples)


def test_a_named_file_is_always_taken(tmp_path: Path) -> None:
    for name in (".hidden", "LICENSE"):
        (tmp_path / name).write_bytes(b"no document at all")
        assert names(find([str(tmp_path / name)])) == [name]


def test_hidden_files_and_directories_are_skipped_and_said(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.json").write_bytes(JOB)
    (tmp_path / ".x.json").write_bytes(JOB)
    found = list(find([str(tmp_path)]))
    assert found == [
        Skipped(f"{tmp_path}/.git", "hidden"),
        Skipped(f"{tmp_path}/.x.json", "hidden"),
    ]


def test_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "real.json").write_bytes(JOB)
    (top / "a.json").symlink_to(outside / "real.json")
    (top / "b.json").symlink_to(outside / "real.json")
    (top / "broken.json").symlink_to(tmp_path / "none")
    (top / "loop.json").symlink_to(top / "loop.json")
    (top / "sub" / "c.json").write_bytes(b" " + JOB)
    (top / "d.json").symlink_to(top / "sub" / "c.json")
    (top / "sub" / "out").symlink_to(outside)
    (top / "sub" / "up").symlink_to(top)
    found = list(find([str(top)]))
    assert [(type(each), os.path.basename(each.uri)) for each in found] == [
        (Skipped, "a.json"),
        (Skipped, "b.json"),
        (Skipped, "broken.json"),
        (File, "d.json"),
        (Unreadable, "loop.json"),
        (Skipped, "c.json"),
        (Skipped, "out"),
        (Skipped, "up"),
    ]
    assert {each.why for each in found if isinstance(each, Skipped)} == {
        "a link to a file outside the directory",
        "already taken under another name",
        "a link to a directory",
    }
    followed = list(find([str(top)], follow_links=True))
    assert [(type(each), os.path.basename(each.uri)) for each in followed] == [
        (File, "a.json"),
        (Skipped, "b.json"),
        (Unreadable, "broken.json"),
        (File, "d.json"),
        (Unreadable, "loop.json"),
        (Skipped, "c.json"),
        (Skipped, "real.json"),
        (Skipped, "up"),
    ]
    codes = [each.code for each in followed if isinstance(each, Unreadable)]
    assert codes == ["source.missing", "source.not_regular"]
    linked = tmp_path / "linked"
    linked.symlink_to(outside)
    assert names(find([str(linked)])) == ["real.json"]
    assert names(find([str(top / "a.json")])) == ["a.json"]


def test_patterns(tmp_path: Path) -> None:
    for name in ("a.json", "b.yaml", "old/a.json", "old/c.ndjson", "new/old/d.json", "new/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(JOB)
    top = str(tmp_path)

    def taken(**options: list[str]) -> list[str]:
        found = find([top], **options)  # type: ignore[arg-type]
        return [os.path.relpath(each.uri, top) for each in found if isinstance(each, Source)]

    assert taken() == [
        "a.json",
        "b.yaml",
        "new/e.txt",
        "new/old/d.json",
        "old/a.json",
        "old/c.ndjson",
    ]
    assert taken(include=["*.json"]) == ["a.json", "new/old/d.json", "old/a.json"]
    assert taken(exclude=["old"]) == ["a.json", "b.yaml", "new/e.txt"]
    assert taken(exclude=["old/*"]) == ["a.json", "b.yaml", "new/e.txt", "new/old/d.json"]
    assert taken(include=["*.json", "e.*"], exclude=["new/old"]) == [
        "a.json",
        "new/e.txt",
        "old/a.json",
    ]
    assert names(find([f"{top}/a.json"], exclude=["*"])) == ["a.json"]
    whys = [e.why for e in find([top], exclude=["old"], include=["a*"]) if isinstance(e, Skipped)]
    assert sorted(whys) == ["excluded", "excluded", "not included", "not included"]


CONTAINERS = {
    "7z archive": b"7z\xbc\xaf\x27\x1c" + bytes(600),
    "lz4": b"\x04\x22\x4d\x18" + bytes(600),
    "SQLite": b"SQLite format 3\0" + bytes(4096),
}


@pytest.mark.parametrize("pack", [bytes, gz, zst])
@pytest.mark.parametrize(("word", "data"), CONTAINERS.items())
def test_a_container_that_is_not_read_is_named_as_what_it_is(
    tmp_path: Path, word: str, data: bytes, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(pack(data))
    (found,) = find([str(path)])
    assert isinstance(found, Unreadable)
    assert (found.code, word in found.message, bool(found.advice)) == ("source.format", True, True)
    assert list(find([str(tmp_path)])) == [Skipped(str(path), "archive or database")]
    with pytest.raises(SourceError, match=word):
        next(File(str(path)).batches())


NO_JOBS = {
    "package.json": '{"name": "x", "version": "1.0.0", "scripts": {"test": "x"}, "engines": {}}',
    "tsconfig.json": '{"compilerOptions": {"target": "es6", "types": ["node"]}}',
    "tasks.json": '{"version": "2.0.0", "tasks": [{"label": "x", "type": "shell"}]}',
    "composer.json": '{"name": "x/y", "type": "library", "require": {}}',
    "docker-compose.yml": "version: '3'\nservices:\n  web:\n    image: nginx\n    command: x\n",
    "deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: x\n"
    "  labels: {app: x}\nspec:\n  template:\n    spec:\n      containers: []\n",
    "job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: pi\nspec:\n  template: {}\n",
    "ci.yml": "name: CI\non: [push]\njobs:\n  build:\n    runs-on: x\n    steps: []\n",
    "config.yml": "version: 2.1\njobs:\n  build:\n    docker:\n      - image: x\n",
    "playbook.yml": "- hosts: all\n  tasks:\n    - name: x\n      apt: name=y\n",
    "Taskfile.yml": "version: '3'\ntasks:\n  build:\n    cmds: [x]\n",
    "mkdocs.yml": "site_name: x\nnav:\n  - Home: index.md\n",
    "openapi.json": '{"openapi": "3.0", "paths": {}, "x": {"ID": 1, "Meta": 2, "Tasks": 3}}',
    "schema.json": '{"$schema": "x", "properties": {"ID": {}, "Meta": {}, "Tasks": {}}}',
    "data.jsonl": '{"prompt": "x", "completion": "y"}\n' * 5,
    "list.json": "[1, 2, 3]",
    "results.json": json.dumps(
        [
            {
                "status": 200,
                "body": '{\n"ID": "j-00000000-1", "Meta": {"bacalhau.org/client.id": ""}}',
            }
        ]
    ),
    "geo.json": '{"type": "FeatureCollection", "features": [{"id": 1, "properties": {}}]}',
    "x.py": 'JOB = {"ID": "j-1", "Meta": {}, "Tasks": [{"Engine": {"Type": "docker"}}]}\n',
    "x.go": 'var x = `{"ID": "j-1", "Meta": {}, "Tasks": [{"Engine": {}}]}`\n',
    "x.md": "---\ntitle: x\n---\n```yaml\nName: x\nTasks:\n- Engine:\n    Type: docker\n```\n",
    "notes.txt": "Notes on jobs\nTasks: see below.\nEngine: the docker one.\nabout ID: and Meta:\n",
    "x.ipynb": '{"cells": [{"source": ["{\\"ID\\": 1}"], "metadata": {}}], "ID": 1, "Meta": 2}',
}
JOBS = {
    "bare.json": '{"ID": "j-1", "Meta": {}}',
    "broken.json": '{"ID": "j-1", "Name": "x", "Type": "batch", "Meta": {"k": "v"',
    "no-json.json": '{"Name": "x", "Type": "batch", "Tasks": [{"Engine": oops',
    "spec.yaml": "Name: x\nType: batch\nTasks:\n- Name: main\n  Engine: {Type: noop}\n",
    "v1.yaml": "APIVersion: V1beta2\nMetadata:\n  ID: x\nSpec:\n  Engine: Docker\n  Docker: {}\n",
    "page.json": '{"Items": [], "NextToken": ""}',
    "operator.yaml": "apiVersion: x/v1\nkind: BacalhauJob\nmetadata: {name: x}\nspec: {}\n",
    "late.ndjson": "no json\n" * 100 + '{"ID":"j-1","Meta":{}}\n',
    "dump.log": "23:28:45.155 | INF x > y\n" + '{"ID":"j-1","Meta":{}}\n',
    "wide.json": '\ufeff{"ID": "j-1", "Meta": {}}',
}


def test_a_directory_is_not_a_dump(tmp_path: Path) -> None:
    for name, text in {**NO_JOBS, **JOBS}.items():
        encoding = "utf-16-le" if name == "wide.json" else "utf-8"
        (tmp_path / name).write_bytes(text.encode(encoding))
    (tmp_path / "empty.json").touch()
    (tmp_path / "blank.yaml").write_bytes(b" \n")
    found = list(find([str(tmp_path)]))
    assert names(iter(found)) == sorted(JOBS)
    skipped = {os.path.basename(e.uri): e.why for e in found if isinstance(e, Skipped)}
    wanted = dict.fromkeys(NO_JOBS, "not a job document")
    assert skipped == wanted | {"empty.json": "empty", "blank.yaml": "empty"}
    named = [str(tmp_path / name) for name in sorted(NO_JOBS)]
    assert names(find(named)) == sorted(NO_JOBS)


def test_this_repository_and_what_is_installed_hold_few_jobs() -> None:
    root = Path(__file__).resolve().parents[2]
    assert names(find([str(root / "examples")]), Skipped) == ["README.md", "demo.sh"]
    for part in ("meta_audit", "migrations", "docs"):
        assert names(find([str(root / part)])) == []


def test_what_cannot_be_opened_is_a_value_and_the_rest_goes_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(".", os.O_RDONLY)
        os.chdir(tmp_path)  # a socket's path is short
        server.bind("b.json")
        os.fchdir(here)
        os.close(here)
        (tmp_path / "c.json").write_bytes(JOB)
        arguments = [str(tmp_path), "/dev/null", str(tmp_path / "none"), "a\0b", ""]
        found = list(find(arguments))
    codes = [each.code for each in found if isinstance(each, Unreadable)]
    assert names(iter(found)) == ["c.json"]
    assert codes == ["source.not_regular"] * 3 + ["source.missing", "source.unreadable"] + [
        "source.missing"
    ]
    assert set(codes) <= set(SOURCE_ERRORS)
    assert all(each.message for each in found if isinstance(each, Unreadable))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(JOB)
    (tmp_path / "a.json").chmod(0)
    (tmp_path / "d").mkdir(mode=0)
    found = list(find([str(tmp_path)]))
    assert [each.code for each in found if isinstance(each, Unreadable)] == [
        "source.unreadable",
        "source.unreadable",
    ]


def test_a_broken_archive_of_another_name_is_a_value(tmp_path: Path) -> None:
    (tmp_path / "x.bak").write_bytes(b"\x1f\x8b\x08" + b"\xff" * 100)
    (tmp_path / "y.json").write_bytes(JOB)
    first, second = find([str(tmp_path)])
    assert isinstance(first, Unreadable)
    assert first.code == "archive.broken"
    assert isinstance(second, Source)


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xe9.json"
    with open(path, "wb") as file:
        file.write(JOB)
    (source,) = find([str(tmp_path)])
    assert isinstance(source, Source)
    assert source.uri == f"{tmp_path}/\\xff\\xe9.json"
    assert contents(list(source.documents())) == [JOB]


def test_directories_deeper_than_the_stack(tmp_path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    os.chdir(tmp_path)
    try:
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("x.json").write_bytes(JOB)
        os.chdir(tmp_path)
        (source,) = find(["."])
        assert isinstance(source, Source)
        assert contents(list(source.documents())) == [JOB]
    finally:
        # Too deep for pytest to clear away.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)
        os.fchdir(here)
        os.close(here)


def test_standard_input_once() -> None:
    source, skipped = find(["-", "-"], stdin=io.BytesIO(JOB))
    assert isinstance(source, Source)
    assert (source.uri, source.size) == ("stdin", None)
    assert contents(list(source.documents())) == [JOB]
    assert isinstance(skipped, Skipped)


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(JOB)
    assert digest(str(tmp_path / "x")) == hashlib.sha256(JOB).digest()
    for path, code in ((tmp_path, "source.not_regular"), (tmp_path / "n", "source.missing")):
        with pytest.raises(SourceError) as caught:
            digest(str(path))
        assert caught.value.code == code
