"""Real stores, filled through the batch and the writer that an import uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any
from unittest.mock import patch

import pytest

from meta_audit.ingest.build import Offered, build
from meta_audit.model import Document, Format
from meta_audit.record.runs import begin_import
from meta_audit.record.source_log import SourceBegan, SourceEnded, SourceLog, SourceRead
from meta_audit.record.writer import Writer
from meta_audit.store.opening import open_to_read, open_to_write
from meta_audit.store.session import Session

Value = bytes | dict[str, Any] | Offered


class Filled:
    """A store, and a connection that reads it."""

    def __init__(self, db: str) -> None:
        self.db = db
        self._opened: list[Any] = []

    def take(
        self,
        *documents: Value,
        uri: str = "jobs.json",
        format_: Format = "json",
        coerce_scalars: bool = False,
    ) -> None:
        """Import documents, as one source."""
        store = open_to_write(self.db)
        bulk = store.session()
        log = SourceLog(begin_import(bulk, "test@host", "0", "[]"))
        offered = []
        for number, value in enumerate(documents, 1):
            if isinstance(value, Offered):
                offered.append(value)
                continue
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            document = Document(content, number, number, format_)
            offered.append(Offered(document, sha256(content).digest(), 0, uri))
        log.apply((SourceBegan(0, uri), SourceRead(0, len(offered)), SourceEnded(0, "complete")))
        Writer(bulk).write(build(offered, coerce_scalars=coerce_scalars), log)
        bulk.close()
        store.close()

    @property
    def session(self) -> Session:
        """A session that sees one state of the store."""
        store = open_to_read(self.db)
        session = store.session()
        session.begin_snapshot()
        self._opened += [session, store]
        return session

    def close(self) -> None:
        """Close what was opened."""
        for opened in self._opened:
            opened.close()


@pytest.fixture
def store(db_url: str) -> Iterator[Filled]:
    """A store of this test's own, on each engine."""
    filled = Filled(db_url)
    yield filled
    filled.close()


@pytest.fixture(scope="session")
def key_pair() -> tuple[str, str]:
    """A requester's ID and its public key, as documents carry them."""
    from base64 import b64encode

    from meta_audit.identity.base58 import encode
    from meta_audit.identity.keys import KeyType, PublicKey, encode_public_key
    from meta_audit.identity.peer import multihash

    protobuf = encode_public_key(PublicKey(KeyType.ED25519, bytes(range(32))))
    return encode(multihash(protobuf)), b64encode(protobuf).decode()


JobFactory = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def job() -> JobFactory:
    """Make a job document of v1.8; `state` and other fields by name."""

    def make(
        job_id: str = "j-5e85f246-aaaa-4bbb-8ccc-0123456789ab",
        *,
        meta: dict[str, str] | None = None,
        task_meta: dict[str, str] | None = None,
        state: str = "Completed",
        **fields: Any,
    ) -> dict[str, Any]:
        return {
            "ID": job_id,
            "Name": "hello",
            "Namespace": "default",
            "Type": "batch",
            "Priority": 0,
            "Count": 1,
            "Meta": {"bacalhau.org/requester.id": "n-1", "team": "a"} if meta is None else meta,
            "Labels": {"env": "prod"},
            "Tasks": [
                {
                    "Name": "main",
                    "Engine": {"Type": "docker", "Params": {"Image": "alpine"}},
                    "Publisher": {"Type": "s3"},
                    "Meta": {"step": "1"} if task_meta is None else task_meta,
                }
            ],
            "State": {"StateType": state, "Message": ""},
            "Version": 1,
            "Revision": 2,
            "CreateTime": 1_700_000_000_123_456_789,
            "ModifyTime": 1_700_000_001_000_000_000,
            **fields,
        }

    return make


@pytest.fixture
def statements() -> Callable[[Session, Callable[[], object]], int]:
    """Count the statements that a piece of work issues."""

    def count(session: Session, work: Callable[[], object]) -> int:
        issued: list[object] = []
        query, together = session.query, session.together

        def counted(sql: str, *parameters: object) -> list[Any]:
            issued.append(sql)
            return query(sql, *parameters)

        def counted_together(*statements: Any) -> list[Any]:
            before = len(issued)
            found = together(*statements)
            issued[before:] = statements
            return found

        with (
            patch.object(session, "query", counted),
            patch.object(session, "together", counted_together),
        ):
            work()
        return len(issued)

    return count


@pytest.fixture
def make_store(new_db: Callable[[], str]) -> Callable[[], Filled]:
    """Make stores for tests that need many."""

    def make() -> Filled:
        return Filled(new_db())

    return make
