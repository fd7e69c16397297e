"""Stage changes of a table of a lake without copying its whole metadata at every look.

PyIceberg copies each snapshot of the table a dozen times per commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.table import Transaction

if TYPE_CHECKING:
    from pyiceberg.table.metadata import TableMetadata


class QuickTransaction(Transaction):
    """Change a table, and apply each staged change to its metadata once."""

    _of: tuple[object, object] = (None, None)
    """The metadata of the table, and the staged changes, that `_applied` comes from."""
    _applied: TableMetadata

    @property
    def table_metadata(self) -> TableMetadata:
        """Return the metadata with all staged changes."""
        metadata, updates = self._of
        if metadata is not self._table.metadata or updates is not self._updates:
            self._of = (self._table.metadata, self._updates)
            self._applied = super().table_metadata
        return self._applied
