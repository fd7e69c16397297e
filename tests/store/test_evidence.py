"""Evidence: the very bytes come back, with a dictionary and without."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bench.generate import Generator
from meta_audit.store.frames import Compressor, decompress, train
from tests.conftest import Audit

DOCUMENTS = [d.encode() for d in islice(Generator(5).documents(0, 800), 800)]
LEAST = 1_000_000
TRAINED = train(DOCUMENTS, LEAST)


def test_a_dictionary_is_trained_where_it_pays() -> None:
    assert TRAINED
    assert train(DOCUMENTS[:50], LEAST) == b""
    assert train([b"{}"] * 10_000, LEAST) == b""
    assert train([], LEAST) == b""
    # All the same, or without any pattern: nothing to learn, and no error.
    assert isinstance(train([DOCUMENTS[0]] * 1_000, LEAST), bytes)


def test_it_pays() -> None:
    alone, trained = Compressor(b"").compress, Compressor(TRAINED).compress
    new = [d.encode() for d in Generator(6).documents(0, 200)]
    sizes = [sum(len(compress(d)) for d in new) for compress in (alone, trained)]
    assert sizes[1] * 2 < sizes[0]


@pytest.mark.parametrize("dictionary", [b"", TRAINED], ids=["alone", "trained"])
@given(contents=st.lists(st.binary(max_size=2_000), max_size=5))
def test_round_trip(dictionary: bytes, contents: list[bytes]) -> None:
    compress = Compressor(dictionary).compress
    for content in (*contents, b"", DOCUMENTS[0], DOCUMENTS[1] + b"\0\xff", b"x" * 300_000):
        assert decompress(compress(content), dictionary) == content


def test_a_damaged_frame_is_an_error() -> None:
    frame = Compressor(b"").compress(DOCUMENTS[0])
    for damaged in (frame[:-1], frame[1:], b"", b"\0" + frame):
        with pytest.raises(zstandard.ZstdError):
            decompress(damaged, b"")


def test_every_document_of_a_store_comes_back(audit: Audit, tmp_path: Path) -> None:
    path = tmp_path / "jobs.ndjson"
    path.write_bytes(b"\n".join(DOCUMENTS))
    audit.ingest(path)
    dictionaries = dict(audit.rows("SELECT dictionary_id, content FROM compression_dictionaries"))
    rows = audit.rows(
        "SELECT sha256, size, dictionary_id, content FROM documents ORDER BY document_id"
    )
    assert len(dictionaries) == 1
    contents = [decompress(frame, dictionaries[number]) for _, _, number, frame in rows]
    assert contents == DOCUMENTS
    assert [(sha256(c).digest(), len(c)) for c in contents] == [row[:2] for row in rows]
