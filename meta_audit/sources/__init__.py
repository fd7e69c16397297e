"""From what a user names to `model.Document` and `model.Rejection` values, as a stream.

`find` expands arguments to sources; a `Source` is read in batches. Memory is bounded by a few
blocks and one document, whatever the size of the source.
"""

from meta_audit.cut.blocks import Item
from meta_audit.sources.compression import Budget
from meta_audit.sources.file import Source
from meta_audit.sources.regular_file import digest
from meta_audit.sources.walk import Found, Skipped, Unreadable, find

__all__ = ["Budget", "Found", "Item", "Skipped", "Source", "Unreadable", "digest", "find"]
