"""A file of proofs, checked for someone who has no store.

`meta-audit prove` writes one bundle, or a JSON list of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec import json as msgjson

from meta_audit.answer import Answer
from meta_audit.errors import LedgerError
from meta_audit.ledger.bundle import ProofResult, Readings, verify_bundle
from meta_audit.ledger.note import Note, VerifierKey
from meta_audit.ledger.step import Step

FORMAT: Final = "meta-audit/verify-proof/1"


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
) -> CheckedProofs:
    """Check every proof in a file.

    `keys` are those that the caller trusts; `held` the texts of checkpoints that the caller
    kept (`checkpoint.note_texts`). Whatever is wrong with a proof is a failed step.
    """
    return CheckedProofs(
        tuple(_check(bundle, keys, held, readings) for bundle in _bundles(content))
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


def _bundles(content: bytes) -> list[bytes]:
    """Return each bundle of a JSON list; what is no list is one bundle."""
    if not content.lstrip().startswith(b"["):
        return [content]
    try:
        return [bytes(raw) for raw in msgspec.json.decode(content, type=list[msgspec.Raw])]
    except msgspec.DecodeError:
        return [content]


def _is_held(bundle: bytes, held: Collection[str]) -> bool:
    try:
        return Note.parse(json.loads(bundle)["checkpoint"]).text in held
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, LedgerError):
        return False
