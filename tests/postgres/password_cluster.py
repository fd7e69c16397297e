"""A PostgreSQL server that asks for passwords, and commands that fail with one clear error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meta_audit import cli
from meta_audit.ingest.options import Limits
from tests.clusters import Cluster
from tests.conftest import Result

DATABASE = "audit"
SECRET = "geheim"
ROLES = """
    CREATE ROLE reader LOGIN PASSWORD 'geheim';
    CREATE ROLE outsider LOGIN PASSWORD 'geheim';
    CREATE ROLE sleeper NOLOGIN PASSWORD 'geheim';
    CREATE ROLE crowded LOGIN PASSWORD 'geheim' CONNECTION LIMIT 0;
    CREATE ROLE banned LOGIN PASSWORD 'geheim';
    CREATE DATABASE closed TEMPLATE template0;
    REVOKE CONNECT ON DATABASE closed FROM PUBLIC"""
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a server that asks for passwords on the network, and fill a store."""
    with Cluster() as made:
        with made.connect() as connection:
            for statement in ROLES.split(";"):
                connection.execute(statement)
            connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        local = "127.0.0.1/32"
        made.authenticate(f"host all banned {local} reject", f"host all all {local} scram-sha-256")
        assert cli.run(["ingest", str(folder), "--db", store_of(made)]) in (1, 3)
        yield made


def store_of(cluster: Cluster, database: str = DATABASE) -> str:
    return cluster.url(database).render_as_string()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; check that it prints at most one error and no secret."""

    def run(*arguments: object, limits: Limits | None = None) -> Result:
        capsys.readouterr()
        result = Result(cli.run([*map(str, arguments)], limits), *capsys.readouterr())
        assert "Traceback" not in result.err
        assert SECRET not in result.out + result.err
        assert result.err.count("Error: ") == (result.status == cli.Exit.STORE)
        return result

    return run


def rows(cluster: Cluster, sql: str, database: str = DATABASE) -> list[Any]:
    with cluster.connect(database) as connection:
        return connection.execute(sql).fetchall()
