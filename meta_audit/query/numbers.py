"""Look up the numbers that the store gave to texts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from meta_audit.nul import escape_nul
from meta_audit.query.texts import storable
from meta_audit.schema.text_digest import digest, pair_digest

if TYPE_CHECKING:
    from meta_audit.store.session import Session


class Numbers:
    """Find numbers in one state of the store, each once; None for a text that it does not know."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._number = cache(self._look_up)

    def key(self, key: str) -> int | None:
        """Return the number of a key of Meta or labels."""
        return self._of_text("SELECT key_id FROM meta_keys WHERE digest = ?", key)

    def pair(self, key: str, value: str) -> int | None:
        """Return the number of a pair of Meta or labels."""
        if not (storable(key) and storable(value)):
            return None
        both = pair_digest(escape_nul(key), escape_nul(value))
        return self._number("SELECT pair_id FROM meta_pairs WHERE digest = ?", both)

    def term(self, term: str) -> int | None:
        """Return the number of a term."""
        return self._of_text("SELECT term_id FROM terms WHERE digest = ?", term)

    def identity(self, value: str) -> int | None:
        """Return the number of an identity."""
        return self._of_text("SELECT identity_id FROM identities WHERE digest = ?", value)

    def _of_text(self, sql: str, text: str) -> int | None:
        return self._number(sql, digest(escape_nul(text))) if storable(text) else None

    def _look_up(self, sql: str, key: bytes) -> int | None:
        found = self._session.query(sql, key)
        return int(found[0][0]) if found else None
