"""Judge by its beginning whether a file in a directory is likely to hold jobs.

A directory is not a dump: most files in an ordinary checkout have nothing to do with jobs, and
taking them would fill the list of rejections. A file that bears the fields of a job is taken,
sound or broken.
"""

from __future__ import annotations

import os
import re
from typing import Final

from meta_audit.cut.detect import kind_of_name
from meta_audit.cut.notices import what_else

HEAD_BYTES: Final = 65_536
"""Bytes looked at."""

NOT_A_JOB: Final = "not a job document"

# Programs, prose and settings may quote a job, and are none.
_OTHER_SUFFIXES: Final = frozenset(
    f".{name}"
    for name in re.findall(
        r"\w+",
        """adoc bash bat bib c cc cfg conf cpp cs css csv go h hpp htm html ini ipynb java js jsx kt
        lock lua md mdx mjs php pl proto ps1 py pyi r rb rs rst scss sh sql svg swift tex tf toml
        ts tsv tsx vue xml""",
    )
)
_BEGINNING: Final = re.compile(
    rb"""\A(?:\xef\xbb\xbf|\s|\#[^\n]*\n)*
    (?:[\[{]|---\s|%YAML|-\s|["']?[A-Za-z_][\w.-]*["']?[ \t]*:(?:\s|\Z))|
    ^[ \t]*(?:\{\s*["'}]|\[\s*\{\s*["'])""",
    re.MULTILINE | re.VERBOSE,
)
_KEY: Final = re.compile(
    rb"""(?:^[ \t]*(?:-[ \t]+)*|[{,\[][ \t]*)["']?([A-Za-z_$][\w$-]{1,40})["']?[ \t]*:""",
    re.MULTILINE,
)
_QUOTED_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)++"', re.DOTALL)
"""A JSON string with escapes in it. It may quote a whole job, as a log does."""
_TELLING_TEXT: Final = re.compile(
    rb"""bacalhau\.org/|^["']?(?-i:Meta)["']?:|kind["']?[ ]*:[ ]*["']?Bacalhau|
    \bjob_?id["']?[ ]*:[ ]*["']?j-|\bid["']?[ ]*:[ ]*["']?j-[0-9a-f]{8}-""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_BEGINS_TELLING: Final = re.compile(rb'\{\s*"id"\s*:\s*"j-[0-9a-f]{8}-', re.IGNORECASE).match
"""As most files of one job do; what follows need not be looked at."""
_TELLING_KEYS: Final = frozenset(
    re.findall(
        r"\w+",
        """allocatedresources clientpublickey computereference computestate enginespec evaluationid
        executionplan jobapiversion jobcancelpayload jobcreatepayload jobspecdocker jobspeclanguage
        jobstate publisherspec requesternodeid requesterpublickey statetype storagesource""",
    )
)
_TELLING_TOGETHER: Final = tuple(
    frozenset(names.split())
    for names in (
        "id meta",
        "id spec",
        "id tasks",
        "id job",
        "job meta",
        "job spec",
        "job tasks",
        "job metadata",
        "clientid id",
        "engine tasks",
        "engine publisher",
        "engine spec",
        "engine type params",
        "docker spec",
        "wasm spec",
        "constraints count",
        "count tasks",
        "meta name namespace",
        "meta tasks",
        "createtime modifytime",
        "createdat modifiedat",
        "eventname jobid",
        "event jobid",
        "executionid jobid",
        "executions jobid",
        "executions history",
        "jobid nodeid",
        "evalid jobid",
        "items nexttoken",
        "jobs nexttoken",
        "history nexttoken",
        "executions nexttoken",
        "results cid",
        "clientid jobid",
        "publickey clientid",
        "addresses id publickey",
    )
)
_KUBERNETES: Final = frozenset({"apiversion", "kind", "metadata"})
_SCHEMAS: Final = tuple(
    frozenset(names.split())
    for names in ("$schema properties", "swagger", "openapi", "operations shapes")
)


def why_not(path: str, head: bytes) -> str:
    """Return why a file that begins with `head` is passed over, or nothing if it is taken."""
    if not head.strip():
        return "empty" if len(head) < HEAD_BYTES else f"blank in its first {HEAD_BYTES:,} bytes"
    head = head.rstrip(b"\0")  # as a file system may leave behind what was cut off
    if b"\0" in head or not head:
        return "binary"
    if kind_of_name(path) is None:
        if os.path.splitext(path)[1].lower() in _OTHER_SUFFIXES:
            return NOT_A_JOB
        if not _BEGINNING.search(head) and not what_else(head):
            return NOT_A_JOB
    return "" if _bears_fields(head) else NOT_A_JOB


def _bears_fields(head: bytes) -> bool:
    if _BEGINS_TELLING(head):
        return True
    if b"\\" in head and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        head = _QUOTED_TEXT.sub(b'""', head)
    if _TELLING_TEXT.search(head):
        return True
    keys = {key.decode().lower().replace("_", "") for key in _KEY.findall(head)}
    if any(names <= keys for names in _SCHEMAS):
        return False
    if not keys.isdisjoint(_TELLING_KEYS):
        return True
    return not keys >= _KUBERNETES and any(names <= keys for names in _TELLING_TOGETHER)
