"""Flow-style YAML and near-JSON against the answers of sigs.k8s.io/yaml v1.3.0 (`go_yaml.json`).

So does Bacalhau's command line read `.json` files: with trailing commas, comments, single quotes
and unquoted scalars.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from meta_audit.decode import decode_yaml
from meta_audit.errors import RejectedError
from tests.decode.values import plainly

CASES: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "go_yaml.json").read_text("utf-8")
)

STRICTER: Final = {
    "{a: 1}\n---\n{b: 2}": "trailing_data",  # Go drops the second document.
    "{a: !foo x}": "yaml.tag",
    "{a:,}": "yaml.syntax",  # Go makes the key "a:" of it.
}
LOOSER: Final = {'{"a":"x\\/y"}': {"a": "x/y"}}
"""An escape of JSON that go-yaml does not know."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["yaml"]))
def test_as_go_yaml(case: dict[str, Any]) -> None:
    text = case["yaml"]
    if text in STRICTER or ("error" in case and text not in LOOSER):
        with pytest.raises(RejectedError) as caught:
            decode_yaml(text.encode())
        assert caught.value.reason == STRICTER.get(text, caught.value.reason)
    else:
        wanted = LOOSER[text] if text in LOOSER else case["json"]
        assert plainly(decode_yaml(text.encode()).value) == wanted
