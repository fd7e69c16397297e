"""Compute `spec_sha256`, which identifies a version of a job. A contract, with a number.

The digest is SHA-256 over the JSON (UTF-8, nothing escaped that JSON does not require, no white
space, the names of every object in ascending order) of the list

    ["meta-audit spec 1", origin, around, job]

- `origin`: `model.Origin`. A specification is not the job that was made of it.
- `around`: null, or an object of what belongs to the identity and does not stand in the job: of
  a submission up to v1.1 `ClientID` (the payload's), `client_public_key` and `signature`; of an
  event `ID`, `ClientID`, `SourceNodeID` and `SenderPublicKey`; of v0.3.14 - v0.3.19 `Requester`
  (out of `Status`). What is empty is left out.
- `job`: the job as an object of its fields, where
  - names of struct fields are Bacalhau's (case folded, snake case and former names resolved);
    unknown fields stand under their own;
  - empty fields (null, "", 0, false, [], {}) are left out, at every struct level. Struct fields
    are always written, as `{}` if empty. So the YAML of v1.0.4 - v1.1.0, which prints empty
    fields, and JSON, which omits them, give one digest. In lists of structs null is `{}`. A field
    that a later Bacalhau adds thus changes no digest of documents that do not use it;
  - free mappings (Meta, Labels, Env, Params) stand as written, Meta and Labels after the rules
    of `metadata` (null is "");
  - the Annotations of v0.2.9 - v1.0.3 stand as the labels that they are;
  - left out is what changes while the specification does not: `VOLATILE`, and the status of
    the layouts before v0.3.22. `Version` is *in*: Bacalhau raises
    it on update and rerun and never on a change of state (pkg/jobstore/boltdb/store.go, v1.8.0,
    `UpdateJob`), and an update that goes back to an earlier specification is a new version.

Numbers stand by their value, 1.0 as 1 up to 2^53 and 0x10 as 16, since Bacalhau's JSON and YAML
write one number differently (1000000 and 1e+06). Integers beyond 64 bits stand as text in hex
(0x…), literals without a value as they were written, both after a NUL, which no text of a
document can hold: texts are hashed as `meta_audit.nul.escape_nul` gives them.
"""

from __future__ import annotations

from hashlib import sha256
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meta_audit.errors import RejectedError
from meta_audit.model import Scalar
from meta_audit.parse.fields import MAX_INT64, MIN_INT64

if TYPE_CHECKING:
    from meta_audit.model import Origin
    from meta_audit.parse import canonical
    from meta_audit.parse.fields import Fields, Level

RECIPE: Final = "meta-audit spec 1"
"""First element of the hashed list; another number whenever the recipe changes."""

VOLATILE: Final = (
    "State",
    "Revision",
    "CreateTime",
    "ModifyTime",
    "CreatedAt",
    "Status",
    "JobState",
    "JobEvents",
    "LocalJobEvents",
)
"""Fields of a job that change, or may be absent, without a change of its specification."""

_MAX_EXACT: Final = 2**53
"""Integers above it are not all floats."""

_encode: Final = msgspec.json.Encoder(order="sorted").encode


def usual_input(origin: Origin, job: canonical.UsualJob) -> bytes:
    """Return what is hashed of a job of the usual kind, its volatile fields reset.

    Raises `RejectedError` (`text.encoding`).
    """
    return _written(origin, None, job)


def spec_sha256(origin: Origin, level: Level, job: Fields, around: Fields | None = None) -> bytes:
    """Return the digest (32 bytes) of a job whose Meta and Labels are already text to text.

    Raises `RejectedError` (`too_deep`, `text.encoding`) where JSON cannot hold the job.
    """
    try:
        spec = level.clean(_plain(job))
        for name in VOLATILE:
            spec.pop(name, None)
        return sha256(_written(origin, around, spec)).digest()
    except RecursionError:
        raise RejectedError("too_deep", "nested too deeply to be identified") from None


def _written(origin: Origin, around: Fields | None, job: Any) -> bytes:
    try:
        return _encode((RECIPE, origin, around, job))
    except UnicodeEncodeError:
        raise RejectedError("text.encoding", "a lone surrogate in text") from None


def _plain(value: Any) -> Any:
    """Replace scalars by their values, and numbers by the form that stands for their value."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Scalar):
        return "\0" + value.text if value.value is None else _number(value.value)
    if isinstance(value, int | float):
        return _number(value)
    return value


def _number(value: float) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if MIN_INT64 <= value <= MAX_INT64 else "\0" + hex(value)
    if not isfinite(value):
        return "\0" + repr(value)
    return int(value) if value.is_integer() and abs(value) <= _MAX_EXACT else value
