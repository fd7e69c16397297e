"""The proof bundle of one document: everything a stranger needs, in one JSON object.

`verify_bundle` takes numbered steps that name what they implement, and needs neither a store
nor a network. `docs/ledger.md` specifies the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct, convert, to_builtins
from msgspec import json as msgjson
from msgspec.structs import asdict

from meta_audit.errors import LedgerError
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint
from meta_audit.ledger.entry import AcceptedEntry, Entry, UsingEntry, decode_entry, entry_like
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.ledger.merkle_proof import verify_inclusion
from meta_audit.ledger.note import Note, VerifierKey, decode_base64, encode_base64
from meta_audit.ledger.step import Status, Step
from meta_audit.model import JobRecord
from meta_audit.typed import built

FORMAT: Final = "meta-audit/proof/1"
PROOFS_FORMAT: Final = "meta-audit/proofs/1"

ProofVerdict = Literal["verified", "consistent", "failed"]
Outcome = tuple[Status, str]
"""Status and detail of a step; a step that fails raises `LedgerError` instead."""
Readings = Callable[[bytes], Iterable[JobRecord]]
"""Gives the records that a document can be read as (`meta_audit.parse.readings`)."""


class Bundle(Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON object, field by field; binary values are base64."""

    format: str
    document: str
    """The bytes kept of the document."""
    entry: str
    index: int
    """Of the entry in the ledger, from 0."""
    inclusion_proof: tuple[str, ...]
    """Hashes from the leaf upwards."""
    checkpoint: str
    """The signed note."""
    verifier_key: str
    """The key that signed it. A claim, like all of the bundle: compare it with a trusted one."""
    summary: dict[str, Any]
    """The entry in readable form, for people; `verify_bundle` checks it against the entry."""


class BundlePart(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One document of many that are proven under one checkpoint; fields are those of `Bundle`."""

    entry: str
    index: int
    inclusion_proof: tuple[str, ...]
    summary: dict[str, Any]
    document: str = ""
    file: str = ""
    """File beside the bundle that holds the document, if `document` does not."""


class Bundles(Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON object that proves many documents."""

    format: str
    checkpoint: str
    verifier_key: str
    proofs: tuple[BundlePart, ...]

    def bundle(self, part: BundlePart, document: str) -> Bundle:
        """Return what proves one of the documents."""
        return Bundle(
            FORMAT,
            document,
            part.entry,
            part.index,
            part.inclusion_proof,
            self.checkpoint,
            self.verifier_key,
            part.summary,
        )


class ProofResult(Struct, frozen=True):
    """The result of a verification.

    `verified`: everything holds under the trusted key. `consistent`: everything holds, but no
    trusted key was given, and anyone can make such a bundle with a key of their own. `failed`:
    a step failed and those after it were skipped.
    """

    verdict: ProofVerdict
    steps: tuple[Step, ...]
    entry: Entry | None
    """The decoded entry; None when it could not be read."""
    checkpoint: Checkpoint | None


def summarize(entry: Entry) -> dict[str, Any]:
    """Give the entry in readable form: JSON values, digests as `sha256:` and hex."""
    summary: dict[str, Any] = {
        "document": f"{entry.hash}:{entry.document.hex()}",
        "source": entry.source_uri,
        "ordinal": entry.ordinal,
        "line": entry.line,
    }
    if isinstance(entry, AcceptedEntry):
        job = to_builtins(entry.record())
        job["spec_sha256"] = entry.spec_sha256.hex()
        for told in (*job["executions"], *job["events"]):
            del told["result"]
        if isinstance(entry, UsingEntry):
            job["uses"] = [asdict(use) for use in entry.uses]
        else:
            del job["uses"]
        return {"kind": "accepted", **summary, "job": job}
    rejected = {"reason": entry.reason, "message": entry.message, "size": entry.size}
    return {"kind": "rejected", **summary, **rejected}


def make_bundle(
    document: bytes,
    entry: bytes,
    index: int,
    proof: Sequence[bytes],
    *,
    checkpoint: str,
    key: VerifierKey,
) -> bytes:
    """Write a bundle. Raises `LedgerError` when it would not verify under `key`."""
    bundle = Bundle(
        format=FORMAT,
        document=encode_base64(document),
        entry=encode_base64(entry),
        index=index,
        inclusion_proof=tuple(map(encode_base64, proof)),
        checkpoint=checkpoint,
        verifier_key=str(key),
        summary=summarize(decode_entry(entry)),
    )
    data = msgjson.format(msgjson.encode(bundle), indent=2) + b"\n"
    for step in verify_bundle(data, str(key)).steps:
        if step.status == "failed":
            raise LedgerError(f"the proof does not hold: {step.title}: {step.detail}")
    return data


def make_bundles(checkpoint: str, key: VerifierKey, parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the text of `Bundles`, part by part."""
    head = {"format": PROOFS_FORMAT, "checkpoint": checkpoint, "verifier_key": str(key)}
    yield msgjson.encode(head)[:-1] + b',"proofs":['
    separator = b"\n"
    for part in parts:
        yield separator + part
        separator = b",\n"
    yield b"\n]}\n"


def make_part(
    entry: bytes, index: int, proof: Sequence[bytes], *, document: bytes = b"", file: str = ""
) -> bytes:
    """Write a `BundlePart`, with the document or with the name of its file."""
    return msgjson.encode(
        BundlePart(
            encode_base64(entry),
            index,
            tuple(map(encode_base64, proof)),
            summarize(decode_entry(entry)),
            encode_base64(document),
            file,
        )
    )


class _Check:
    """The steps in their order; each keeps what later ones need."""

    bundle: Bundle
    document: bytes
    entry_bytes: bytes
    leaf: bytes
    entry: Entry | None = None
    checkpoint: Checkpoint | None = None

    def __init__(self, data: bytes, trusted_key: str | None, readings: Readings | None) -> None:
        self.data = data
        self.trusted_key = trusted_key
        self.readings = readings

    def format(self) -> Outcome:
        try:
            value = json.loads(self.data.decode(), object_pairs_hook=unique_object)
            if isinstance(value, dict) and value.get("format") != FORMAT:
                raise LedgerError(f"not a bundle of format {FORMAT}: {value.get('format')!r}")
            self.bundle = convert(value, built(Bundle))
            msgjson.encode(self.bundle)  # Finds lone surrogates.
        except (ValueError, RecursionError) as error:
            raise LedgerError(f"not a proof bundle: {error}") from error
        self.document = decode_base64(self.bundle.document, "document")
        self.entry_bytes = decode_base64(self.bundle.entry, "entry")
        return "ok", FORMAT

    def canonical(self) -> Outcome:
        self.entry = decode_entry(self.entry_bytes)
        expected = msgjson.encode(summarize(self.entry), order="sorted")
        if msgjson.encode(self.bundle.summary, order="sorted") != expected:
            raise LedgerError("the readable summary says something else than the entry")
        return "ok", f"{len(self.entry_bytes)} bytes; the summary agrees"

    def evidence(self) -> Outcome:
        assert self.entry is not None  # noqa: S101 - set by the step before
        kept = None if isinstance(self.entry, AcceptedEntry) else self.entry.kept
        digest = sha256(self.document).digest()
        if digest != (kept or self.entry.document):
            raise LedgerError(f"the document's SHA-256 is {digest.hex()}, not the entry's")
        part = "the kept part of the document" if kept else "the document"
        return "ok", f"{part}, {len(self.document)} bytes: sha256:{digest.hex()}"

    def hash_leaf(self) -> Outcome:
        self.leaf = leaf_hash(self.entry_bytes)
        return "ok", f"sha256:{self.leaf.hex()}"

    def read_checkpoint(self) -> Outcome:
        self.checkpoint = Checkpoint.parse(Note.parse(self.bundle.checkpoint).text)
        return "ok", f"{self.checkpoint.origin}, {self.checkpoint.size} entries"

    def inclusion(self) -> Outcome:
        assert self.checkpoint is not None  # noqa: S101 - set by the step before
        proof = [decode_base64(text, "a hash of the proof") for text in self.bundle.inclusion_proof]
        size, root = self.checkpoint.size, self.checkpoint.root
        verify_inclusion(self.leaf, self.bundle.index, size, proof, root)
        return "ok", f"entry {self.bundle.index} of {size}, {len(proof)} hashes"

    def signature(self) -> Outcome:
        key = VerifierKey.parse(self.bundle.verifier_key)
        open_checkpoint(self.bundle.checkpoint, (key,))
        return "ok", f"Ed25519, {key.name}+{key.key_id.hex()}"

    def trust(self) -> Outcome:
        if self.trusted_key is None:
            return "warning", (
                "no trusted key was given: the bundle agrees with itself, and anyone can make"
                " such a bundle; compare its key with one that you got from elsewhere"
            )
        if VerifierKey.parse(self.bundle.verifier_key) != VerifierKey.parse(self.trusted_key):
            raise LedgerError("the bundle is signed with another key than the trusted one")
        return "ok", self.trusted_key

    def parse_again(self) -> Outcome:
        entry = self.entry
        if self.readings is None or not isinstance(entry, AcceptedEntry):
            return "skipped", "not asked for"
        for record in self.readings(self.document):
            if entry_like(entry, record) == self.entry_bytes:
                return "ok", "the document says what the entry says"
        return "warning", (
            "this version of the program reads the document differently than the one that"
            " wrote the entry; the document is the evidence"
        )


def unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object. Raises `ValueError` if it has a key twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("the same key twice in one object")
    return value


_STEPS: Final[tuple[tuple[str, str, Callable[[_Check], Outcome]], ...]] = (
    ("the bundle has the known form", "docs/ledger.md, RFC 8259", _Check.format),
    ("the entry is canonical", "docs/ledger.md, MessagePack", _Check.canonical),
    ("the document is the entry's", "FIPS 180-4", _Check.evidence),
    ("the entry's leaf hash", "RFC 9162 §2.1.1", _Check.hash_leaf),
    ("the checkpoint is well formed", "C2SP tlog-checkpoint", _Check.read_checkpoint),
    ("the leaf is in the checkpoint's tree", "RFC 9162 §2.1.3.2", _Check.inclusion),
    ("the checkpoint is signed", "C2SP signed-note, RFC 8032 §5.1.7", _Check.signature),
    ("the key is the trusted one", "docs/ledger.md", _Check.trust),
    ("the document, parsed again, gives the entry", "docs/ledger.md", _Check.parse_again),
)


def verify_bundle(
    data: bytes, trusted_key: str | None = None, readings: Readings | None = None
) -> ProofResult:
    """Verify a bundle; whatever is wrong with it is a failed step, never an error.

    `trusted_key` is a verifier key that did not come with the bundle; a malformed one fails
    step 8. `readings` parses the document again, which this layer cannot do; without it step 9
    is skipped. A difference in step 9 is a warning: a later version may read more.
    """
    check = _Check(data, trusted_key, readings)
    steps: list[Step] = []
    failed = False
    for number, (title, source, run) in enumerate(_STEPS, 1):
        outcome: Outcome = "skipped", "an earlier step failed"
        if not failed:
            try:
                outcome = run(check)
            except LedgerError as error:
                outcome, failed = ("failed", str(error)), True
        steps.append(Step(number, title, source, *outcome))
    verdict: ProofVerdict = (
        "failed" if failed else "consistent" if trusted_key is None else "verified"
    )
    return ProofResult(verdict, tuple(steps), check.entry, check.checkpoint)
