"""Attribute jobs: the one table from places in a document to who is named there.

Each layout names its places (`Rule`): the role, the basis that the attribution will state, and
the trust that a value from there deserves in a document that came out of an orchestrator:

- `server`: the orchestrator wrote it. This includes client IDs: the legacy API took them only
  with a verified signature (pkg/publicapi/signatures.go, v1.0.3);
- `claimed`: the client sent it and nothing proves it (installation and instance IDs come from
  unauthenticated headers, v1.5.0, pkg/orchestrator/endpoint.go);
- `inferred`: up to v1.4 the legacy API set `Namespace` to the client ID
  (pkg/models/migration/legacy/from.go); used only when nothing else names a client.

In a submission the client's own statement is `claimed`, and `proven` when the signature over
the exact bytes verifies and the key is the client's. What a document that no orchestrator has
accepted says of a requester, and reserved keys in it or in a task's Meta, are findings and
never attributions. In a document that Bacalhau did not write itself, `server` is `claimed`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from meta_audit.decode.text import quote
from meta_audit.identity.client import is_client_id
from meta_audit.identity.confusables import disguise, read_as
from meta_audit.identity.verdicts import KeyCheck, check_client, check_requester, verify_submission
from meta_audit.model import RESERVED_PREFIX, Attribution, Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from meta_audit.model import Role, Trust
    from meta_audit.parse.metadata import KeyReport


class Rule(NamedTuple):
    """One place in a layout that names somebody."""

    role: Role
    basis: str
    trust: Trust


def _meta(role: Role, key: str, trust: Trust) -> Rule:
    return Rule(role, f"meta:{RESERVED_PREFIX}{key}", trust)


META: Final[dict[str, Rule]] = {
    rule.basis.removeprefix("meta:"): rule
    for rule in (
        _meta("requester", "orchestrator.id", "server"),  # v1.5.2 →
        _meta("requester", "requester.id", "server"),  # v1.0.4 →
        _meta("requester_key", "requester.publicKey", "server"),  # v1.0.4 - v1.2.0
        _meta("client", "client.id", "server"),  # v1.0.4 - v1.5.1, legacy API only
        _meta("server_installation", "server.installation.id", "server"),  # v1.5.0 →
        _meta("server_instance", "server.instance.id", "server"),
        _meta("client_installation", "client.installation.id", "claimed"),
        _meta("client_instance", "client.instance.id", "claimed"),
    )
}
"""Reserved keys of a job's Meta in a document of an orchestrator, v1.0.4 and later."""

NAMESPACE: Final = Rule("client", "namespace", "inferred")  # v1.0.4 - v1.4

FLAT: Final = (  # v0.2.9 - v0.3.13
    Rule("requester", "RequesterNodeID", "server"),
    Rule("requester_key", "RequesterPublicKey", "server"),
    Rule("client", "ClientID", "server"),
)
STATUS: Final = (  # v0.3.14 - v0.3.19
    Rule("requester", "Status.Requester.RequesterNodeID", "server"),
    Rule("requester_key", "Status.Requester.RequesterPublicKey", "server"),
)
METADATA: Final = (  # v0.3.22 - v1.0.3; the client from v0.3.14
    Rule("requester", "metadata.Requester.RequesterNodeID", "server"),
    Rule("requester_key", "metadata.Requester.RequesterPublicKey", "server"),
    Rule("client", "metadata.ClientID", "server"),
)
EVENT: Final = (  # v0.2.9 - v1.0.3: `Created` is sent by the requester that accepted the job
    Rule("requester", "SourceNodeID", "server"),
    Rule("requester_key", "SenderPublicKey", "server"),
    Rule("client", "ClientID", "server"),
)
SUBMITTED: Final = Rule("client", "ClientID", "claimed")
SIGNATURE: Final = Rule("client_key", "signature:client_public_key", "claimed")

_NOBODY: Final = re.compile(
    r"""
    none | null | nil | undefined | nan | nat | pd\.na | n/a | true | false | nonetype
    | <(?:nil|null|none|na|n/a|unset|no\ value)> | \((?:nil|null|none)\) | %!\w\(<nil>\)
    | \[object\ \w+\] | <[^<>]*\ at\ 0x[0-9a-f]+> | <(?:bound\ method|class|function|module)\ .*>
    | \{\s*\} | \[\s*\] | \(\s*\) | set\(\)
    | \{\{.*\}\} | \$\{[^{}]*\} | \$\w+ | \$\(.*\) | %\(\w+\)s | %[sdv] | %\w+%
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""Texts that programs print for nothing, and variables and templates that nobody filled in."""

Attributed = tuple[tuple[Attribution, ...], tuple[Finding, ...]]
_CACHED_RESULTS: Final = 8_192
_CACHED_CHARS: Final = 4_096
"""Longest set of values, in characters, whose attributions are remembered."""


def of_meta(
    meta: dict[str, str], report: KeyReport, namespace: str
) -> tuple[str, tuple[Attribution, ...], tuple[Finding, ...]]:
    """Attribute a job of an orchestrator, v1.0.4 and later, by its Meta and namespace.

    Returns the layout that the reserved keys tell, attributions and findings. `report` is that
    of the keys of `meta`.
    """
    keys = report.reserved
    values = tuple([meta[key] for key in keys])
    hexadecimal = namespace if len(namespace) == 64 else ""
    known = _results.get((keys, values, hexadecimal))
    if known is not None:
        return known
    layout = _layout(keys)
    named = [(META[key], value) for key, value in zip(keys, values, strict=True) if key in META]
    if (
        layout < "v1.5"
        and not meta.get(f"{RESERVED_PREFIX}client.id")
        and is_client_id(hexadecimal)
    ):
        named.append((NAMESPACE, hexadecimal))
    attributions, findings = attribute(named)
    result = (layout, attributions, _lookalikes(keys) + findings)
    if sum(map(len, keys)) + sum(map(len, values)) <= _CACHED_CHARS:
        if len(_results) >= _CACHED_RESULTS:
            _results.clear()
        _results[keys, values, hexadecimal] = result
    return result


_results: dict[
    tuple[tuple[str, ...], tuple[str, ...], str],
    tuple[str, tuple[Attribution, ...], tuple[Finding, ...]],
] = {}
"""Requesters and clients repeat from job to job."""


def _lookalikes(reserved: Iterable[str]) -> tuple[Finding, ...]:
    """Return a finding for each reserved key that a reader takes for one that names somebody."""
    return tuple(
        Finding("reserved.lookalike", f"job Meta: key {quote(key)}")
        for key in reserved
        if key not in META and read_as(key) in _READ_AS
    )


_READ_AS: Final = frozenset(map(read_as, META))


def _layout(reserved: Collection[str]) -> str:
    """Tell the version that first wrote these reserved keys (docs/bacalhau.md)."""
    names = {key.removeprefix(RESERVED_PREFIX) for key in reserved}
    if "orchestrator.id" in names:
        return "v1.5.2"
    if not names.isdisjoint(_SINCE_V1_5):
        return "v1.5.0"
    if "requester.id" in names and "requester.publicKey" not in names:
        return "v1.2.1"
    return "v1.0.4"


_SINCE_V1_5: Final = frozenset(
    ("server.installation.id", "server.instance.id", "client.installation.id", "client.instance.id")
)


def attribute(named: Iterable[tuple[Rule, str]]) -> Attributed:
    """Attribute the values that a document of an orchestrator names; empty ones say nothing.

    Verdicts: the requester's ID against its key, the same for both; `no_key` for the rest.
    """
    findings: list[Finding] = []
    named = _somebody(named, findings)
    keys = [value for rule, value in named if rule.role == "requester_key"]
    ids = [value for rule, value in named if rule.role == "requester"]
    key = keys[0] if keys else None
    checks = {value: check_requester(value, key) for value in ids}
    of_key = checks[ids[0]] if ids else check_requester("", key)
    if not ids:  # nothing to check the key against
        of_key = KeyCheck("no_key" if of_key.fingerprint else "undecodable", of_key.fingerprint)
    findings += _conflicts(named)
    for value, check in checks.items():
        if check.verdict == "mismatch":
            findings.append(_mismatch("requester", value))
    if key is not None and not of_key.fingerprint:
        findings.append(Finding("identity.undecodable_key", f"requester's key {quote(key)}"))
    attributions = []
    for rule, value in named:
        check = checks[value] if rule.role == "requester" else of_key
        by_key = rule.role in ("requester", "requester_key")
        verdict = check.verdict if by_key else "no_key"
        attributions.append(Attribution(rule.role, value, rule.basis, rule.trust, verdict))
    return tuple(attributions), tuple(findings)


def of_submission(
    client: str, other: str, signed: tuple[str, str] | None, raw: bytes | None
) -> Attributed:
    """Attribute what a client sent, v0.2.9 to v1.1.

    `client` is the payload's ClientID, `other` one that the job inside states itself; `signed`
    is the client's key and the signature, None of an unsigned payload; `raw` the payload's
    exact bytes, None where the document does not have them (YAML).
    """
    findings: list[Finding] = []
    named = _somebody(((SUBMITTED, client), (SUBMITTED, other)), findings)
    findings += _conflicts(named)
    client = named[0][1] if named else ""
    if signed is None:
        check, verified = KeyCheck("no_key", ""), False
    else:
        key, signature = signed
        check = check_client(client, key)
        verified = _verify(raw, signature, key, findings)
        if check.verdict == "undecodable":
            findings.append(Finding("identity.undecodable_key", f"client's key {quote(key)}"))
        elif check.verdict == "mismatch" and client:
            findings.append(_mismatch("client", client))
    attributions = []
    if client:
        trust: Trust = "proven" if verified and check.verdict == "match" else "claimed"
        attributions.append(Attribution("client", client, SUBMITTED.basis, trust, check.verdict))
    if signed is not None and signed[0]:
        trust = "proven" if verified else "claimed"
        attributions.append(
            Attribution("client_key", signed[0], SIGNATURE.basis, trust, check.verdict)
        )
    return tuple(attributions), tuple(findings)


def as_claimed(attributions: tuple[Attribution, ...]) -> tuple[Attribution, ...]:
    """Return attributions of a document that has passed through other hands than Bacalhau's."""
    return tuple(replace(a, trust="claimed") if a.trust == "server" else a for a in attributions)


def names_nobody(value: str) -> bool:
    """Tell whether a text is what programs print for nothing."""
    return _NOBODY.fullmatch(value) is not None


def _somebody(named: Iterable[tuple[Rule, str]], findings: list[Finding]) -> list[tuple[Rule, str]]:
    """Keep the values that can name somebody."""
    kept = []
    for rule, value in named:
        if names_nobody(value):
            detail = f"{rule.role}: {rule.basis} {quote(value)}"
            findings.append(Finding("identity.no_value", detail))
        elif value:
            kept.append((rule, value))
            if not rule.role.endswith("_key") and (odd := disguise(value)):
                detail = f"{rule.role}: {rule.basis} {quote(value)} has {odd}"
                findings.append(Finding("identity.lookalike", detail))
    return kept


def _verify(raw: bytes | None, signature: str, key: str, findings: list[Finding]) -> bool:
    if raw is None:
        detail = "the signed bytes are not known: only JSON keeps them"
        findings.append(Finding("signature.unverifiable", detail))
        return False
    verdict = verify_submission(raw, signature, key)
    if verdict == "invalid":
        detail = "the payload is not what the holder of client_public_key signed"
        findings.append(Finding("signature.invalid", detail))
    elif verdict == "undecodable":
        detail = f"signature {quote(signature)} with key {quote(key)}"
        findings.append(Finding("signature.unverifiable", detail))
    return verdict == "valid"


def _conflicts(named: Iterable[tuple[Rule, str]]) -> Iterable[Finding]:
    """Yield a finding for each role that two places name differently."""
    first: dict[str, tuple[Rule, str]] = {}
    for rule, value in named:
        known, said = first.setdefault(rule.role, (rule, value))
        if said != value:
            yield Finding(
                "identity.conflict",
                f"{rule.role}: {known.basis} says {quote(said)}, {rule.basis} {quote(value)}",
            )


def _mismatch(role: str, value: str) -> Finding:
    return Finding("identity.mismatch", f"{role} {quote(value)} is not the ID of its public key")
