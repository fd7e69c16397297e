"""One store for all of these tests: they read it, or change copies of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engines import Server
from tests.store_factory import PostgresDatabases, SqliteFiles, StoreFactory
from tests.verify.stores import Grown, grow

Growing = Callable[[StoreFactory], Grown]


@pytest.fixture(scope="session")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Growing:
    """Return a function that makes the store once on each engine."""
    made: dict[type, Grown] = {}

    def make(factory: StoreFactory) -> Grown:
        engine = type(factory)
        if engine not in made:
            made[engine] = grow(factory, tmp_path_factory.mktemp("grown"))
        return made[engine]

    return make


@pytest.fixture(scope="module")
def grown(factory: StoreFactory, growing: Growing) -> Grown:
    """A store with something in every table."""
    return growing(factory)


@pytest.fixture
def in_file(growing: Growing, tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """The store in an SQLite file."""
    return growing(SqliteFiles(tmp_path_factory.mktemp("files")))


@pytest.fixture
def on_server(growing: Growing, postgres: Server) -> Grown:
    """The store on a server."""
    return growing(PostgresDatabases(postgres))
