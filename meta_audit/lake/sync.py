"""Bring a lake up to the newest checkpoint of a store.

Each table keeps the position that it has reached in its properties, which a commit changes
together with its rows. So a sync that was killed anywhere goes on from there: nothing is lost, and
nothing is there twice.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.errors import NotFoundError
from meta_audit.lake import readout
from meta_audit.lake.catalog import position, put
from meta_audit.lake.tables import LEDGER, OF_JOBS, TABLES, WHOLE
from meta_audit.ledger.checkpoint import Checkpoint
from meta_audit.ledger.note import Note
from meta_audit.schema.contract import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.table import Table

    from meta_audit.lake.catalog import Lake
    from meta_audit.store.session import Session

ENTRIES_PER_STEP: Final = 50_000
"""Entries whose rows are committed together: they are in memory at once."""
_NEWEST: Final = "SELECT note FROM checkpoints ORDER BY checkpoint_id DESC LIMIT 1"


class Synced(NamedTuple):
    """Tell what a sync did."""

    store: str
    """Origin of the store's checkpoints."""
    before: int
    """Entries whose rows were all in the lake before."""
    now: int


class Sync:
    """Bring a lake up to the newest checkpoint, within one state of the store."""

    def __init__(
        self,
        session: Session,
        lake: Lake,
        reached: Callable[[int, int], None],
        *,
        step: int = ENTRIES_PER_STEP,
    ) -> None:
        self._session = session
        self._lake = lake
        self._reached = reached
        self._step = step
        self._touched = lru_cache(maxsize=2)(lambda low, high: readout.Touched(session, low, high))

    def run(self) -> Synced:
        """Add what is missing. Raises `NotFoundError` for a store without a checkpoint."""
        found = self._session.query(_NEWEST)
        if not found:
            raise NotFoundError(
                "the store has no checkpoint yet", advice="An import that ends makes one."
            )
        checkpoint = Checkpoint.parse(Note.parse(found[0][0]).text)
        store, end = checkpoint.origin, checkpoint.size
        before = min(position(self._lake.made(name, VERSION), store) for name in TABLES)
        for low, high in readout.steps(before, end, self._step):
            for name in (*OF_JOBS, *LEDGER):
                table = self._lake.table(name)  # another sync may have added rows meanwhile
                start = max(low, position(table, store))
                if start < high:
                    self._add(table, store, start, high, end)
            self._reached(high, end)
        self._replace("checkpoints", store, readout.checkpoints(self._session, end), end)
        for name in WHOLE:
            self._replace(name, store, readout.whole(self._session, name, end), end)
        return Synced(store, before, end)

    def _replace(self, name: str, store: str, found: list[list[Any]], end: int) -> None:
        put(
            self._lake.table(name),
            readout.as_arrow(name, store, found),
            store,
            end,
            replace_all=True,
        )

    def _add(self, table: Table, store: str, low: int, high: int, end: int) -> None:
        session, name = self._session, table.name()[-1]
        if name == "documents":
            found = readout.documents(session, low, high)
        elif name == "entries":
            found = readout.entries(session, self._touched(low, high), low, high)
        else:
            touched = self._touched(low, high)
            replaced = readout.as_arrow(name, store, touched.rows(name, end))
            put(table, replaced, store, high, replacing=touched.known)
            return
        put(table, readout.as_arrow(name, store, found), store, high)
