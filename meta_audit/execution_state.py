"""Name the numbers of execution states, which changed their meaning with Bacalhau v1.5.2.

Executions travel without their job, and the number alone does not say which version wrote it.
Such a state is stored as `unknown (N)`. Whoever knows the layout of the job names it: that of an
orchestrator's job, because a plain spec looks the same in every version.
"""

from __future__ import annotations

import re
from typing import Final

Enum = tuple[str, ...]

_BIDDING: Final = (
    "Undefined",
    "New",
    "AskForBid",
    "AskForBidAccepted",
    "AskForBidRejected",
    "BidAccepted",
)
_ENDS: Final = ("BidRejected", "Completed", "Failed", "Cancelled")
FROM_V1_5_2: Final[Enum] = (*_BIDDING, "Running", "Publishing", *_ENDS)
TO_V1_5_1: Final[Enum] = (*_BIDDING, *_ENDS, *FROM_V1_5_2[10:])
"""pkg/models/execution.go, v1.0.4 - v1.5.1; 10 and 11 exist in later versions only."""
EXECUTION_LEVEL: Final = "ExecutionLevel"
"""Kind of the events of a job's history that tell the state of an execution."""
_UNKNOWN: Final = re.compile(r"unknown \(([0-9]{1,2})\)")


def unknown(number: str) -> str:
    """Return the text that stands for a number without a known meaning."""
    return f"unknown ({number})"


def is_unknown(state: str) -> bool:
    """Tell if a state is a number without a known meaning."""
    return state.startswith("unknown (")


def names(layout: str) -> Enum:
    """Return the execution states of jobs of a layout."""
    version = layout.rpartition(" ")[2]
    return FROM_V1_5_2 if version >= "v1.5.2" else TO_V1_5_1


def resolve(state: str, layout: str) -> str:
    """Name a state `unknown (N)` by the layout of its job, "" where that is not known either."""
    match = _UNKNOWN.fullmatch(state)
    if match is None or not layout:
        return state
    known = names(layout)
    number = int(match[1])
    return known[number] if number < len(known) else state
