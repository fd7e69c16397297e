"""List the words of the find language, with their meanings."""

from __future__ import annotations

from typing import Final, get_args

from meta_audit.catalogue import FINDINGS
from meta_audit.model import ORIGIN_RANK, Trust, Verdict

AND: Final = "and"
OR: Final = "or"
NOT: Final = "not"
IN: Final = "in"
HAS: Final = "has"
LACKS: Final = "lacks"
JOINING: Final = (AND, OR)
RESERVED: Final = (AND, OR, NOT, IN)
"""Words that are not taken as a key or a text unless they are quoted, in any case of letters."""

PLACES: Final = {
    "job": "in the Meta of the job itself",
    "task": "in the Meta of a task",
    "label": "among the labels",
}
FIELDS: Final = {
    "client": "ID of a client of the job, whatever its trust",
    "requester": "ID of a requester node (since v1.5.2: orchestrator) of the job",
    "key": "public key of a client or requester, or its fingerprint `SHA256:…`",
    "installation": "installation or instance ID of the client or the server",
    "trust": "how far a client of the job can be believed",
    "verdict": "result of comparing the ID of a client or requester with its public key",
    "node": "ID of a node that an execution or event of the job names",
    "execution": "ID of an execution of the job",
    "image": "container image or WebAssembly module of a task",
    "input": "input of a task: CID, URL, `s3://bucket/key` or path",
    "output": "output of a task, or result of an execution: CID, URL, `s3://bucket/key` or path",
    "namespace": "namespace of the job",
    "name": "name of the job",
    "type": "type of the job",
    "state": "newest state of the job",
    "origin": "where the newest version comes from",
    "finding": "code of a finding, its first part, or a severity",
    "import": "number of the import that first saw a document of the job",
}
TIMES: Final = {
    "created": "when the job was created",
    "modified": "when the newest state of the job was written",
    "seen": "when an import that first saw a document of the job began",
}
COMPUTED: Final = "identity.two_jobs"
"""A finding that `trace` computes; it is not stored."""
STATES: Final = (
    *("Undefined", "Pending", "Queued", "Running", "Completed", "Failed", "Stopped"),
    *("New", "InProgress", "Cancelled", "Error", "CompletedPartially"),
)
"""States of jobs in all versions of Bacalhau; a store may hold others."""
TYPES: Final = ("batch", "service", "ops", "daemon")
SEVERITIES: Final = ("info", "warning", "critical")
_CODES: Final = tuple(code for code in FINDINGS if code != COMPUTED)
CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "trust": get_args(Trust),
    "verdict": get_args(Verdict),
    "origin": tuple(ORIGIN_RANK),
    "finding": (*SEVERITIES, *dict.fromkeys(c.partition(".")[0] for c in _CODES), *_CODES),
}
"""Fields that have no other values than these."""
USUAL: Final = {"state": STATES, "type": TYPES}
"""Fields whose usual values may be written in any case of letters."""


def nearest(word: str, known: tuple[str, ...]) -> str:
    """Return the known word most like a word, "" if none is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for errors

    begin = [one for one in known if word and one.startswith(word.lower())]
    return next(iter(begin or get_close_matches(word.lower(), known, n=1, cutoff=0.7)), "")
