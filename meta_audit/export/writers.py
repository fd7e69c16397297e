"""Choose the format of an export, and compress it where its name says so."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Final

import zstandard

from meta_audit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meta_audit.export.matched import MatchedJobs

FORMATS: Final = {
    "ndjson": "a row of v_jobs per job, as JSON lines",
    "csv": "the same as CSV",
    "parquet": "the same as Parquet (needs meta-audit[parquet])",
    "documents": "a tar file with the newest document of each job, hashes and proofs",
    "proofs": "one file that proves these documents: see verify-proof",
    "prov": "W3C PROV-JSON: jobs, documents and who sent them",
    "openlineage": "OpenLineage events of runs, as JSON lines",
}
"""Format: what it is."""
_MODULES: Final = {"ndjson": "lines", "csv": "lines", "documents": "tarball"}
"""Modules that are not called as their format."""
_ENDINGS: Final = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".parquet": "parquet",
    ".tar": "documents",
}
_COMPRESSED: Final = (".zst", ".gz")
_GZIP: Final = 31
"""Window bits with which zlib writes gzip."""


def format_of(name: str) -> str:
    """Return the format that the name of a file means. Raises `UsageError` if it means none."""
    if name == "-":
        return "ndjson"
    plain = name
    for ending in _COMPRESSED:
        plain = plain.removesuffix(ending)
    for ending, format_ in _ENDINGS.items():
        if plain.endswith(ending):
            return format_
    raise UsageError(
        f"the name {name} does not say which format is wanted",
        advice=f"Add --format: {', '.join(FORMATS)}.",
    )


def written(jobs: MatchedJobs, format_: str, name: str) -> Iterator[bytes]:
    """Yield an export in a format of `FORMATS`, compressed as the name of its file says."""
    module = import_module(f"meta_audit.export.{_MODULES.get(format_, format_)}")
    content: Iterator[bytes] = module.write(jobs, format_)
    if name.endswith(".zst"):
        compressor = zstandard.ZstdCompressor(level=6).compressobj()
        return _compressed(content, compressor.compress, compressor.flush)
    if name.endswith(".gz"):
        deflater = zlib.compressobj(wbits=_GZIP)
        return _compressed(content, deflater.compress, deflater.flush)
    return content


def _compressed(
    content: Iterable[bytes], compress: Callable[[bytes], bytes], flush: Callable[[], bytes]
) -> Iterator[bytes]:
    for piece in content:
        yield compress(piece)
    yield flush()
