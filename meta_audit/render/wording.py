"""Say for people what the words of the store mean."""

from __future__ import annotations

from typing import Final

TRUST: Final = {
    "proven": "proven: a signature over the document verifies",
    "server": "server: set by the orchestrator, not signed",
    "claimed": "claimed: sent by the client, nothing proves it",
    "inferred": "inferred: from the namespace, as Bacalhau up to v1.4 filled it",
    "unsubmitted": "unsubmitted: from a spec that no orchestrator accepted",
}
VERDICT: Final = {
    "match": "the ID belongs to its public key",
    "mismatch": "THE ID DOES NOT BELONG TO THE PUBLIC KEY",
    "no_key": "no public key to check it against",
    "not_a_peer_id": "not a peer ID, so no key could prove it",
    "undecodable": "its public key cannot be decoded",
}
ROLE: Final = {
    "requester": "requester",
    "requester_key": "requester's key",
    "client": "client",
    "client_key": "client's key",
    "server_installation": "server installation",
    "server_instance": "server instance",
    "client_installation": "client installation",
    "client_instance": "client instance",
}
ORIGIN: Final = {
    "orchestrator": "orchestrator document",
    "submission": "submission by a client; no orchestrator had accepted it yet",
    "spec": "spec that was never submitted: it proves nothing about anyone",
    "event": "network event (v0.x) that carried the job",
    "activity": "executions or events only: no document of the job itself was seen",
}
STYLE: Final = {"critical": "red", "warning": "yellow", "info": "dim"}
"""Severity of a finding: the style in which it is shown."""
