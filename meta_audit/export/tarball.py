"""Export the original documents as a tar file, with their hashes and proofs.

`documents/SHA256` has the exact bytes of a document, `SHA256SUMS` is for `sha256sum -c`,
`jobs.ndjson` says which job each shows, and `proofs.json` is for `meta-audit verify-proof`.
"""

from __future__ import annotations

import tarfile
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from meta_audit.export.sink import Sink
from meta_audit.ledger.bundle import make_bundles, make_part
from meta_audit.ledger.entry import AcceptedEntry, decode_entry
from meta_audit.render.json import to_json
from meta_audit.verify.prove import Prover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.export.matched import MatchedJobs


def write(jobs: MatchedJobs, _: str) -> Iterator[bytes]:
    """Yield the tar file. Raises `NotFoundError`, `LedgerError` as `Prover`."""
    prover = Prover(jobs.session)
    sink = Sink()
    with (
        TemporaryFile() as sums,
        TemporaryFile() as listed,
        TemporaryFile() as proofs,
        tarfile.open(mode="w|", fileobj=sink) as tar,
    ):

        def parts() -> Iterator[bytes]:
            for keys in jobs.batches():
                for one in prover.prove(keys):
                    entry = decode_entry(one.entry)
                    digest = entry.document.hex()
                    name = f"documents/{digest}"
                    _add(tar, name, BytesIO(one.content), len(one.content))
                    sums.write(f"{digest}  {name}\n".encode())
                    if isinstance(entry, AcceptedEntry):
                        about = {"job_id": entry.job_id, "namespace": entry.namespace}
                        listed.write(to_json({**about, "file": name}, indent=0))
                    yield make_part(one.entry, one.entry_index, one.path, file=name)

        for piece in make_bundles(prover.checkpoint, prover.key, parts()):
            proofs.write(piece)
            yield sink.take()
        named = (("SHA256SUMS", sums), ("jobs.ndjson", listed), ("proofs.json", proofs))
        for name, spool in named:
            size = spool.tell()
            spool.seek(0)
            _add(tar, name, spool, size)
            yield sink.take()
    yield sink.take()


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    """Add a file that is the same each time: without owner and time."""
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)
