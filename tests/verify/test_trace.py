"""What `trace` says of the ledger."""

from __future__ import annotations

import json
from base64 import b64decode

from tests.conftest import ROOT, Audit
from tests.store_factory import administrator


def test_trace_names_the_checkpoint_that_covers_the_evidence(audit: Audit) -> None:
    audit.ingest(ROOT / "examples")
    checkpoint = json.loads(audit.run("trace", "j-d586d2cc", "--format", "json").out)["checkpoint"]
    (shown,) = json.loads(audit.run("checkpoint", "list", "--format", "json").out)
    root = b64decode(shown["note"].split("\n")[2]).hex()
    assert checkpoint["covers"] is True
    assert checkpoint["tree_size"] == shown["tree_size"]
    assert checkpoint["root"] == f"sha256:{root}"
    assert f"covered by checkpoint {checkpoint['number']}, " in audit.run("trace", "j-d586d2cc").out


def test_trace_says_so_where_no_checkpoint_covers_it(audit: Audit) -> None:
    audit.ingest(ROOT / "examples")
    with administrator(audit.db) as one:
        one.run("DELETE FROM checkpoints")
    assert (
        json.loads(audit.run("trace", "j-d586d2cc", "--format", "json").out)["checkpoint"] is None
    )
    assert "not covered by a checkpoint yet" in audit.run("trace", "j-d586d2cc").out
