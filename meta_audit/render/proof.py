"""Proofs that were checked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from meta_audit.ledger.entry import AcceptedEntry
from meta_audit.ledger.proof_file import CheckedProof, CheckedProofs
from meta_audit.render.escape import escape
from meta_audit.render.layout import Screen, count, fields
from meta_audit.render.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN: Final = 20
"""Most proofs that are shown one by one."""
LIMIT_OF_PROOF: Final = (
    "It shows that this record is in the ledger, unchanged. It does not show that the record is"
    " true, or that there are no others."
)


class ProofsPage(Page[CheckedProofs]):
    """Show each proof: the job, what the proof shows, and every step of the check.

    Of many, only those that do not hold, or else the first.
    """

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - nothing is cut to fit
        """Return a page for each proof; at the end how many of many hold."""
        proofs = self.result.proofs
        if not proofs:
            return "NOT VALID: the list holds no proof.\n"
        is_long = len(proofs) > SHOWN
        wrong = [proof for proof in proofs if not proof.is_trusted]
        shown = (wrong or proofs[:1])[:SHOWN] if is_long else proofs
        pages = ["".join(f"{line}\n" for line in _page(proof)) for proof in shown]
        if is_long:
            verdicts = Counter(map(_verdict, proofs))
            pages.append("".join(f"{count(n, 'proof')}: {said}\n" for said, n in verdicts.items()))
        return "\n".join(pages)

    def value(self) -> object:
        """Return the verdict and the steps of each proof."""
        return self.result.to_dict()


def _page(proof: CheckedProof) -> Iterator[str]:
    """Yield lines. Steps after one that failed were not taken, and are not shown."""
    first = proof.steps[0]
    if first.status == "failed":
        yield f"NOT VALID: {escape(first.detail)}."
        yield "Give a file that `meta-audit prove` wrote."
        return
    yield from _record(proof)
    for step in proof.steps:
        yield f"{step.number:>3}. {step.status:<8}{step.title} ({step.source}): " + escape(
            step.detail
        )
        if step.status == "failed":
            break
    if proof.checkpoint_held is not None:
        held = "is one" if proof.checkpoint_held else "is NOT one"
        yield f"  The checkpoint {held} of those that you hold."
    yield _verdict(proof)
    if proof.is_trusted:
        yield LIMIT_OF_PROOF


def _record(proof: CheckedProof) -> Iterator[str]:
    """Yield what the proof is about, as its entry says."""
    entry, checkpoint = proof.result.entry, proof.result.checkpoint
    if entry is None:
        return
    about = [("document", f"sha256:{entry.document.hex()}"), ("source", entry.source_uri)]
    if isinstance(entry, AcceptedEntry):
        record = entry.record()
        title = f"Proof of job {escape(record.job_id or record.name)}"
        about = [("name", record.name), ("namespace", record.namespace), *about]
        who = [(a.role, f"{a.value} ({a.trust})") for a in record.attributions]
        about += dict.fromkeys(who)
    else:
        title = f"Proof of a rejected document: {escape(entry.reason)}"
    if checkpoint:
        size = count(checkpoint.size, "entry")
        about.append(("ledger", f"{checkpoint.origin}, {size}"))
    yield title
    yield from fields([(name, value) for name, value in about if value], Screen())


def _verdict(proof: CheckedProof) -> str:
    if proof.verdict == "failed":
        return "NOT VALID."
    if proof.checkpoint_held is False:
        return "NOT VALID: its checkpoint is none of those that you hold."
    if proof.verdict == "verified":
        return "Verified: signed with a key that you trust."
    if proof.checkpoint_held:
        return "Verified: it is in the ledger of a checkpoint that you hold."
    return (
        "NOT VERIFIED: it is consistent, but anyone can make such a proof. Give the verifier key"
        " of the store (--key), from a source that you trust."
    )
