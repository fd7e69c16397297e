"""A file of proofs, checked for someone who has no store.

`meta-audit prove` writes one bundle, a JSON list of them, or one object with many documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec import json as msgjson

from meta_audit.answer import Answer
from meta_audit.errors import LedgerError
from meta_audit.ledger.bundle import (
    PROOFS_FORMAT,
    BundlePart,
    Bundles,
    ProofResult,
    Readings,
    unique_object,
    verify_bundle,
)
from meta_audit.ledger.note import Note, VerifierKey, encode_base64
from meta_audit.ledger.step import Step
from meta_audit.typed import built

FORMAT: Final = "meta-audit/verify-proof/1"


_FILE: Final = re.compile(r"documents/[0-9a-f]{64}")
"""Names of files that a proof may ask for."""
ReadFile = Callable[[str], bytes | None]
"""Gives the content of a file, None if there is none."""


class _Kind(Struct):
    """Tell what an object is."""

    format: str = ""


class CheckedProof(Struct, frozen=True):
    """Say how the check of one proof went."""

    verdict: Literal["verified", "consistent", "failed"]
    steps: tuple[Step, ...]
    checkpoint_held: bool | None
    """True if the caller holds the proof's checkpoint; None if none was given."""
    result: ProofResult
    """The whole result; not part of the JSON output."""

    @property
    def is_trusted(self) -> bool:
        """Tell whether it holds under a key or a checkpoint that the caller brought."""
        if self.checkpoint_held is False:
            return False
        return self.verdict == "verified" or (
            self.verdict == "consistent" and self.checkpoint_held is True
        )


class CheckedProofs(Answer, frozen=True):
    """Say how the check of a file of proofs went."""

    proofs: tuple[CheckedProof, ...]

    @property
    def valid(self) -> bool:
        """Tell whether there is a proof, and each holds under what the caller brought."""
        return bool(self.proofs) and all(proof.is_trusted for proof in self.proofs)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict and the steps of each proof, without what was checked."""
        proofs = [
            {"verdict": p.verdict, "steps": p.steps, "checkpoint_held": p.checkpoint_held}
            for p in self.proofs
        ]
        content: dict[str, Any] = msgjson.decode(
            msgjson.encode({"format": FORMAT, "valid": self.valid, "proofs": proofs})
        )
        return content


def check_proofs(
    content: bytes,
    keys: Sequence[VerifierKey],
    held: Collection[str] | None = None,
    readings: Readings | None = None,
    *,
    read_file: ReadFile = lambda _name: None,
) -> CheckedProofs:
    """Check every proof in a file.

    `keys` are those that the caller trusts; `held` the texts of checkpoints that the caller
    kept (`checkpoint.note_texts`); `read_file` gives documents in files beside the proof.
    Whatever is wrong with a proof is a failed step.
    """
    return CheckedProofs(
        tuple(_check(bundle, keys, held, readings) for bundle in _bundles(content, read_file))
    )


def _check(
    bundle: bytes,
    keys: Sequence[VerifierKey],
    held: Collection[str] | None,
    readings: Readings | None,
) -> CheckedProof:
    tried = [verify_bundle(bundle, str(key), readings) for key in keys]
    tried = tried or [verify_bundle(bundle, None, readings)]
    result = next((one for one in tried if one.verdict != "failed"), tried[0])
    known = None if held is None else _is_held(bundle, held)
    return CheckedProof(result.verdict, result.steps, known, result)


def _bundles(content: bytes, read_file: ReadFile) -> Iterator[bytes]:
    """Yield each bundle of a list or of `Bundles`; what is neither is one bundle."""
    begin = content.lstrip()[:1]
    try:
        if begin == b"[":
            yield from map(bytes, msgspec.json.decode(content, type=list[msgspec.Raw]))
            return
        if (
            begin == b"{"
            and msgspec.json.decode(content, type=built(_Kind)).format == PROOFS_FORMAT
        ):
            yield from _parts(content, read_file)
            return
    except (ValueError, RecursionError):
        pass
    yield content


def _parts(content: bytes, read_file: ReadFile) -> list[bytes]:
    """Return a bundle for each document. Raises `ValueError` if the object is malformed."""
    value = json.loads(content.decode(), object_pairs_hook=unique_object)
    bundles = msgspec.convert(value, built(Bundles))
    return [
        msgspec.json.encode(bundles.bundle(part, _document(part, read_file)))
        for part in bundles.proofs
    ]


def _document(part: BundlePart, read_file: ReadFile) -> str:
    """Return a document in base64; empty, which no entry fits, where there is no such file."""
    if not part.file:
        return part.document
    content = read_file(part.file) if _FILE.fullmatch(part.file) else None
    return encode_base64(content or b"")


def _is_held(bundle: bytes, held: Collection[str]) -> bool:
    try:
        return Note.parse(json.loads(bundle)["checkpoint"]).text in held
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, LedgerError):
        return False
