"""Texts of PostgreSQL that are not UTF-8, which only a superuser can have written."""

from __future__ import annotations

from psycopg.adapt import Buffer, Loader


class TolerantLoader(Loader):
    """Gives lone surrogates for bytes that are no UTF-8."""

    def load(self, data: Buffer) -> str:
        """Decode one text."""
        return bytes(data).decode(errors="surrogateescape")
