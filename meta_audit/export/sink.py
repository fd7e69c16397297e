"""Turn what writes to a file into a stream."""

from __future__ import annotations

from io import BytesIO


class Sink(BytesIO):
    """Take what is written, until it is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._before = 0
        """Bytes that were fetched."""

    def tell(self) -> int:
        """Return how much was written in all."""
        return self._before + super().tell()

    def close(self) -> None:
        """Do nothing: what was written is still to be fetched."""

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken = self.getvalue()
        self._before += len(taken)
        self.seek(0)
        self.truncate()
        return taken
