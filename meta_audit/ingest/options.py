"""Options of an import, and its limits."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from meta_audit.cut.blocks import BLOCK_BYTES


class Limits(Struct, frozen=True):
    """Sizes and times of an import. Tests make them small."""

    chunk_documents: int = 8_000
    """Most documents of one transaction."""
    first_chunk_documents: int = 3_000
    """Most documents of the first one: enough to train a compression dictionary with."""
    chunk_bytes: int = 16_000_000
    """Bytes of documents that fill a transaction."""
    chunk_events: int = 60_000
    """Most events of sources in one transaction: a folder of known files brings nothing else."""
    block_bytes: int = BLOCK_BYTES
    """Bytes of a source that are read at once."""
    resume_bytes: int = 1_000_000
    """Least size of a file of lines that is looked up by its name, to read what is new only."""
    training_bytes: int = 1_000_000
    """Fewer bytes of documents are not worth a compression dictionary."""
    commit_seconds: float = 2.0
    """Longest time that documents wait to be committed if they cannot be read again."""
    end_seconds: float = 5.0
    """Time limit for recording the end of an import that failed."""


DEFAULT_LIMITS: Final = Limits()


class Options(Struct, frozen=True):
    """Hold the choices of a user."""

    jobs: int = 0
    """Processes that parse beside this one."""
    coerce_scalars: bool = False
    """Take scalars that are no text as text, as Bacalhau did before v1.4."""
    checkpoint_log: str | None = None
    """File of checkpoints outside the database."""
    limits: Limits = DEFAULT_LIMITS


DEFAULT_OPTIONS: Final = Options()
