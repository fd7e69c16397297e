"""Say what a document that is not a job looks like, and what to feed instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.decode.text import quote
from meta_audit.errors import RejectedError
from meta_audit.model import LIST_FIELDS
from meta_audit.parse.fields import kind_of, squash

if TYPE_CHECKING:
    from meta_audit.parse.fields import Fields

_NAMED: Final = 8
"""Most field names that a message repeats."""

_JOB_PARTS: Final = frozenset(("tasks", "spec", "job"))
_EXPORT: Final = "feed the job itself, as `bacalhau job describe ID --output json` prints it"

_KINDS: Final[tuple[tuple[frozenset[str], str], ...]] = tuple(
    (frozenset(names.split()), message)
    for names, message in (
        ("jobcancelpayload signature", f"a signed request to cancel a job; {_EXPORT}"),
        ("jobid evaluationid", f"the response to a submission; {_EXPORT}"),
        ("evaluationid", f"the response to stopping a job; {_EXPORT}"),
        ("error message", "an error that the API of a server answered; it tells of no job"),
        ("status message requestid", "an error that the API of a server answered"),
        ("nodes nexttoken", "a page of nodes; feed jobs"),
        ("info membership connection", "a node; feed jobs"),
        ("gitversion gitcommit", "the version of a server; feed its jobs"),
        ("id publickey addresses", "the identity of an IPFS node (`ipfs id`); feed its jobs"),
        ("id clientid", "the output of `bacalhau id`; feed the jobs of this client"),
        ("results", f"the list of a job's results; {_EXPORT}"),
        ("state", f"the state of a job without the job; {_EXPORT}"),
        (
            "spec kind",
            "an object of Kubernetes, not of Bacalhau; feed the job it holds",
        ),
        ("tasks", "tasks without an engine: a playbook or task file, not of Bacalhau"),
        ("engine", "a single task; feed the job that holds it under Tasks"),
        ("meta", "a part of a job (Meta) without the job; feed the whole job"),
        ("labels", "a part of a job (Labels) without the job; feed the whole job"),
        ("spec", "a Spec without an engine; feed the whole job"),
        ("jobid", f"something about a job, without the job; {_EXPORT}"),
        ("name type", "a job without Tasks"),
    )
)
"""Folded names that a kind has, the more telling first."""


def not_a_job(value: Any, where: str = "") -> RejectedError:
    """Build the `not_a_job` rejection: what the document looks like, and what to feed instead."""
    return RejectedError("not_a_job", where + _describe(value))


def _describe(value: Any) -> str:
    if isinstance(value, list):
        return _describe_list(value)
    if not isinstance(value, dict):
        return f"a job is a mapping, not {kind_of(value)}"
    if not value:
        return "an empty mapping"
    seen = {squash(name).replace("_", ""): item for name, item in value.items()}
    for name, item in seen.items():
        if name in LIST_FIELDS and isinstance(item, list):
            return f"this looks like a page of {len(item)} {name}; one document holds one job"
    for names, message in _KINDS:
        if names <= seen.keys():
            return f"this looks like {message}"
    for name, item in value.items():
        if isinstance(item, dict) and _JOB_PARTS & {squash(inner) for inner in item}:
            return f"the job stands under {quote(name)}; feed that alone"
    return f"none of a job's fields; it has {_names(value)}"


def _describe_list(value: list[Any]) -> str:
    if not value:
        return "an empty list"
    first = value[0]
    if isinstance(first, dict):
        if {squash(name) for name in first} & {"engine"}:
            return f"this looks like a list of {len(value)} tasks; feed the job that holds them"
        return f"a list of {len(value)}; one document holds one job"
    return f"a job is a mapping, not a list of {len(value)}"


def _names(value: Fields) -> str:
    names = ", ".join(quote(name) for name in list(value)[:_NAMED])
    return f"{names} and {len(value) - _NAMED} more" if len(value) > _NAMED else names
