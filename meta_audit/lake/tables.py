"""Define the tables of a lake: the views of the contract, and what proves them."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from meta_audit.schema.contract import CONTRACT

if TYPE_CHECKING:
    import pyarrow as pa

STORE: Final = "store"
"""Column with the store that a row is from: the origin of its checkpoints."""
OF_JOBS: Final = tuple(
    view
    for view, (_, promises) in CONTRACT.items()
    if view != "v_job_meta" and any(promise.column == "job_key" for promise in promises)
)
"""Views whose rows belong to jobs: those of a job are replaced whenever a document tells of it."""
NUMBERS: Final = "job_numbers"
"""Table in which the number of a job is looked up by its ID. Rows are only added."""
_NUMBERS: Final = (("id_hash", "integer"), ("job_key", "integer"))
WHOLE: Final = (
    *("v_imports", "v_sources", "v_rejections", "v_readings", "v_aliases", "v_questions", "v_keys"),
)
"""Small views, of which each sync replaces all rows of the store."""
UNSIGNED: Final = ("v_imports", "v_sources", "v_aliases", "v_questions", "v_keys")
"""Views with rows that no entry holds, so that a lake alone cannot prove them."""
LEDGER: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "entries": (
        ("entry_index", "integer"),
        ("kind", "text"),
        ("type", "text"),
        ("priority", "integer"),
        ("count", "integer"),
        ("leaf_prefix", "integer"),
        ("entry", "binary"),
    ),
    "documents": (
        ("entry_index", "integer"),
        ("sha256", "binary"),
        ("size", "integer"),
        ("content", "binary"),
    ),
}
"""Tables of the ledger (docs/ledger.md), to which rows are only added.

`entry`, `sha256` and `size` are null where they follow from other tables or from `content`.
"""
LEAF_PREFIX_BYTES: Final = 4
"""Bytes of the hash of a leaf that are kept: they name the entry that was changed."""
FORM: Final = "2"
"""Form of the tables: another one means that they are read in another way."""
CHECKPOINTS: Final = (
    ("checkpoint_id", "integer"),
    ("tree_size", "integer"),
    ("note", "text"),
    ("verifier", "text"),
)
"""Columns of the table `checkpoints`, of which each sync replaces all rows of the store."""
TABLES: Final = (*LEDGER, *OF_JOBS, NUMBERS, "checkpoints", *WHOLE)


def columns(table: str) -> tuple[tuple[str, str], ...]:
    """Return the columns of a table and their types in the contract, without `store`."""
    if table in LEDGER:
        return LEDGER[table]
    if table == "checkpoints":
        return CHECKPOINTS
    if table == NUMBERS:
        return _NUMBERS
    return tuple((promise.column, promise.type) for promise in CONTRACT[table][1])


@lru_cache
def exact_times(table: str) -> dict[str, str]:
    """Return the columns with times, each with the one that has its nanoseconds."""
    named = dict(columns(table))
    pairs = ((name, f"{name.removesuffix('_at')}_ns") for name in named if named[name] == "time")
    return {time: exact for time, exact in pairs if exact in named}


def order(table: str) -> str:
    """Return the column by which the rows of a file are sorted.

    In the order of numbers most columns are small, and one job is in one row group. Only the table
    in which numbers are looked up has the order of the hashes of IDs.
    """
    names = [name for name, _ in columns(table)]
    return "job_key" if "job_key" in names and table != NUMBERS else names[0]


def id_hash(job_id: str) -> int:
    """Return the number that the first 4 bytes of the SHA-256 of an ID make."""
    return int.from_bytes(sha256(job_id.encode(errors="surrogatepass")).digest()[:4], "big")


def arrow_schema(table: str) -> pa.Schema:
    """Return the columns of a table as Arrow has them."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    types = {
        "text": pa.string(),
        "json": pa.string(),
        "integer": pa.int64(),
        "time": pa.timestamp("us", "UTC"),
        "binary": pa.binary(),
    }
    fields = [pa.field(name, types[type_]) for name, type_ in columns(table)]
    return pa.schema([pa.field(STORE, pa.string()), *fields])
