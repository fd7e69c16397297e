"""Define the shape of the store: its tables, and the migration that this code needs."""

from typing import Final

HEAD: Final = "0008"
"""Newest migration, with which this code works."""
FIRST: Final = "0001"
"""First migration."""
VERSION_TABLE: Final = "meta_audit_version"
"""Table with the revision of a store. The name is our own, since others use Alembic too."""
OLD_VERSION_TABLE: Final = "alembic_version"
"""Name of that table in stores made by older versions."""
MARKS: Final = "ledger_entries", "checkpoints", "schema_comments"
"""Tables of every version of a store. No other program is likely to have all of them."""
