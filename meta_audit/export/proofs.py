"""Export one file that proves the newest document of each job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.ledger.bundle import make_bundles, make_part
from meta_audit.verify.prove import Prover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.export.matched import MatchedJobs


def write(jobs: MatchedJobs, _: str) -> Iterator[bytes]:
    """Yield the file. Raises `NotFoundError`, `LedgerError` as `Prover`."""
    prover = Prover(jobs.session)
    parts = (
        make_part(one.entry, one.entry_index, one.path, document=one.content)
        for keys in jobs.batches()
        for one in prover.prove(keys)
    )
    return make_bundles(prover.checkpoint, prover.key, parts)
