"""Bring a lake up to the newest checkpoint of a store.

Each table keeps the position that it has reached in its properties, which a commit changes
together with its rows. So a sync that was killed anywhere goes on from there: nothing is lost, and
nothing is there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.collector import without_collector
from meta_audit.errors import NotFoundError
from meta_audit.lake.arrow import as_arrow
from meta_audit.lake.catalog import position, put
from meta_audit.lake.readout import Readout, steps
from meta_audit.lake.tables import LEDGER, NUMBERS, OF_JOBS, TABLES, WHOLE
from meta_audit.ledger.checkpoint import Checkpoint
from meta_audit.ledger.note import Note
from meta_audit.schema.contract import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.table import Table

    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.told import Columns
    from meta_audit.store.session import Session

ENTRIES_PER_STEP: Final = 100_000
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

    def run(self) -> Synced:
        """Add what is missing. Raises `NotFoundError` for a store without a checkpoint."""
        with without_collector():
            return self._run()

    def _run(self) -> Synced:
        found = self._session.query(_NEWEST)
        if not found:
            raise NotFoundError(
                "the store has no checkpoint yet", advice="An import that ends makes one."
            )
        checkpoint = Checkpoint.parse(Note.parse(found[0][0]).text)
        store, end = checkpoint.origin, checkpoint.size
        before = min(position(self._lake.made(name, VERSION), store) for name in TABLES)
        readout = Readout(self._session, before, end)
        for low, high in steps(before, end, self._step):
            for name in (*OF_JOBS, NUMBERS, *LEDGER):
                table = self._lake.table(name)  # another sync may have added rows meanwhile
                start = max(low, position(table, store))
                if start < high:
                    _add(table, readout, store, start, high)
            self._reached(high, end)
        self._replace("checkpoints", store, readout.checkpoints(), end)
        for name in WHOLE:
            self._replace(name, store, readout.whole(name), end)
        return Synced(store, before, end)

    def _replace(self, name: str, store: str, found: Columns, end: int) -> None:
        put(self._lake.table(name), as_arrow(name, store, found), store, end, replace_all=True)


def _add(table: Table, readout: Readout, store: str, low: int, high: int) -> None:
    """Add the rows that some entries bring to a table."""
    name = table.name()[-1]
    if name == "documents":
        put(table, as_arrow(name, store, readout.documents(low, high)), store, high)
    elif name == NUMBERS:
        put(table, as_arrow(name, store, readout.numbers(low, high)), store, high)
    elif name == "entries":
        rows = as_arrow(name, store, readout.entries(low, high))
        put(table, rows, store, high, filling=readout.no_longer(low, high))
    else:
        found, known = readout.rows(name, low, high)
        put(table, as_arrow(name, store, found), store, high, replacing=known)
