"""From what a user names to `model.Document` and `model.Rejection` values, as a stream.

`find` expands arguments to sources; a `Source` is read in batches. Memory is bounded by a few
blocks and one document, whatever the size of the source.
"""

from meta_audit.cut.blocks import Item, Partial
from meta_audit.sources.compression import Budget
from meta_audit.sources.content_memory import ContentMemory, memory_file
from meta_audit.sources.files import File, digest, display
from meta_audit.sources.followed import follow
from meta_audit.sources.grown import Prefix, find_grown, may_grow
from meta_audit.sources.interface import Archive, Discovered, Skipped, Source, Stamp, Unreadable
from meta_audit.sources.standard_input import StandardInput
from meta_audit.sources.walk import find

__all__ = [
    "Archive",
    "Budget",
    "ContentMemory",
    "Discovered",
    "File",
    "Item",
    "Partial",
    "Prefix",
    "Skipped",
    "Source",
    "Stamp",
    "StandardInput",
    "Unreadable",
    "digest",
    "display",
    "find",
    "find_grown",
    "follow",
    "may_grow",
    "memory_file",
]
