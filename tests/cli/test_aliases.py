"""`alias`: names of identities, signed as everything else, shown where the identity is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Audit
from tests.ingest.documents import compact, job
from tests.store_factory import administrator

ID = job(1)["ID"]


@pytest.fixture
def named(audit: Audit, tmp_path: Path) -> Audit:
    """A store of one job by the client c-1, which has a name."""
    path = tmp_path / "job.json"
    meta = {"bacalhau.org/requester.id": "n-1", "bacalhau.org/client.id": "c-1"}
    path.write_bytes(compact(job(1, Meta=meta)))
    assert audit.ingest(path).status == 0
    given = audit.run("alias", "add", "c-1", "Genomics", "--from", "2023", "--reason", "ticket 42")
    assert given.status == 0
    assert "c-1 is known as Genomics" in given.out + given.err
    return audit


def test_the_name_is_shown_where_the_identity_is(named: Audit) -> None:
    assert "known as Genomics" in named.run("trace", ID).out
    assert named.run("trace", ID, "--format", "json").summary["aliases"] == {"c-1": ["Genomics"]}
    assert "Genomics from 2023-01-01" in named.run("who", "c-1").out
    assert "Genomics: c-1" in named.run("clients").out
    (alias,) = named.run("who", "c-1", "--format", "json").summary["aliases"]
    assert (alias["name"], alias["valid_from"]) == ("Genomics", "2023-01-01T00:00:00.000000000Z")
    (listed,) = named.run("alias", "list", "--format", "json").summary["aliases"]
    assert listed == alias
    assert named.rows("SELECT identity, name, reason FROM v_aliases") == [
        ("c-1", "Genomics", "ticket 42")
    ]


def test_a_name_leads_to_its_identity(named: Audit) -> None:
    """A name is not the identity, and several may have it: it is offered, not taken."""
    assert "Did you mean c-1?" in named.run("who", "Genomics").err
    assert "Did you mean client:c-1 (1 job)?" in named.run("find", "client:Genomics").err
    named.run("alias", "remove", "1")
    assert "c-1" not in named.run("find", "client:Genomics").err


def test_a_name_holds_for_its_time(named: Audit) -> None:
    """The job was created in November 2023."""
    for name, since, until in (("Early", "2020", "2023"), ("Late", "2024", "2025")):
        arguments = ("alias", "add", "c-1", name, "--from", since, "--until", until)
        assert named.run(*arguments).status == 0
    assert named.run("trace", ID, "--format", "json").summary["aliases"] == {"c-1": ["Genomics"]}
    again = named.run("alias", "add", "c-1", "Late", "--from", "2024-06")
    assert again.status == 2
    assert "has this name already" in again.err
    assert named.run("alias", "add", "c-1", "Late", "--from", "2025").status == 0


def test_a_name_is_taken_back_and_stays_in_the_ledger(named: Audit) -> None:
    assert named.run("alias", "remove", "1", "--reason", "another team").status == 0
    assert "Genomics" not in named.run("trace", ID).out
    assert "No aliases" in named.run("alias", "list").err
    assert named.run("alias", "remove", "1").status == 1
    assert named.run("alias", "remove", "2").status == 1
    rows = named.rows("SELECT name, reason, withdraws FROM identity_aliases ORDER BY alias_no")
    assert rows == [("Genomics", "ticket 42", 0), ("Genomics", "another team", 1)]
    assert named.run("verify").status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("nobody", "X"), 1, "the store knows no client"),
        (("c-1", ""), 2, "a name must be one printable line"),
        (("c-1", "two\nlines"), 2, "a name must be one printable line"),
        (("c-1", "x" * 201), 2, "a name must be one printable line"),
        (("c-1", "X", "--from", "2024", "--until", "2023"), 2, "never be valid"),
        (("c-1", "X", "--from", "someday"), 2, "someday"),
        (("c-1", "Genomics"), 2, "has this name already"),
    ],
)
def test_what_cannot_be_said_writes_nothing(
    named: Audit, arguments: tuple[str, ...], status: int, message: str
) -> None:
    before = named.raw()
    result = named.run("alias", "add", *arguments)
    assert (result.status, message in result.err) == (status, True), result.err
    assert named.raw() == before


def test_a_beginning_that_fits_several_is_not_guessed(named: Audit, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    meta = {"bacalhau.org/requester.id": "n-1", "bacalhau.org/client.id": "c-2"}
    path.write_bytes(compact(job(2, Meta=meta)))
    named.ingest(path)
    before = named.raw()
    result = named.run("alias", "add", "c-", "X")
    assert result.status == 1
    assert "c-2" in result.out
    assert named.raw() == before


@pytest.mark.parametrize(
    "lie",
    [
        "UPDATE identity_aliases SET name = 'Somebody else'",
        "UPDATE identity_aliases SET identity = 'n-1'",
        "UPDATE identity_aliases SET valid_until = 5",
        "DELETE FROM identity_aliases",
        "INSERT INTO identity_aliases VALUES (2, 2, 'n-1', 'Added', NULL, NULL, '', 0)",
        "INSERT INTO identity_aliases VALUES (2, 2, 'c-1', 'Genomics', NULL, NULL, '', 1)",
    ],
)
def test_verify_sees_what_was_changed(named: Audit, lie: str) -> None:
    with administrator(str(named.db)) as one:
        one.run(lie)
    assert named.run("verify").status == 1


def test_the_store_can_be_asked_in_python(named: Audit) -> None:
    import meta_audit

    with meta_audit.open(str(named.db)) as store:
        (alias,) = store.aliases().aliases
        assert json.loads(json.dumps(alias.to_dict()))["name"] == "Genomics"
        assert store.clients().aliases == {"c-1": ("Genomics",)}


def test_a_validity_of_seconds_is_shown_to_the_second(named: Audit) -> None:
    moments = ("2024-11-02T10:00:00Z", "2024-11-02T10:00:01Z")
    given = named.run("alias", "add", "n-1", "Node", "--from", moments[0], "--until", moments[1])
    assert given.status == 0
    said = " ".join(named.run("alias", "list").out.split())
    assert "n-1 2024-11-02 10:00:00Z 2024-11-02 10:00:01Z" in said
    assert "c-1 2023-01-01 -" in said


def test_names_that_were_given_or_withdrawn_later_do_not_show_as_of_before(named: Audit) -> None:
    assert named.run("alias", "remove", "1", "--reason", "another team").status == 0
    ends = [end for (end,) in named.rows("SELECT finished_at FROM v_imports ORDER BY import_id")]
    for end, names in zip(ends, ({}, {"c-1": ["Genomics"]}, {}), strict=True):
        moment = end if isinstance(end, str) else end.isoformat()
        said = named.run("trace", ID, "--as-of", moment, "--format", "json").summary
        assert said["aliases"] == names
