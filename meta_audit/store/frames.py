"""Compress documents to zstd frames, with a dictionary trained on the store's own documents.

A 1.6 kB job takes about 210 bytes with a dictionary, and about 800 without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL: Final = 3
DICTIONARY_BYTES: Final = 65_536
TRAINING_DOCUMENTS: Final = 1_500
LARGEST_SAMPLE: Final = 131_072


def train(contents: Sequence[bytes], least: int) -> bytes:
    """Train a dictionary for documents like these; return nothing for fewer than `least` bytes."""
    samples: list[bytes | bytearray | memoryview[int]] = [
        c for c in contents[:TRAINING_DOCUMENTS] if len(c) <= LARGEST_SAMPLE
    ]
    if len(samples) < 100 or sum(map(len, samples)) < least:
        return b""
    try:
        return zstandard.train_dictionary(DICTIONARY_BYTES, samples).as_bytes()
    except zstandard.ZstdError:
        return b""


class Compressor:
    """Compress documents one by one with one dictionary, or none (`b""`)."""

    def __init__(self, dictionary: bytes) -> None:
        loaded = None
        if dictionary:
            loaded = zstandard.ZstdCompressionDict(dictionary)
            loaded.precompute_compress(level=LEVEL)
        self.compress = zstandard.ZstdCompressor(
            level=LEVEL, dict_data=loaded, write_dict_id=False
        ).compress


class Decompressor:
    """Decompress documents one by one, with the dictionary of all, or none (`b""`)."""

    def __init__(self, dictionary: bytes) -> None:
        loaded = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        self._loaded = zstandard.ZstdDecompressor(dict_data=loaded)

    def decompress(self, frame: bytes) -> bytes:
        """Return the bytes of a document. Raises `zstandard.ZstdError` for a damaged frame."""
        return self._loaded.decompress(frame)


def decompress(frame: bytes, dictionary: bytes) -> bytes:
    """Return the bytes of a document. Raises `zstandard.ZstdError` for a damaged frame."""
    return Decompressor(dictionary).decompress(frame)
