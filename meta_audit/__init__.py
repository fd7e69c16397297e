"""Metadata audit and traceability store for Bacalhau jobs.

`meta_audit.open` opens a store to ask it questions (docs/python.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.version import __version__

if TYPE_CHECKING:
    from meta_audit.api import AuditStore, check_proof, open

__all__ = ["AuditStore", "__version__", "check_proof", "open"]


def __getattr__(name: str) -> object:
    """Import the interface when it is used, so that the command line starts at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from meta_audit import api

    return getattr(api, name)
