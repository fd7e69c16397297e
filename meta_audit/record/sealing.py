"""Sign a checkpoint at the end of each import, in the transaction that ends it.

The tree goes on from the frontier of the checkpoint before, so that the cost of a checkpoint
is that of the entries since.
"""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.ledger.checkpoint import Checkpoint
from meta_audit.ledger.custody import Custody, Extent, SourcesDigest
from meta_audit.ledger.merkle import Tree
from meta_audit.ledger.note import Note, SigningKey
from meta_audit.schema.signed_rows import custody, extent
from meta_audit.schema.tables import columns
from meta_audit.store.session import row

if TYPE_CHECKING:
    from meta_audit.store.session import Session

ENTRIES_PER_QUERY: Final = 20_000
_LAST: Final = """
    SELECT checkpoint_id, tree_size, frontier, note FROM checkpoints
    ORDER BY checkpoint_id DESC LIMIT 1"""
_ENTRIES: Final = f"""
    SELECT leaf_hash, source_id FROM ledger_entries WHERE entry_index >= ?
    ORDER BY entry_index LIMIT {ENTRIES_PER_QUERY}"""  # noqa: S608


class Sealed(NamedTuple):
    """The checkpoint of an import."""

    checkpoint: Checkpoint
    note: str
    """Signed."""
    new_verifier: str
    """The verifier key, if it signed for this store for the first time; else empty."""


class Sealer:
    """Make the checkpoint of one import."""

    def __init__(self, session: Session, key: SigningKey) -> None:
        self._session = session
        self._key = key
        self._since = -1
        """The checkpoint that the tree went on from."""
        self._last: tuple[int, bytes] | None = None
        """The last entry that was taken in, and its leaf."""

    def advance(self) -> None:
        """Take in the entries that were added since the last checkpoint."""
        rows = self._session.query(_LAST)
        last, size, frontier, note = rows[0] if rows else (0, 0, b"", "")
        if last != self._since or not self._has_last():
            self._since, self._last = last, None
            self._tree = Tree(size, bytes(frontier))
            self._first, self._sources = size, SourcesDigest()
            self._before, self._origin = Extent(), f"meta-audit/{token_hex(8)}"
            if note:
                checkpoint = Checkpoint.parse(Note.parse(note).text)
                self._origin = checkpoint.origin
                self._before = Custody.parse(checkpoint.extensions).extent
        while entries := self._session.query(_ENTRIES, self._tree.size):
            self._tree.extend([bytes(leaf) for leaf, _ in entries])
            self._sources.extend([source for _, source in entries])
            self._last = (self._tree.size - 1, bytes(entries[-1][0]))

    def seal(self, import_id: int) -> Sealed:
        """Sign and keep the checkpoint, within the transaction that ends the import."""
        query = self._session.query
        self.advance()
        line = custody(
            query, import_id, self._before, extent(query), self._sources.row(self._first)
        )
        key = SigningKey(self._origin, self._key.seed)
        checkpoint = Checkpoint(self._origin, self._tree.size, self._tree.root(), (str(line),))
        note = checkpoint.sign(key)
        size, frontier = self._tree.size, self._tree.frontier
        values = row(self._since + 1, import_id, size, frontier, note)
        self._session.insert("checkpoints", columns("checkpoints"), values)
        return Sealed(checkpoint, note, self._introduce(str(key.verifier), import_id))

    def _has_last(self) -> bool:
        """Tell whether the store still has it: a standby that took over may lack it."""
        sql = "SELECT 1 FROM ledger_entries WHERE entry_index = ? AND leaf_hash = ?"
        return self._last is None or bool(self._session.query(sql, *self._last))

    def _introduce(self, verifier: str, import_id: int) -> str:
        """Keep the public key where it is new."""
        known = self._session.query("SELECT verifier, key_no FROM ledger_keys")
        if verifier in dict(known):
            return ""
        values = row(len(known) + 1, verifier, import_id)
        self._session.insert("ledger_keys", columns("ledger_keys"), values)
        return verifier
