"""Every naughty string as a Meta key and value: exact in JSON, harmless in text."""

import json

import msgspec

from meta_audit.query.find import find
from meta_audit.query.matching import Search
from meta_audit.query.results import Trace
from meta_audit.query.trace import trace
from meta_audit.render.escape import is_safe
from meta_audit.render.json import to_json
from meta_audit.render.layout import Screen
from meta_audit.render.trace import TracePage
from meta_audit.search.expression import Equals
from meta_audit.search.normal_form import as_text
from meta_audit.search.parser import parse


def test_naughty_strings_come_back_and_never_reach_a_terminal(store, job, naughty_strings) -> None:
    strings = sorted({s for s in naughty_strings if "\0" not in s})
    meta = dict(zip(strings, reversed(strings), strict=True))
    store.take(
        job("j-1", meta=meta, Labels=meta),
        *(job(f"j-task-{n}", task_meta={s: s}, Name=s) for n, s in enumerate(strings)),
    )
    session = store.session
    found = trace(session, "j-1")
    assert isinstance(found, Trace)
    written = to_json(found).decode()
    assert is_safe(written.replace("\n", ""))
    read = json.loads(written)
    assert {m["key"]: m["value"] for m in read["meta"] if m["level"] == "job"} == meta
    assert read["labels"] == meta
    assert msgspec.json.decode(written, type=Trace) == found
    for screen in (Screen(), Screen(80)):
        assert is_safe(TracePage(found).text(screen).replace("\n", ""))
    for number, string in enumerate(strings):
        expression = parse(as_text(Equals(string, (string,))))
        listed = {f.job_id for f in find(session, Search(expression), 5).jobs}
        assert f"j-task-{number}" in listed
