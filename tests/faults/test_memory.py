"""The memory test in its short form; `make faults` runs the long one."""

from __future__ import annotations

import json
import sys

import pytest

from tests.faults.memory import measure

LIMIT = 200_000_000
"""Bytes of the largest process: half of what is promised at any size."""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_stream_takes_little_memory() -> None:
    largest, _, summary = measure("usual", 12_000_000)
    assert json.loads(summary)["new"] > 8_000
    assert largest < LIMIT
