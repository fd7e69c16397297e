"""A kept document read again, in every way in which it can have been read."""

from __future__ import annotations

from meta_audit.parse.readings import readings

SPEC = b'{"Meta": {"version": 1.20}, "Tasks": [{"Name": "t", "Engine": {"Type": "noop"}}]}'


def test_every_way_is_tried() -> None:
    assert list(readings(b"{")) == []
    plain = SPEC.replace(b"1.20", b'"1.20"')
    assert [record.meta for record in readings(plain)] == [{"version": "1.20"}] * 4
    # Without --coerce-scalars neither format takes the number.
    assert [record.meta for record in readings(SPEC)] == [{"version": "1.2"}] * 2
    yaml = b"Name: 2024\nTasks:\n- {Name: t, Engine: {Type: noop}}\n"
    assert [record.name for record in readings(yaml)] == ["2024"] * 2
