"""Find which store is meant: by `--db`, the environment or the default."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from platformdirs import user_data_path

from meta_audit.errors import UsageError

ENVIRONMENT: Final = "META_AUDIT_DB"
SECRETS: Final = ("password", "sslpassword")
"""Parameters of a URL whose values are never shown, in whatever case."""
_INSIDE: Final = re.compile(r"[^,]@")
"""An @ within the name of a host: before it stands that of a socket without a file."""
FORMS: Final = "Use a path, sqlite:///PATH, or postgresql://USER@HOST/DATABASE."
DRIVERS: Final = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""Engine and driver by the scheme of a URL."""
_HOSTS: Final = re.compile(
    r"(?P<begin>postgres[^/]*://([^@/?]*@)?)(?P<hosts>[^@/?]+,[^@/?]*)(?P<end>.*)"
)
_HOST: Final = re.compile(r"(?P<host>\[[^]]*]|[^:]*)(:(?P<port>\d*))?")
_PARAMETERS: Final = re.compile(r"\?(?:mode|vfs|cache|immutable|nolock|psow)=")
_SCHEMES: Final = tuple(f"{scheme}:" for scheme in DRIVERS)
_KEYWORDS: Final = re.compile(r"(?:^|\s)(?:host|hostaddr|port|dbname|user|password|service)\s*=")


def locate(db: str | None) -> sa.URL:
    """Return the store that is meant: `db`, else META_AUDIT_DB, else the default file.

    Raises `UsageError` for text that is neither a path nor a URL of SQLite or PostgreSQL.
    """
    if db is not None:
        return parse_location(db, "--db")
    given = os.environ.get(ENVIRONMENT)
    if given is not None:
        return parse_location(given, ENVIRONMENT)
    return sa.URL.create("sqlite", database=str(_default_path()))


def shown(url: sa.URL) -> str:
    """Return a store's name for a person, without a password."""
    if is_sqlite(url):
        return url.database or ""
    url = url._replace(drivername=url.get_backend_name(), password=None)
    secrets = [name for name in url.query if name.lower() in SECRETS]
    return url.difference_update_query(secrets).render_as_string()


def is_sqlite(url: sa.URL) -> bool:
    """Return True if the engine is SQLite."""
    return url.get_backend_name() == "sqlite"


def parse_location(text: str, option: str) -> sa.URL:
    """Read a path or URL; `option` names where it was given. Raises `UsageError`."""
    if not text.strip():
        raise UsageError(
            f"{option} is empty",
            advice=f"{FORMS} To use the default store, leave {option} out (or unset it).",
        )
    if "://" in text:
        return _parse_url(text, option)
    if _KEYWORDS.search(text):
        raise UsageError(
            f"{option} holds keywords of libpq, which are not supported",
            advice="Use a URL: postgresql://USER@HOST:PORT/DATABASE. Keep the password in"
            " ~/.pgpass.",
        )
    if _PARAMETERS.search(text):
        raise UsageError(
            f"{option} has parameters of a database URL, but is a path: {text}",
            advice=f"{FORMS} A store in SQLite takes no parameters.",
        )
    if text.lower().startswith(_SCHEMES):
        raise UsageError(f"{option} is neither a path nor a URL: it lacks ://", advice=FORMS)
    if text.startswith(("file:", ":")):
        raise UsageError(
            f"{option} is not a path: {text}",
            advice=f"A store needs a file on disk. For a file of this name, use ./{text}.",
        )
    path = _expanded(text, option)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(
            f"{option} is not a file: {text}",
            advice="A store needs a regular file on disk. Name another path.",
        )
    return sa.URL.create("sqlite", database=str(path))


def _parse_url(text: str, option: str) -> sa.URL:
    try:
        url = _split_hosts(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise UsageError(f"{option} is not a database URL", advice=FORMS) from error
    if url.drivername not in DRIVERS:
        raise UsageError(f"{option} names an unknown engine: {url.drivername}", advice=FORMS)
    url = url.set(drivername=DRIVERS[url.drivername])
    if not is_sqlite(url):
        if "@" in (url.host or "") or _INSIDE.search(str(url.query.get("host"))):
            raise UsageError(
                f"{option} has more than one @: it is not clear where the password ends",
                advice="Write %40 for @ in a user name or password, or keep the password in"
                " ~/.pgpass.",
            )
        if not url.database and not {"dbname", "service"} & set(url.query):
            raise UsageError(f"{option} names no database", advice=FORMS)
        return url
    if url.query:
        names = ", ".join(sorted(url.query))
        raise UsageError(
            f"{option} has parameters that a store in SQLite does not take: {names}",
            advice="Leave them out. Readers open the file read-only by themselves.",
        )
    if url.host or url.username or url.port:
        raise UsageError(
            f"{option} names a host, but SQLite is a file",
            advice="Use sqlite:///PATH, with three slashes (four for an absolute path).",
        )
    database = url.database or ""
    if not database or database.startswith((":", "file:")):
        raise UsageError(f"{option} names no file: a store needs a file on disk", advice=FORMS)
    return url


def _split_hosts(text: str) -> sa.URL:
    """Parse a URL that may name several hosts, as with libpq: `//a:5432,b:5432/` or `host=`.

    Raises `ValueError`, and `ArgumentError` of SQLAlchemy.
    """
    several = _HOSTS.match(text)
    url = sa.make_url(several["begin"] + several["end"] if several else text)
    given = several["hosts"] if several else url.query.get("host", ())
    hosts = given.split(",") if isinstance(given, str) else list(given)
    if url.get_backend_name() == "sqlite" or len(hosts) < 2 or "port" in url.query:
        return url
    pairs = [_HOST.fullmatch(host) for host in hosts]
    joined = {
        part: ",".join(str(pair[part] or "").strip("[]") for pair in pairs if pair)
        for part in ("host", "port")
    }
    return url.update_query_dict(joined)


def _default_path() -> Path:
    try:
        return user_data_path("meta-audit") / "audit.db"
    except (RuntimeError, KeyError, OSError) as error:
        raise _no_home(ENVIRONMENT) from error


def _expanded(text: str, option: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise _no_home(option) from error


def _no_home(option: str) -> UsageError:
    return UsageError(
        "this user has no home directory",
        advice=f"Set HOME, or name the store by its path with {option}.",
    )
