"""Name the orders in which jobs can be listed. It imports nothing: the command line needs it."""

from __future__ import annotations

from typing import Final

SORTS: Final = ("created", "modified", "name", "client", "namespace", "state")
"""Orders of jobs: times from the newest on, texts from A on."""
TIMES: Final = ("created", "modified")
"""Those of times, which may be unknown."""
