"""The canonical entry: its bytes, its one form, and that it covers everything."""

from __future__ import annotations

import operator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack, structs

from meta_audit.errors import LedgerError
from meta_audit.ledger.entry import (
    AcceptedEntry,
    RejectedEntry,
    UsingEntry,
    accepted_entry,
    decode_entry,
    entry_like,
    rejected_entry,
)
from meta_audit.model import (
    Attribution,
    Event,
    Execution,
    Finding,
    JobRecord,
    Rejection,
    Task,
    Use,
)
from tests.ledger import oracle
from tests.ledger.samples import FULL, USING, number, records, text


def is_canonical(data: bytes) -> bool:
    try:
        decode_entry(data)
    except LedgerError:
        return False
    return True


DIGEST = sha256(b"document").digest()
ENTRY = accepted_entry(DIGEST, FULL, "file:///jobs.ndjson", 7, 8)
TOO_LARGE = Rejection(
    "too_large", "12 MB, the limit is 10", b"{" * 100, 3, 4, 12_000_000, DIGEST, "json"
)
BROKEN = Rejection("json.syntax", "no", b"{", 1, 1, 1, sha256(b"{").digest(), "json")


@given(st.binary(min_size=32, max_size=32), records, text, number, number)
def test_entries_are_what_the_specification_says_and_read_back(
    digest: bytes, record: JobRecord, uri: str, ordinal: int, line: int
) -> None:
    data = accepted_entry(digest, record, uri, ordinal, line)
    assert data == oracle.accepted(digest, record, uri, ordinal, line)
    entry = decode_entry(data)
    assert isinstance(entry, AcceptedEntry)
    order = operator.attrgetter("role", "value", "basis", "trust", "verdict")
    attributions = tuple(sorted(set(record.attributions), key=order))
    assert entry.record() == structs.replace(record, attributions=attributions)
    where = (entry.document, entry.source_uri, entry.ordinal, entry.line)
    assert where == (digest, uri, ordinal, line)


@pytest.mark.parametrize("length", [0, 31, 32, 255, 256, 65535, 65536])
def test_every_length_form_is_the_shortest(length: int) -> None:
    long = structs.replace(
        FULL,
        name="n" * length,
        meta={f"{key:05}": "" for key in range(length)},
        findings=(Finding("meta.null", ""),) * length,
    )
    data = accepted_entry(DIGEST, long, "", 1, 1)
    assert data == oracle.accepted(DIGEST, long, "", 1, 1)
    assert is_canonical(data)


@pytest.mark.parametrize("exponent", [5, 7, 8, 15, 16, 31, 32, 63, 64])
def test_every_integer_form_is_the_shortest(exponent: int) -> None:
    for around in (-1, 0, 1):
        for value in (2**exponent + around, -(2**exponent) + around):
            if not -(2**63) <= value < 2**64:
                continue
            record = structs.replace(FULL, priority=value)
            data = accepted_entry(DIGEST, record, "", 1, 1)
            assert data == oracle.accepted(DIGEST, record, "", 1, 1)


def test_pairs_stand_in_the_order_of_their_utf8_bytes() -> None:
    """A high surrogate sorts below U+FFFF in UTF-16; the form has the order of UTF-8."""
    keys = ["\U0001f600", "\uffff", "é", "z", "Z", ""]
    record = structs.replace(FULL, meta=dict.fromkeys(keys, "v"))
    other = structs.replace(FULL, meta=dict.fromkeys(reversed(keys), "v"))
    data = accepted_entry(DIGEST, record, "", 1, 1)
    assert data == accepted_entry(DIGEST, other, "", 1, 1)
    entry = decode_entry(data)
    assert isinstance(entry, AcceptedEntry)
    assert [key for key, _ in entry.meta] == sorted(keys, key=str.encode)


def one_change_each(record: JobRecord) -> list[JobRecord]:
    """`record` with each field, and each field of each row, changed; rows added and taken."""

    def other(value: Any) -> Any:
        match value:
            case bool() | None:
                return 1
            case str():
                return value + "x"
            case int():
                return value + 1
            case bytes():
                return bytes([value[0] ^ 1]) + value[1:]
            case dict():
                return {**value, "new": ""}
            case _:
                raise TypeError(value)

    def changes(row: Any) -> list[Any]:
        return [
            structs.replace(row, **{field: other(getattr(row, field))})
            for field in row.__struct_fields__
            if not isinstance(getattr(row, field), tuple) and field != "result"
        ]

    out = changes(record)
    for field in ("meta", "labels"):
        pairs = getattr(record, field)
        for key in pairs:
            out.append(structs.replace(record, **{field: {**pairs, key: pairs[key] + " "}}))
            rest = {name: value for name, value in pairs.items() if name != key}
            out.append(structs.replace(record, **{field: rest}))
            out.append(structs.replace(record, **{field: {**rest, key + "x": pairs[key]}}))
    for field in ("tasks", "attributions", "executions", "events", "findings", "uses"):
        rows = getattr(record, field)
        for at, row in enumerate(rows):
            for changed in [[], *([each] for each in changes(row))]:
                new = (*rows[:at], *changed, *rows[at + 1 :])
                out.append(structs.replace(record, **{field: new}))
        if field in ("events", "findings", "executions", "tasks", "uses"):
            out.append(structs.replace(record, **{field: (rows[0], *rows)}))
            out.append(structs.replace(record, **{field: (*changes(rows[0])[:1], *rows)}))
            out.append(structs.replace(record, **{field: (*rows, *changes(rows[0])[:1])}))
    task = record.tasks[0]
    meta = {**task.meta, "retries": "4"}
    out.append(structs.replace(record, tasks=(structs.replace(task, meta=meta),)))
    # A pair that moves between levels, and a boundary that moves between two fields.
    moved = structs.replace(task, meta={**task.meta, "team": record.meta["team"]})
    rest = {key: value for key, value in record.meta.items() if key != "team"}
    out.append(structs.replace(record, meta=rest, tasks=(moved,)))
    out.append(structs.replace(record, name=record.name + record.type, type=""))
    return out


def test_any_change_of_any_row_changes_the_entry() -> None:
    changed = one_change_each(USING)
    entries = [accepted_entry(DIGEST, record, "file:///jobs.ndjson", 7, 8) for record in changed]
    assert accepted_entry(DIGEST, USING, "file:///jobs.ndjson", 7, 8) not in entries
    assert ENTRY not in entries
    assert len(set(entries)) == len({repr(record) for record in changed})
    kinds = (Task, Attribution, Execution, Event, Finding, Use)
    fields = sum(len(kind.__struct_fields__) for kind in (JobRecord, *kinds))
    assert len(changed) > fields
    for where in (("x", 7, 8), ("file:///jobs.ndjson", 8, 8), ("file:///jobs.ndjson", 7, 9)):
        assert accepted_entry(DIGEST, FULL, *where) != ENTRY
    assert accepted_entry(bytes(32), FULL, "file:///jobs.ndjson", 7, 8) != ENTRY


def test_attributions_are_a_set_as_in_the_store() -> None:
    for attributions in (FULL.attributions[::-1], FULL.attributions * 2):
        record = structs.replace(FULL, attributions=attributions)
        assert accepted_entry(DIGEST, record, "file:///jobs.ndjson", 7, 8) == ENTRY


def test_the_entry_has_a_field_for_each_field_of_a_record() -> None:
    assert set(JobRecord.__struct_fields__) < set(UsingEntry.__struct_fields__)
    assert UsingEntry.__struct_fields__ == (*AcceptedEntry.__struct_fields__, "uses")


def test_an_entry_without_uses_keeps_the_older_form() -> None:
    """A document that was taken in before uses were told gives the leaf that it has."""
    older, newer = decode_entry(ENTRY), decode_entry(accepted_entry(DIGEST, USING, "u", 7, 8))
    assert isinstance(older, AcceptedEntry)
    assert isinstance(newer, UsingEntry)
    assert entry_like(older, USING) == ENTRY
    assert entry_like(newer, USING) == accepted_entry(DIGEST, USING, "u", 7, 8)
    assert entry_like(newer, FULL) == accepted_entry(DIGEST, FULL, "u", 7, 8)
    values = msgpack.decode(ENTRY)
    assert not is_canonical(msgpack.encode(["meta-audit/accepted/2", *values[1:]]))
    empty = structs.replace(newer, uses=())
    assert not is_canonical(msgpack.encode(empty))


def test_rejections_read_back() -> None:
    entry = decode_entry(rejected_entry(BROKEN, "stdin"))
    assert entry == RejectedEntry(
        "sha256", BROKEN.sha256, "stdin", 1, 1, "json.syntax", "no", 1, None, "json"
    )


def test_a_rejection_kept_in_part_covers_the_part() -> None:
    data = rejected_entry(TOO_LARGE, "stdin")
    entry = decode_entry(data)
    assert isinstance(entry, RejectedEntry)
    assert entry.kept == sha256(TOO_LARGE.content).digest()
    edited = structs.replace(TOO_LARGE, content=b"[" + TOO_LARGE.content[1:])
    assert rejected_entry(edited, "stdin") != data


def test_any_change_of_a_rejection_changes_the_entry() -> None:
    changes: dict[str, Any] = {"reason": "r", "message": "m", "ordinal": 9, "line": 9, "size": 9}
    changes |= {"sha256": bytes(32), "format": "yaml"}
    entries = {rejected_entry(structs.replace(BROKEN, **{k: v}), "u") for k, v in changes.items()}
    entries |= {rejected_entry(BROKEN, "u"), rejected_entry(BROKEN, "v")}
    assert len(entries) == len(changes) + 2


# One form only


def with_field(name: str, value: Any, data: bytes = ENTRY) -> bytes:
    """The entry with one field replaced, whatever that does to it."""
    entry = decode_entry(data)
    values = msgpack.decode(data)
    values[1 + entry.__struct_fields__.index(name)] = value
    return msgpack.encode(values)


def test_the_parts_of_a_canonical_entry_are_not_canonical() -> None:
    assert is_canonical(ENTRY)
    for end in range(len(ENTRY)):
        assert not is_canonical(ENTRY[:end])
    assert not is_canonical(ENTRY + b"\xc0")
    assert not is_canonical(b"\xc0" + ENTRY)


@pytest.mark.parametrize(
    ("short", "longer"),
    [
        (b"\xa5train", b"\xd9\x05train"),
        (b"\xa5train", b"\xda\x00\x05train"),
        (b"\xa5train", b"\xdb\x00\x00\x00\x05train"),
        (b"\xa5train", b"\xc4\x05train"),
        (b"\x32\x01\x01\xcf", b"\xcc\x32\x01\x01\xcf"),
        (b"\x32\x01\x01\xcf", b"\xd0\x32\x01\x01\xcf"),
        (b"\x32\x01\x01\xcf", b"\xcb\x40\x49\0\0\0\0\0\0\x01\x01\xcf"),
        (b"\x32\x01\x01\xcf", b"\xc3\x01\x01\xcf"),
        (b"\x32\x01\x01\xcf", b"\x32\x01\x01\xd3"),
        (b"\xc4\x20", b"\xc5\x00\x20"),
        (b"\xc4\x20", b"\xd9\x20"),
        (b"\xdc\x00\x1c", b"\xdd\x00\x00\x00\x1c"),
        (b"\xa4team", b"\xa4te\xc3\x28"),
        (b"\xa4team", b"\xa4\xed\xa0\x80m"),
    ],
)
def test_other_forms_of_the_same_values_are_refused(short: bytes, longer: bytes) -> None:
    assert short in ENTRY
    with pytest.raises(LedgerError):
        decode_entry(ENTRY.replace(short, longer, 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hash", "sha512"),
        ("document", bytes(31)),
        ("spec_sha256", b""),
        ("spec_sha256", bytes(31)),
        ("meta", [["b", ""], ["a", ""]]),
        ("meta", [["a", ""], ["a", ""]]),
        ("labels", [["b", ""], ["a", ""]]),
        ("labels", {"a": "b"}),
        ("tasks", [["", "", "", [["b", ""], ["a", ""]]]]),
        ("tasks", [["", "", ""]]),
        ("attributions", [list(row) for row in decode_entry(ENTRY).attributions[::-1]]),
        ("attributions", [list(row) for row in decode_entry(ENTRY).attributions] * 2),
        ("findings", [["a", "b", "c"]]),
        ("attributions", [["king", "", "", "server", "match"]]),
        ("origin", "elsewhere"),
        ("created_at", 1.0),
        ("created_at", False),
        ("name", None),
        ("priority", "50"),
    ],
)
def test_other_values_are_refused(name: str, value: Any) -> None:
    assert with_field("line", 8) == ENTRY
    with pytest.raises(LedgerError):
        decode_entry(with_field(name, value))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0",
        b"\x90",
        msgpack.encode(["meta-audit/accepted/2", *msgpack.decode(ENTRY)[1:]]),
        msgpack.encode(msgpack.decode(ENTRY)[:-1]),
        msgpack.encode([*msgpack.decode(ENTRY), None]),
        msgpack.encode(msgpack.decode(ENTRY)[1:]),
        with_field("kept", b"", rejected_entry(TOO_LARGE, "")),
        with_field("hash", "sha512", rejected_entry(TOO_LARGE, "")),
        accepted_entry(
            DIGEST, structs.replace(FULL, origin="activity", spec_sha256=b"x"), "", 1, 1
        ),
        b"\x91" * 100_000,
    ],
)
def test_other_arrays_are_refused(data: bytes) -> None:
    assert not is_canonical(data)


def test_an_activity_has_no_version_and_so_no_fields_of_one() -> None:
    record = structs.replace(FULL, origin="activity", spec_sha256=b"")
    data = accepted_entry(DIGEST, record, "", 1, 1)
    assert data == oracle.accepted(DIGEST, record, "", 1, 1)
    entry = decode_entry(data)
    assert isinstance(entry, AcceptedEntry)
    assert (entry.layout, entry.name, entry.version, entry.meta) == ("", "", 0, [])
    assert entry.record().events == FULL.events
    assert entry.record().state == FULL.state
    with pytest.raises(LedgerError):
        decode_entry(with_field("layout", "v1.0.4", data))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert not is_canonical(data)


@given(st.integers(0, len(ENTRY) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_is_another_entry(at: int, by: int) -> None:
    data = ENTRY[:at] + bytes([ENTRY[at] ^ by]) + ENTRY[at + 1 :]
    if is_canonical(data):
        assert decode_entry(data) != decode_entry(ENTRY)
