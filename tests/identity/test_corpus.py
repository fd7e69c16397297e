"""Every complete pair of an ID and a key in the corpus of real documents."""

import re
from pathlib import Path

import msgspec
import pytest

from meta_audit.identity.verdicts import check_client, check_requester, verify_submission
from tests.identity.samples import real_pairs

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus/bacalhau"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the repo")

# A requester's ID and key follow one another in every layout, in either case of the names.
PAIR = re.compile(
    r"""(?:requester(?:Node)?\.?ID|\bID)['"]?\s*:\s*['"]?(?P<id>[^\s'",]+)['"]?,?\s*"""
    r"""['"]?(?:bacalhau\.org/)?(?:requester\.?)?PublicKey['"]?\s*:\s*['"]?(?P<key>[^\s'",]+)""",
    re.IGNORECASE,
)


def texts() -> dict[str, str]:
    return {
        path.name: path.read_text("utf-8")
        for path in sorted(CORPUS.iterdir())
        if path.name != "INDEX.tsv"
    }


def test_every_complete_requester_matches() -> None:
    verdicts: dict[str, set[str]] = {}
    for text in texts().values():
        for found in PAIR.finditer(text):
            verdict = check_requester(found["id"], found["key"]).verdict
            verdicts.setdefault(verdict, set()).add(found["id"])
    assert verdicts["match"] == {pair.id for pair in real_pairs()}
    assert "mismatch" not in verdicts
    # Keys that are cut short ("...") beside real IDs, and the made-up IDs of two test files.
    assert "QmfZwnVWYjHSchAVxJqXn18Bvd1cpG2ATRYceBBvUGZf2f" in verdicts["undecodable"]
    assert len(verdicts["not_a_peer_id"]) == 20


def test_every_complete_submission_is_the_client_s_and_verifies() -> None:
    verdicts = []
    for name, text in texts().items():
        if "client_public_key" not in text or not name.endswith(".json"):
            continue
        parts = msgspec.json.decode(text.encode(), type=dict[str, msgspec.Raw])
        payload = bytes(parts.get("job_create_payload", parts.get("data", b"")))
        key = msgspec.json.decode(parts["client_public_key"])
        signature = msgspec.json.decode(parts["signature"])
        client = msgspec.json.decode(payload)["ClientID"]
        verdict = check_client(client, key).verdict
        verdicts.append((name, verdict, verify_submission(payload, signature, key)))
    assert verdicts == [
        ("4319c5b5d448.json", "undecodable", "undecodable"),
        ("b2414b3b8555.json", "match", "valid"),
    ]
