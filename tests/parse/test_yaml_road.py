"""Keys that stand twice, and scalars of another type than their field, as Bacalhau takes them."""

from __future__ import annotations

import json

import pytest

from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.model import Format, JobRecord
from meta_audit.parse import parse
from tests.parse import documents as docs

YAML = """\
Name: {name}
Type: batch
Count: {count}
Meta: {{k: v}}
Tasks:
- Name: {task}
  Engine: {{Type: noop}}
"""


def read(text: str, format_: Format = "yaml", *, coerce: bool = False) -> JobRecord:
    content = text.encode()
    return parse(decode(content, format_), content, coerce_scalars=coerce)


def details(record: JobRecord, code: str) -> list[str]:
    return [finding.detail for finding in record.findings if finding.code == code]


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("2024", "1", ("2024", 1)),
        ("1.20", "1.0", ("1.2", 1)),
        ("on", "1e2", ("true", 100)),
        ("0x1F", "0x10", ("31", 16)),
        ("2024-01-01", "2.5e1", ("2024-01-01", 25)),
    ],
)
def test_fields_of_yaml_are_converted(name: str, count: str, expected: tuple[str, int]) -> None:
    record = read(YAML.format(name=name, count=count, task=name))
    assert (record.name, record.count) == expected
    assert record.tasks[0].name == expected[0]
    quoted = read(YAML.format(name=repr(expected[0]), count=expected[1], task=repr(expected[0])))
    assert (quoted.name, quoted.spec_sha256) == (record.name, record.spec_sha256)
    assert details(record, "field.converted")
    assert details(quoted, "field.converted") == []


@pytest.mark.parametrize("count", ["1.5", "true", "'1'", ".inf", "1e30"])
def test_what_is_no_integer_to_bacalhau_either(count: str) -> None:
    with pytest.raises(RejectedError) as caught:
        read(YAML.format(name="n", count=count, task="t"))
    assert caught.value.reason in ("field.type", "number.range")


@pytest.mark.parametrize(
    ("field", "expected"),
    [('"Name":2024', "2024"), ('"Name":true', "true"), ('"Count":1.0', 1), ('"Count":1e2', 100)],
)
def test_json_is_read_as_the_command_line_reads_it(field: str, expected: object) -> None:
    """Its YAML parser reads `.json` files; a server writes no such thing."""
    tasks = '"Tasks":[{"Name":"main","Engine":{"Type":"noop"}}]'
    record = read(f"{{{field},{tasks}}}", "json")
    assert expected in (record.name, record.count)
    assert details(record, "field.converted")
    stored = """"ID":"j","State":{"StateType":"Running"},"Revision":2,
        "CreateTime":1700000000000000000,
        "Meta":{"bacalhau.org/requester.id":"QmA"}"""
    (named,) = read(f"{{{field},{stored},{tasks}}}", "json").attributions
    assert (named.value, named.trust) == ("QmA", "claimed")
    (named,) = read(f"{{{stored},{tasks}}}", "json").attributions
    assert named.trust == "server"


@pytest.mark.parametrize("field", ['"Count":1.5', '"Count":"1"', '"Count":true', '"Name":["a"]'])
def test_types_that_the_command_line_refuses_too(field: str) -> None:
    with pytest.raises(RejectedError) as caught:
        read(f'{{{field},"Tasks":[{{"Name":"main","Engine":{{"Type":"noop"}}}}]}}', "json")
    assert caught.value.reason == "field.type"


@pytest.mark.parametrize(
    ("written", "stored"),
    [("3", "3"), ("1.20", "1.2"), ("0x1F", "31"), ("on", "true"), ("017", "15"), ("~", "")],
)
def test_meta_is_as_v1_0_4_to_v1_3_2_stored_it(written: str, stored: str) -> None:
    """Measured on v1.1.6: `job run` of such specs, and the job that its API gave back."""
    for place in ("Meta", "Labels"):
        text = YAML.format(name="n", count=1, task="t").replace(
            "Meta: {k: v}", f"{place}: {{k: X}}"
        )
        text = text.replace("X", written)
        record = read(text, coerce=True)
        assert (record.meta or record.labels) == {"k": stored}
        if written == "~":
            continue
        with pytest.raises(RejectedError) as caught:
            read(text)
        assert repr(stored) in str(caught.value)
        assert "v1.0.4 - v1.3.2 stored" in str(caught.value)


JSON = '{"ID":"j","Name":"n","Meta":{"k":"v"},"Tasks":[{"Name":"main","Engine":{"Type":"noop"}}]}'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Name":"n"', '"Name":"m","Name":"n"'),
        ('{"Type":"noop"}', '{"Type":"wasm","Type":"noop"}'),
        ('{"Type":"noop"}', '{"Type":"noop","Params":{"Meta":{"a":1,"a":2}}}'),
        ('{"Type":"noop"}', '{"Type":"noop"},"Env":{"A":"1","A":"2"}'),
        ('"Name":"main"', '"Unknown":1,"Unknown":2,"Name":"main"'),
    ],
)
def test_the_last_of_a_key_that_stands_twice_wins(old: str, new: str) -> None:
    for format_ in ("json", "yaml"):
        record = read(JSON.replace(old, new), format_)
        assert (record.name, record.tasks[0].engine) == ("n", "noop")
        assert len(details(record, "field.duplicate")) == 1
    assert details(read(JSON, "json"), "field.duplicate") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"ID":"j"', '"ID":"other","ID":"j"'),
        ('"k":"v"', '"k":"w","k":"v"'),
        ('"Meta":{', '"Meta":{},"Meta":{'),
        ('"Meta":{"k":"v"}', '"Labels":{"a":"1","a":"2"}'),
        ('{"Name":"main"', '{"Meta":{"a":"1","a":"2"},"Name":"main"'),
        ('"Tasks"', '"Tasks":[],"Tasks"'),
        ('"ID":"j"', '"Namespace":"a","Namespace":"b","ID":"j"'),
    ],
)
def test_what_decides_who_and_what_never_stands_twice(old: str, new: str) -> None:
    assert old in JSON
    for format_ in ("json", "yaml"):
        with pytest.raises(RejectedError) as caught:
            read(JSON.replace(old, new, 1), format_)
        assert caught.value.reason == "duplicate_key"


def test_bacalhau_writes_no_key_twice() -> None:
    given = docs.CURRENT | {"Namespace": "default"}
    content = json.dumps(given).replace('"Priority": 0', '"Priority": 1, "Priority": 0').encode()
    record = parse(decode(content, "json"), content)
    assert record.origin == "orchestrator"
    assert {a.trust for a in record.attributions} == {"claimed"}
    assert {a.trust for a in parse(given, b"").attributions} == {"server"}


def test_identities_of_old_layouts_never_stand_twice() -> None:
    legacy = '{"APIVersion":"V1beta1","Metadata":{"ID":"a"%s},"Spec":{"Engine":"docker"%s}}'
    with pytest.raises(RejectedError, match="ClientID stands twice"):
        read(legacy % (',"ClientID":"b","ClientID":"c"', ""), "json")
    twice = ',"Requester":{"RequesterNodeID":"b","RequesterNodeID":"c"}'
    with pytest.raises(RejectedError, match="RequesterNodeID stands twice"):
        read(legacy % (twice, ""), "json")
    assert details(read(legacy % ("", ',"Timeout":1,"Timeout":2'), "json"), "field.duplicate")
