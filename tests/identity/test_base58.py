"""base58btc: a bijection, bounded in the work it does."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.identity import base58


@given(st.binary(max_size=64))
def test_bytes_round_trip(data: bytes) -> None:
    assert base58.decode(base58.encode(data)) == data


@given(st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", max_size=128))
def test_text_round_trips_so_that_no_two_texts_are_one_id(text: str) -> None:
    data = base58.decode(text)
    assert data is not None
    assert base58.encode(data) == text


@given(st.text(st.characters(), max_size=200))
def test_no_text_raises(text: str) -> None:
    base58.decode(text)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b""),
        ("1", b"\0"),
        ("111", b"\0\0\0"),
        ("2NEpo7TZRRrLZSi2U", b"Hello World!"),
        ("11233QC4", bytes.fromhex("0000287fb4cd")),
    ],
)
def test_known_values(text: str, data: bytes) -> None:
    """The examples of the base58 Internet-Draft (draft-msporny-base58)."""
    assert base58.encode(data) == text
    assert base58.decode(text) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "Qm ", "Qm\n", "é", "\ud800", "١"])
def test_other_characters_are_refused(text: str) -> None:
    assert base58.decode(text) is None


def test_length_is_bounded_before_any_work() -> None:
    assert base58.decode("1" * base58.MAX_CHARS) is not None
    assert base58.decode("1" * (base58.MAX_CHARS + 1)) is None
    begin = time.process_time()
    assert base58.decode("z" * 1_000_000) is None
    assert time.process_time() - begin < 2
