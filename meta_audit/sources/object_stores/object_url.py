"""Read the URL of an object, and of all objects below it."""

from __future__ import annotations

import os
import re
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from meta_audit.errors import UsageError

_URL: Final = re.compile(r"(s3|gs|az|https?)://([^/]*)/*(.*)", re.DOTALL | re.IGNORECASE)
_OTHER: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_WITHOUT: Final = "Give a URL without it: it would stand in the store, as the name of the source."


class ObjectUrl(Struct, frozen=True):
    """One object or file, or where objects begin."""

    store: str
    """URL of the bucket, container or server."""
    path: str
    """Path in it, decoded, without a slash at its ends."""
    is_directory: bool
    """It ends with a slash, or names a bucket: all below it is meant."""
    name: str
    """The URL as it was given."""

    @classmethod
    def parse(cls, url: str) -> ObjectUrl:
        """Read a URL. Raises `UsageError`, also where it bears something secret."""
        found = _URL.fullmatch(url)
        scheme, host, path = (found[1].lower(), found[2], found[3]) if found else ("", "", "")
        if "@" in host:
            raise UsageError("the URL of a source has a user or password in it", advice=_WITHOUT)
        if scheme == "az":
            container, _, path = path.partition("/")
            host = f"{host}/{container}" if host and container else ""
        if not host:
            form = "az://ACCOUNT/CONTAINER/PATH" if scheme == "az" else f"{scheme}://NAME/PATH"
            raise UsageError(f"{url}: this is no URL of a source", advice=f"Write it as {form}.")
        if scheme in ("http", "https"):
            if re.search(r"[?#]", path):
                shown = url.partition("?")[0].partition("#")[0]
                raise UsageError(f"{shown}: the URL has a query or fragment", advice=_WITHOUT)
            if not path.strip("/"):
                raise UsageError(f"{url}: the URL names no file", advice="Add the file's path.")
            path = unquote(path)
        is_directory = not path.strip("/") or path.endswith("/")
        return cls(f"{scheme}://{host}", path.strip("/"), is_directory, url)

    @property
    def is_listed(self) -> bool:
        """Tell whether its store can list what is below it."""
        return not self.store.startswith("http")

    def uri_of(self, path: str) -> str:
        """Return the name of an object as a source."""
        return f"{self.store}/{path}"


def check_no_other_url(argument: str) -> None:
    """Raise `UsageError` for a URL of another kind, unless there is a file of this name.

    It is not shown: it may bear a password.
    """
    other = _OTHER.match(argument)
    if other and not os.path.lexists(argument):
        raise UsageError(
            f"sources are not read from {other[1]}://",
            advice="Name a path, or a URL that begins with https://, s3://, gs:// or az://.",
        )


def is_object_url(argument: str) -> bool:
    """Tell whether an argument names an object or a URL, and no file."""
    return _URL.fullmatch(argument) is not None
