"""Name states and events where Bacalhau wrote their numbers.

Job states travel as text, execution states as numbers, and one number means different states
in different versions. A number is named when the enums that may apply and have it agree on its
name. Any other becomes `unknown (N)`, which `meta_audit.execution_state` can name once the
layout of the job is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.execution_state import unknown
from meta_audit.model import Scalar
from meta_audit.parse.fields import literal, wrong_type

if TYPE_CHECKING:
    from meta_audit.execution_state import Enum
    from meta_audit.parse.fields import Fields

# pkg/models/job.go, v1.0.4 - v1.3.2 and from v1.4.0
_JOB_V1_0: Final = ("Undefined", "Pending", "Running", "Completed", "Failed", "Stopped")
_JOB_V1_4: Final = ("Undefined", "Pending", "Queued", "Running", "Completed", "Failed", "Stopped")
JOB: Final = (_JOB_V1_0, _JOB_V1_4)

# pkg/models/execution.go (v1.0.4 →) and pkg/model/execution_state.go (to v1.0.3)
DESIRED: Final = (("Pending", "Running", "Stopped"),)

# pkg/models/job_history.go
HISTORY: Final = (("Undefined", "JobLevel", "ExecutionLevel"),)

# pkg/model/job_state.go, v0.2.9 - v0.3.19: state of one shard on one node
SHARD: Final = (
    (
        "Unknown",
        "Bidding",
        "Waiting",
        "Running",
        "Verifying",
        "Cancelled",
        "Error",
        "Completed",
    ),
)

# pkg/compute/store/types.go, v1.1 - v1.4: the execution as its compute node keeps it
LOCAL_EXECUTION: Final = (
    (
        "Undefined",
        "Created",
        "BidAccepted",
        "Running",
        "Publishing",
        "Completed",
        "Failed",
        "Cancelled",
    ),
)

# pkg/model/jobeventtype.go, v0.2.9 - v0.3.13 and to v1.0.3
_EVENTS: Final = (
    "Unknown",
    "InitialSubmission",
    "Created",
    "DealUpdated",
    "Bid",
    "BidAccepted",
    "BidRejected",
    "BidCancelled",
    "Running",
    "ComputeError",
    "ResultsProposed",
    "ResultsAccepted",
    "ResultsRejected",
    "ResultsPublished",
    "Error",
)
EVENT: Final = ((*_EVENTS, "InvalidRequest"), (*_EVENTS, "Canceled", "InvalidRequest"))

# pkg/model/joblocaleventtype.go, v0.2.9 - v0.3.19
LOCAL_EVENT: Final = (("Unknown", "Selected", "Bid", "BidAccepted", "BidRejected", "Verified"),)

# pkg/model/engine.go and publisher.go, v0.2.9 - v1.0.3
ENGINE: Final = (("", "Noop", "Docker", "Wasm", "Language", "PythonWasm"),)
PUBLISHER: Final = (("", "Noop", "Ipfs", "Filecoin", "Estuary", "S3"),)


def named(fields: Fields, name: str, label: str, enums: tuple[Enum, ...]) -> str:
    """Return an enum field as text, a number by its name in `enums`. Raises `field.type`."""
    value: Any = fields.get(name)
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if isinstance(value, Scalar):
        value = value.value
    if value.__class__ is not int:
        raise wrong_type(f"{label}.{name}", "a name or a number", fields[name])
    names = {enum[value] for enum in enums if 0 <= value < len(enum)}
    return names.pop() if len(names) == 1 else unknown(literal(value))
