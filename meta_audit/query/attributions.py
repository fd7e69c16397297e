"""Who, out of several attributions, and the fingerprints of the keys that prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.results import Attribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TRUSTS: Final = ("proven", "server", "claimed", "inferred", "unsubmitted")
"""From the best to the worst."""
_ID_OF_KEY: Final = {"requester_key": "requester", "client_key": "client"}

Row = tuple[str, str, str, str, str]
"""Role, value, basis, trust, verdict."""


def best(found: Iterable[tuple[str, str, str]], role: str) -> tuple[str | None, str | None]:
    """Return the value and trust of the best among (role, value, trust), the first of equals."""
    of_role = [(TRUSTS.index(trust), value) for r, value, trust in found if r == role]
    if not of_role:
        return None, None
    rank, value = min(of_role, key=lambda pair: pair[0])
    return value, TRUSTS[rank]


def with_fingerprints(found: Sequence[Row]) -> tuple[Attribution, ...]:
    """Return attributions with the fingerprint of the key that each one is, or matches."""
    keys = {row[0]: _fingerprint(*row) for row in found if row[0] in _ID_OF_KEY}
    of_id = {_ID_OF_KEY[role]: shown for role, shown in keys.items()}
    return tuple(
        Attribution(
            *row, keys.get(row[0]) or (of_id.get(row[0], "") if row[4] == "match" else "")
        )
        for row in found
    )


def _fingerprint(role: str, value: str, _basis: str, _trust: str, verdict: str) -> str:
    if verdict == "undecodable":
        return ""
    if role == "requester_key":
        from meta_audit.identity.keys import key_fingerprint  # noqa: PLC0415 - only with a key

        return key_fingerprint(value)
    from meta_audit.identity.checks import check_client  # noqa: PLC0415 - 45 ms, signed jobs only

    return check_client("", value).fingerprint
