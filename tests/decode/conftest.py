from __future__ import annotations

from pathlib import Path

import pytest

_CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real documents, which stand beside the repository and are not part of it."""
    if not _CORPUS.is_dir():
        pytest.skip("no corpus beside the repository")
    return _CORPUS


@pytest.fixture(scope="session")
def naughty_strings(corpus: Path) -> list[str]:
    import json

    listed = json.loads((corpus / "naughty-strings/blns.json").read_text("utf-8"))
    raw = (corpus / "naughty-strings/bad_strings_full.txt").read_bytes()
    lines = raw.decode("utf-8", "ignore").split("\n")
    strings = sorted({text for text in [*listed, *lines] if "\0" not in text})
    assert len(strings) > 500
    return strings
