"""Rank attributions, and find the fingerprints of the keys that match them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.model import TRUSTS
from meta_audit.query.public_keys import fingerprint_of
from meta_audit.query.results import TracedAttribution

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLES: Final = (
    "requester",
    "requester_key",
    "client",
    "client_key",
    "server_installation",
    "server_instance",
    "client_installation",
    "client_instance",
)
"""Roles in the order in which they are shown (`model.Role`)."""
ID_OF_KEY: Final = {"requester_key": "requester", "client_key": "client"}
"""Role of a key: the role of the ID that belongs to it."""


class AttributionRow(NamedTuple):
    """Hold an attribution, as the store has it."""

    role: str
    value: str
    basis: str
    trust: str
    verdict: str

    @property
    def rank(self) -> tuple[int, int, str, str]:
        """Return its sort key: by role, the best trust first, as in the view `v_jobs`."""
        return ROLES.index(self.role), TRUSTS.index(self.trust), self.basis, self.value


def best(found: Iterable[AttributionRow], role: str) -> tuple[str | None, str | None]:
    """Return the value and trust of the best attribution in a role, or None and None."""
    row = min((row for row in found if row.role == role), key=lambda row: row.rank, default=None)
    return (row.value, row.trust) if row else (None, None)


def in_order(found: Iterable[AttributionRow]) -> tuple[TracedAttribution, ...]:
    """Return attributions by rank, each with the fingerprint of the key that it is or matches."""
    ranked = sorted(found, key=lambda row: row.rank)
    keys = {row: _fingerprint(row) for row in ranked if row.role in ID_OF_KEY}
    matched: dict[str, str] = {}
    for row, shown in keys.items():
        matched.setdefault(ID_OF_KEY[row.role], shown)
    return tuple(
        TracedAttribution(
            *row, keys.get(row) or (row.verdict == "match" and matched.get(row.role)) or ""
        )
        for row in ranked
    )


def _fingerprint(key: AttributionRow) -> str:
    return "" if key.verdict == "undecodable" else fingerprint_of(key.role, key.value)
