"""gzip and zstd: members, damage at every byte, budgets."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.cut.blocks import Blocks
from meta_audit.errors import SourceError
from meta_audit.sources import Budget, StandardInput
from meta_audit.sources.compression import open_blocks
from tests.sources.helpers import FEW, contents, good, gz, read, reasons, zst


def noise(n: int) -> str:
    return hashlib.sha256(b"%d" % n).hexdigest()


LINES = [json.dumps({"ID": f"j-{n}", "Meta": {"k": noise(n)[:n]}}).encode() for n in range(40)]
NDJSON = b"".join(line + b"\n" for line in LINES)
ARRAY = b"[" + b",\n".join(LINES) + b"]"
YAML = b"".join(b"ID: j-%d\n---\n" % n for n in range(20))


def test_names_do_not_matter() -> None:
    for pack in (gz, zst):
        for name in ("x.ndjson", "x.ndjson.gz", "x.ndjson.zst"):
            assert contents(read(pack(NDJSON), name)) == LINES


@FEW
@given(st.lists(st.integers(1, len(NDJSON) - 1), max_size=5), st.integers(1, 300))
@pytest.mark.parametrize("pack", [gz, zst])
def test_members_and_frames_are_one_stream(
    pack: Callable[[bytes], bytes], cuts: list[int], size: int
) -> None:
    edges = [0, *sorted(cuts), len(NDJSON)]
    packed = b"".join(pack(NDJSON[start:end]) for start, end in pairwise(edges))
    raw = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert b"".join(open_blocks(raw, Budget())) == NDJSON


@pytest.mark.parametrize("pack", [gz, zst])
@pytest.mark.parametrize(("data", "whole"), [(NDJSON, LINES), (ARRAY, LINES), (YAML, None)])
def test_cut_at_every_byte(
    pack: Callable[[bytes], bytes], data: bytes, whole: list[bytes] | None
) -> None:
    whole = whole or contents(read(data))
    packed = pack(data)
    previous = 0
    for cut in range(1, len(packed)):
        try:
            items = read(packed[:cut])
        except SourceError as error:
            assert (error.code, previous) == ("archive.broken", 0)  # noqa: PT017
            continue
        if cut < 4:  # not even a magic number: taken for text
            continue
        assert reasons(items) == ["truncated"], cut
        taken = good(items)
        assert taken == whole[: len(taken)], cut
        assert len(taken) >= previous, cut
        previous = len(taken)
    # Where only the check sum is missing, all is there but the certainty.
    assert previous == len(whole)


def test_records_before_the_cut_come_out_whole() -> None:
    packed = gz(NDJSON)
    for cut in range(20, len(packed), 7):
        plain = zlib.decompressobj(31).decompress(packed[:cut])
        if not plain:
            continue
        assert good(read(packed[:cut], "x.ndjson")) == plain.split(b"\n")[:-1]


@pytest.mark.parametrize("at", range(10, 300, 13))
@pytest.mark.parametrize("pack", [gz, zst])
def test_a_damaged_byte_never_crashes_and_is_never_silent(
    pack: Callable[[bytes], bytes], at: int
) -> None:
    packed = bytearray(pack(NDJSON))
    packed[at] ^= 0x55
    try:
        items = read(bytes(packed), "x.ndjson")
    except SourceError as error:
        assert error.code in ("archive.broken", "archive.budget")  # noqa: PT017
    else:
        assert reasons(items)[-1] in ("truncated", "trailing_data")


def test_a_wrong_check_sum_is_said_after_the_documents() -> None:
    packed = bytearray(gz(NDJSON))
    packed[-5] ^= 1
    items = read(bytes(packed))
    assert good(items) == LINES
    assert reasons(items) == ["truncated"]
    assert items[-1].content == b""
    assert "incorrect" in items[-1].message


def test_damage_from_the_start() -> None:
    for broken in (
        b"\x1f\x8b\x08" + b"\xff" * 50,
        b"\x28\xb5\x2f\xfd" + b"\xff" * 50,
        gz(b"x")[:9],
    ):
        with pytest.raises(SourceError) as caught:
            read(broken)
        assert caught.value.code == "archive.broken"


def test_padding_is_no_damage_and_garbage_is_said() -> None:
    assert contents(read(gz(NDJSON) + b"\0" * 1000)) == LINES
    for pack in (gz, zst):
        items = read(pack(NDJSON) + b"garbage" * 10_000)
        assert good(items) == LINES
        assert reasons(items) == ["trailing_data"]
        assert items[-1].content == b"garbage" * 10_000
        assert items[-1].ordinal == len(LINES) + 1


def test_an_empty_compressed_file_is_empty() -> None:
    assert reasons(read(gz(b""))) == reasons(read(zst(b""))) == ["empty"]


def test_a_skippable_zstd_frame_is_skipped() -> None:
    frame = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    assert contents(read(frame + zst(NDJSON) + frame)) == LINES


@pytest.mark.parametrize("outer", [gz, zst])
@pytest.mark.parametrize("inner", [gz, zst])
def test_compression_within_compression_is_refused(
    outer: Callable[[bytes], bytes], inner: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(SourceError, match="within") as caught:
        read(outer(inner(NDJSON)))
    assert caught.value.code == "archive.budget"


@pytest.mark.parametrize("pack", [gz, zst])
def test_bombs_are_refused(pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(b"\n" * (80 << 20))
    with pytest.raises(SourceError, match="256 times") as caught:
        read(bomb, "x.ndjson")
    assert caught.value.code == "archive.budget"


def test_the_absolute_budget() -> None:
    assert len(read(gz(NDJSON), budget=Budget(output_bytes=len(NDJSON)))) == len(LINES)
    with pytest.raises(SourceError) as caught:
        read(gz(NDJSON), budget=Budget(output_bytes=len(NDJSON) - 1))
    assert caught.value.code == "archive.budget"
    assert "stdin: " in str(caught.value)
    assert caught.value.advice


def test_documents_before_the_budget_is_spent_have_been_yielded() -> None:
    data = b"".join(b'{"ID":"%s"}\n' % noise(n).encode() for n in range(10_000))
    source = StandardInput(io.BytesIO(gz(data)), budget=Budget(output_bytes=700_000))
    seen = 0
    with pytest.raises(SourceError):  # noqa: PT012
        for batch in source.batches():
            seen += len(batch)
    assert seen > 500


def test_a_zstd_window_beyond_the_bound_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = compressor.compress(NDJSON) + compressor.flush()
    with pytest.raises(SourceError, match="window") as caught:
        read(packed)
    assert caught.value.code == "archive.budget"


@pytest.mark.parametrize("pack", [gz, zst])
def test_members_that_hold_nothing_are_bounded(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(NDJSON)
    assert contents(read(pack(b"") * 1000 + packed + pack(b"") * 999)) == LINES
    with pytest.raises(SourceError, match="empty") as caught:
        read(packed + pack(b"") * 100_000)
    assert caught.value.code == "archive.budget"


def test_blocks_come_in_bounded_size() -> None:
    data = gzip.compress(b"a" * (20 << 20))
    raw = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    sizes = [len(block) for block in open_blocks(Blocks(raw), Budget())]
    assert sum(sizes) == 20 << 20
    assert max(sizes) <= 17 << 20
