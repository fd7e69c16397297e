"""From what a user names to `model.Document` and `model.Rejection` values, as a stream.

`find` expands arguments to sources; a `Source` is read in batches. Memory is bounded by a few
blocks and one document, whatever the size of the source.
"""

from meta_audit.sources.blocks import Item
from meta_audit.sources.compression import Budget
from meta_audit.sources.find import Found, Skipped, Unreadable, find
from meta_audit.sources.opening import digest
from meta_audit.sources.source import Source

__all__ = ["Budget", "Found", "Item", "Skipped", "Source", "Unreadable", "digest", "find"]
