"""Read what tasks run, read, write and ask for, and what executions published.

Sources: pkg/executor/docker/models/types.go and pkg/executor/wasm/models/types.go (`EngineSpec`),
pkg/models/spec_config.go, pkg/storage/*/types.go (`Source`), pkg/models/path.go and resource.go
(v1.0.4 →); pkg/model/storage_spec.go and job.go (v0.2.9 - v1.0.3). Parameters are matched without
regard to case, as Go does. What cannot be read as text is left out: Bacalhau refuses it when the
job runs, and the document is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.model import Scalar, Use
from meta_audit.nul import shorten_name
from meta_audit.parse.fields import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.model import JobRecord, UseKind
    from meta_audit.parse.fields import Fields

_RESOURCES: Final = ("CPU", "Memory", "Disk", "GPU")
_PLACES: Final = {
    "ipfs": ("CID",),
    "urldownload": ("URL",),
    "inline": ("URL",),
    "localdirectory": ("SourcePath",),
    "repoclone": ("Repo",),
    "repoclonelfs": ("Repo",),
}
"""Parameters that name the place, by the type of storage in small letters."""
_ANY_PLACE: Final = ("CID", "URL", "SourcePath", "Repo")
_NO_FIELDS: Final[dict[str, Any]] = {}


def of_tasks(tasks: Iterable[Fields] | None) -> tuple[Use, ...]:
    """Return the uses of tasks of v1.0.4 and later, whose fields have canonical names."""
    uses: list[Use] = []
    for task_no, task in enumerate(tasks or (), 1):
        uses += _engine(task_no, _params(task.get("Engine")))
        for source in _fields_of(task.get("InputSources")):
            storage = source.get("Source")
            if storage.__class__ is dict:
                target = _text(source, "Target") or _text(source, "Alias")
                uses += _storage(task_no, "input", storage, target)
        for path in _fields_of(task.get("ResultPaths")):
            uses += _path(task_no, path)
        uses += _published(task_no, task.get("Publisher"))
        uses += _asked(task_no, task.get("Resources"))
    return tuple(uses)


def of_legacy_spec(spec: Fields) -> tuple[Use, ...]:
    """Return the uses of a `Spec` of v0.2.9 - v1.0.3, whose fields have canonical names."""
    uses: list[Use] = []
    for params in (spec.get("Docker"), spec.get("Wasm"), _params(spec.get("EngineSpec"))):
        uses += _engine(1, params)
    for name in ("Inputs", "Contexts"):
        for storage in _fields_of(spec.get(name)):
            uses += _storage(1, "input", _old_storage(storage), _text(storage, "Path"))
    for storage in _fields_of(spec.get("Outputs")):
        uses += _path(1, storage)
    uses += _published(1, spec.get("PublisherSpec"))
    uses += _asked(1, spec.get("Resources"))
    return tuple(uses)


def result(value: Any, execution_id: str) -> Use | None:
    """Return what an execution published: a `SpecConfig`, or a `StorageSpec` before v1.0.4."""
    if value.__class__ is not dict:
        return None
    storage = value if "Params" in value or "params" in value else _old_storage(value)
    return next(_storage(0, "result", storage, execution_id, needs_place=True), None)


def results(record: JobRecord) -> tuple[Use, ...]:
    """Return the results of a record's executions and events."""
    found = [one.result for one in record.executions] + [one.result for one in record.events]
    return tuple(use for use in found if use is not None)


def _engine(task_no: int, params: Any) -> Iterator[Use]:
    if params.__class__ is not dict or not params:
        return
    image = _text(params, "Image")
    if image:
        yield Use(task_no, "image", "", shorten_name(image), "")
        return
    modules = _field(params, "ImportModules")
    entry = _field(params, "EntryModule")
    for module in (entry, *(modules if modules.__class__ is list else ())):
        if module.__class__ is str and module:  # v1.7: the alias of an input
            yield Use(task_no, "module", "", shorten_name(module), "")
        elif module.__class__ is dict:
            source = _field(module, "Source")
            storage = source if source.__class__ is dict else _old_storage(module)
            yield from _storage(task_no, "module", storage, _text(module, "Target"))


def _storage(
    task_no: int, kind: UseKind, storage: Fields, target: str, *, needs_place: bool = False
) -> Iterator[Use]:
    type_ = _text(storage, "Type")
    place = shorten_name(_place(type_, _params(storage)))
    if place or (type_ and not needs_place):
        yield Use(task_no, kind, type_, place, target)


def _place(type_: str, params: Fields) -> str:
    """Return where storage of a type lies, empty where that is not told."""
    bucket = _text(params, "Bucket")
    if bucket:
        return f"s3://{bucket}/{_text(params, 'Key')}"
    for name in _PLACES.get(type_.lower(), _ANY_PLACE):
        place = _text(params, name)
        if place:
            return place
    return ""


def _old_storage(storage: Fields) -> Fields:
    """Return a `StorageSpec` in the form of a `SpecConfig`; `Engine` was its type's name once."""
    type_ = _text(storage, "StorageSource") or _text(storage, "Engine")
    s3 = _field(storage, "S3")
    return {"Type": type_, "Params": s3 if s3.__class__ is dict and s3 else storage}


def _path(task_no: int, path: Fields) -> Iterator[Use]:
    where, name = _text(path, "Path"), _text(path, "Name")
    if where:
        yield Use(task_no, "output", "", shorten_name(where), name)


def _published(task_no: int, publisher: Any) -> Iterator[Use]:
    if publisher.__class__ is dict and _params(publisher):
        yield from _storage(task_no, "output", publisher, "", needs_place=True)


def _asked(task_no: int, resources: Any) -> Iterator[Use]:
    if resources.__class__ is not dict:
        return
    for name in _RESOURCES:
        amount = _text(resources, name)
        if amount:
            yield Use(task_no, "resource", name, shorten_name(amount), "")


def _fields_of(values: Any) -> Iterator[Fields]:
    if values.__class__ is list:
        yield from (value for value in values if value.__class__ is dict)


def _params(config: Any) -> Fields:
    params = _field(config, "Params") if config.__class__ is dict else None
    return params if params.__class__ is dict else _NO_FIELDS


def _field(fields: Fields, name: str) -> Any:
    """Return a field by its name, or else by its name in other letters."""
    if name in fields:
        return fields[name]
    small = name.lower()
    return next((value for key, value in fields.items() if key.lower() == small), None)


def _text(fields: Fields, name: str) -> str:
    value = _field(fields, name)
    if value.__class__ is str:
        return value
    if isinstance(value, Scalar):
        return value.text
    return literal(value) if value.__class__ in (int, float) else ""
