"""Read and check the usual job document in one step of C.

Nearly every document of v1.0.4 and later comes out of Bacalhau's JSON writer: names exact,
types right, no nulls. These structs describe precisely that; `convert` refuses whatever is
anything else, and `meta_audit.parse.current` then takes the road that folds names and explains
faults. Both roads give equal records and digests (tests/parse/test_parse_canonical.py).

`omit_defaults` leaves the empty fields out of the digest's input; structs without a value are
written as `{}` (`meta_audit.parse.spec_digest`).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Struct, ValidationError, field

from meta_audit.parse.fields import MAX_INT64, MIN_INT64
from meta_audit.typed import built

Int64 = Annotated[int, msgspec.Meta(ge=MIN_INT64, le=MAX_INT64)]
Counter = Annotated[int, msgspec.Meta(ge=0, le=MAX_INT64)]

# Free values, to the usual depth, without what the digest has to look at: floats, huge integers
# and `Scalar`s.
_Leaf = str | Int64 | bool | None
_Branch = _Leaf | list[_Leaf] | dict[str, _Leaf]
Free = _Leaf | list[_Branch] | dict[str, _Branch]


class _Usual(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Base: no unknown names, and nothing empty when written."""


class SpecConfig(_Usual):
    """An engine, publisher or source (pkg/models/spec_config.go)."""

    Type: str = ""
    Params: dict[str, Free] = field(default_factory=dict)


class InputSource(_Usual):
    """pkg/models/input_source.go."""

    Source: SpecConfig = field(default_factory=SpecConfig)
    Alias: str = ""
    Target: str = ""


class ResultPath(_Usual):
    """pkg/models/path.go."""

    Name: str = ""
    Path: str = ""


class TaskResources(_Usual):
    """pkg/models/resource.go, `ResourcesConfig`."""

    CPU: str = ""
    Memory: str = ""
    Disk: str = ""
    GPU: str = ""


class Port(_Usual):
    """pkg/models/network.go, v1.7 and later."""

    Name: str = ""
    Static: Int64 = 0
    Target: Int64 = 0
    HostNetwork: str = ""


class TaskNetwork(_Usual):
    """pkg/models/network.go."""

    Type: str = ""
    Domains: list[str] = field(default_factory=list)
    Ports: list[Port] = field(default_factory=list)


class TaskTimeouts(_Usual):
    """pkg/models/timeout.go."""

    ExecutionTimeout: Int64 = 0
    QueueTimeout: Int64 = 0
    TotalTimeout: Int64 = 0


class Constraint(_Usual):
    """pkg/models/selector.go."""

    Key: str = ""
    Operator: str = ""
    Values: list[str] = field(default_factory=list)


class UsualTask(_Usual):
    """pkg/models/task.go."""

    Name: str = ""
    Engine: SpecConfig = field(default_factory=SpecConfig)
    Publisher: SpecConfig = field(default_factory=SpecConfig)
    Env: dict[str, str] = field(default_factory=dict)
    Meta: dict[str, str] = field(default_factory=dict)
    InputSources: list[InputSource] = field(default_factory=list)
    ResultPaths: list[ResultPath] = field(default_factory=list)
    Resources: TaskResources = field(default_factory=TaskResources)
    Network: TaskNetwork = field(default_factory=TaskNetwork)
    Timeouts: TaskTimeouts = field(default_factory=TaskTimeouts)


class JobState(_Usual):
    """pkg/models/state.go; job states are text."""

    StateType: str = ""
    Message: str = ""
    Details: dict[str, str] = field(default_factory=dict)


class UsualJob(_Usual):
    """pkg/models/job.go. `State` and times are reset before the job is hashed."""

    ID: str = ""
    Name: str = ""
    Namespace: str = ""
    Type: str = ""
    Priority: Int64 = 0
    Count: Int64 = 0
    Constraints: list[Constraint] = field(default_factory=list)
    Meta: dict[str, str] = field(default_factory=dict)
    Labels: dict[str, str] = field(default_factory=dict)
    Tasks: list[UsualTask] = field(default_factory=list)
    State: JobState | None = None
    Version: Counter = 0
    Revision: Counter = 0
    CreateTime: Int64 = 0
    ModifyTime: Int64 = 0


def convert(value: dict[str, Any]) -> UsualJob | None:
    """Return the job if the document is of the usual kind, None if it takes a closer look."""
    try:
        return msgspec.convert(value, built(UsualJob))
    except (ValidationError, RecursionError):
        return None
