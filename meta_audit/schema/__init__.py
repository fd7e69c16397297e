"""The shape of the store: tables, and which migration this code needs."""

from typing import Final

HEAD: Final = "0003"
"""Newest migration, the one that this code works with."""
VERSION_TABLE: Final = "meta_audit_version"
"""Holds the revision of a store. The name is our own: others use Alembic too."""
OLD_VERSION_TABLE: Final = "alembic_version"
"""Its name in stores that were made by version 0.2 and older."""
MARKS: Final = "ledger_entries", "checkpoints", "schema_comments"
"""Tables of every version of a store; no other program is likely to have all of them."""
