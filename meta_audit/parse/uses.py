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
    from collections.abc import Iterable

    from meta_audit.model import JobRecord, UseKind
    from meta_audit.parse.fields import Fields

_RESOURCES: Final = ("CPU", "Memory", "Disk", "GPU")
_PLACES: Final = {
    "s3": ("Bucket",),
    "ipfs": ("CID",),
    "urldownload": ("URL",),
    "inline": ("URL",),
    "localdirectory": ("SourcePath",),
    "repoclone": ("Repo",),
    "repoclonelfs": ("Repo",),
}
"""Parameters that name the place, by the type of storage in small letters."""
_ANY_PLACE: Final = ("Bucket", "CID", "URL", "SourcePath", "Repo")


def of_tasks(tasks: Iterable[Fields] | None) -> tuple[Use, ...]:
    """Return the uses of tasks of v1.0.4 and later, whose fields have canonical names."""
    uses: list[Use] = []
    for task_no, task in enumerate(tasks or (), 1):
        engine = task.get("Engine")
        if engine.__class__ is dict:
            _add_engine(uses, task_no, engine.get("Params"))
        for source in _fields_of(task.get("InputSources")):
            storage = source.get("Source")
            if storage.__class__ is dict:
                target = _written(source, "Target") or _written(source, "Alias")
                type_, params = _written(storage, "Type"), storage.get("Params")
                _add_storage(uses, task_no, "input", type_, params, target)
        _add_rest(uses, task_no, task, "ResultPaths", "Publisher")
    return tuple(uses)


def of_legacy_spec(spec: Fields) -> tuple[Use, ...]:
    """Return the uses of a `Spec` of v0.2.9 - v1.0.3, whose fields have canonical names."""
    uses: list[Use] = []
    engine = spec.get("EngineSpec")
    of_engine = engine.get("Params") if engine.__class__ is dict else None
    for params in (spec.get("Docker"), spec.get("Wasm"), of_engine):
        _add_engine(uses, 1, params)
    for name in ("Inputs", "Contexts"):
        for storage in _fields_of(spec.get(name)):
            _add_storage(uses, 1, "input", *_old_storage(storage), _written(storage, "Path"))
    _add_rest(uses, 1, spec, "Outputs", "PublisherSpec")
    return tuple(uses)


def result(value: Any, execution_id: str) -> Use | None:
    """Return what an execution published: a `SpecConfig`, or a `StorageSpec` before v1.0.4."""
    if value.__class__ is not dict:
        return None
    is_config = _field(value, "Params") is not None
    storage = _config(value) if is_config else _old_storage(value)
    uses: list[Use] = []
    _add_storage(uses, 0, "result", *storage, execution_id, needs_place=True)
    return uses[0] if uses else None


def results(record: JobRecord) -> tuple[Use, ...]:
    """Return the results of a record's executions and events."""
    found = [one.result for one in record.executions] + [one.result for one in record.events]
    return tuple(use for use in found if use is not None)


def _add_engine(uses: list[Use], task_no: int, params: Any) -> None:
    if params.__class__ is not dict or not params:
        return
    image = _text(params, "Image")
    if image:
        uses.append(Use(task_no, "image", "", shorten_name(image), ""))
        return
    modules = _field(params, "ImportModules")
    entry = _field(params, "EntryModule")
    for module in (entry, *(modules if modules.__class__ is list else ())):
        if module.__class__ is str and module:  # v1.7: the alias of an input
            uses.append(Use(task_no, "module", "", shorten_name(module), ""))
        elif module.__class__ is dict:
            source = _field(module, "Source")
            storage = _config(source) if source.__class__ is dict else _old_storage(module)
            _add_storage(uses, task_no, "module", *storage, _text(module, "Target"))


def _add_rest(uses: list[Use], task_no: int, fields: Fields, paths: str, publisher: str) -> None:
    """Add the outputs of a task, and what it asks for."""
    for path in _fields_of(fields.get(paths)):
        where = _written(path, "Path")
        if where:
            uses.append(Use(task_no, "output", "", shorten_name(where), _written(path, "Name")))
    published = fields.get(publisher)
    if published.__class__ is dict and (params := published.get("Params")):
        type_ = _written(published, "Type")
        _add_storage(uses, task_no, "output", type_, params, "", needs_place=True)
    resources = fields.get("Resources")
    if resources.__class__ is dict and resources:
        uses += [
            Use(task_no, "resource", name, shorten_name(amount), "")
            for name in _RESOURCES
            if (amount := _written(resources, name))
        ]


def _add_storage(  # noqa: PLR0917 - the columns of a use
    uses: list[Use],
    task_no: int,
    kind: UseKind,
    type_: str,
    params: Any,
    target: str,
    *,
    needs_place: bool = False,
) -> None:
    place = _place(type_, params) if params.__class__ is dict else ""
    if place or (type_ and not needs_place):
        uses.append(Use(task_no, kind, type_, shorten_name(place), target))


def _place(type_: str, params: Fields) -> str:
    """Return where storage of a type lies, empty where that is not told."""
    for name in _PLACES.get(type_.lower(), _ANY_PLACE):
        place = _text(params, name)
        if place:
            return place if name != "Bucket" else f"s3://{place}/{_text(params, 'Key')}"
    return ""


def _config(config: Fields) -> tuple[str, Any]:
    """Return type and parameters of a `SpecConfig`."""
    return _text(config, "Type"), _field(config, "Params")


def _old_storage(storage: Fields) -> tuple[str, Any]:
    """Return type and parameters of a `StorageSpec`; `Engine` was the name of its type once."""
    type_ = _text(storage, "StorageSource") or _text(storage, "Engine")
    s3 = _field(storage, "S3")
    return type_, s3 if s3.__class__ is dict and s3 else storage


def _fields_of(values: Any) -> list[Fields]:
    if values.__class__ is not list or not values:
        return []
    return [value for value in values if value.__class__ is dict]


def _field(fields: Fields, name: str) -> Any:
    """Return a field by its name, or else by its name in other letters."""
    if name in fields:
        return fields[name]
    small = name.lower()
    for key in fields:
        if key.lower() == small:
            return fields[key]
    return None


def _text(fields: Fields, name: str) -> str:
    return _as_text(_field(fields, name))


def _written(fields: Fields, name: str) -> str:
    """Return the text of a field under its canonical name."""
    value = fields.get(name)
    return value if value.__class__ is str else _as_text(value)


def _as_text(value: Any) -> str:
    if value.__class__ is str:
        return value
    if isinstance(value, Scalar):
        return value.text
    return literal(value) if value.__class__ in (int, float) else ""
