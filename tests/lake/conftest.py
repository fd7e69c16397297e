"""Fixtures that tests of lakes share with those of queries, and some that make them faster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lake.spark_cluster import master
from tests.query.conftest import job

__all__ = ["job", "master"]


@pytest.fixture(scope="session", autouse=True)
def _schemas_of_avro_kept() -> Iterator[None]:
    """Let PyIceberg read each schema once: all its small files have one of two."""
    file = pytest.importorskip("pyiceberg.avro.file", reason="needs the extra `lake`")
    get_schema, resolve_reader = file.AvroFileHeader.get_schema, file.resolve_reader
    schemas: dict[str, Any] = {}
    readers: dict[tuple[int, int], tuple[Any, Any, Any]] = {}

    def schema_of(header: Any) -> Any:
        text = header.meta["avro.schema"]
        if text not in schemas:
            schemas[text] = get_schema(header)
        return schemas[text]

    def reader_of(written: Any, read: Any, *types: Any) -> Any:
        key = id(written), id(read)
        if key not in readers:
            readers[key] = written, read, resolve_reader(written, read, *types)
        return readers[key][-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file.AvroFileHeader, "get_schema", schema_of)
        patch.setattr(file, "resolve_reader", reader_of)
        yield


@pytest.fixture(scope="session", autouse=True)
def _staged_metadata_kept() -> Iterator[None]:
    """Let PyIceberg apply staged changes once, not at every look at the metadata."""
    table = pytest.importorskip("pyiceberg.table", reason="needs the extra `lake`")
    apply = table.Transaction.table_metadata.fget

    def metadata(transaction: Any) -> Any:
        of = transaction._table.metadata, transaction._updates
        kept = vars(transaction).get("_kept", (None, None, None))
        if kept[0] is not of[0] or kept[1] is not of[1]:
            transaction._kept = kept = (*of, apply(transaction))
        return kept[2]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table.Transaction, "table_metadata", property(metadata))
        yield
