"""Find public keys by their fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from meta_audit.store.session import Session

_KEYS: Final = """
    SELECT DISTINCT r.role, i.identity_id, i.value
    FROM attribution_rules r
    JOIN attribution_members m ON m.rule_id = r.rule_id
    JOIN identities i ON i.identity_id = m.identity_id
    WHERE r.role IN ('client_key', 'requester_key') AND r.verdict <> 'undecodable'"""


def fingerprint_of(role: str, key: str) -> str:
    """Return the fingerprint of the key of a client or requester, "" if it cannot be decoded."""
    if role == "requester_key":
        from meta_audit.identity.keys import key_fingerprint  # noqa: PLC0415 - only with a key

        return key_fingerprint(key)
    from meta_audit.identity.verdicts import check_client  # noqa: PLC0415 - 45 ms, signed jobs only

    return check_client("", key).fingerprint


def keys_with_fingerprint(session: Session, fingerprint: str) -> tuple[int, ...]:
    """Return the numbers of the identities that are keys with this fingerprint."""
    return tuple(
        dict.fromkeys(
            number
            for role, number, key in session.query(_KEYS)
            if fingerprint_of(role, key) == fingerprint
        )
    )
