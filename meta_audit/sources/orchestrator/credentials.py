"""Take what proves who we are from the environment or a file.

Never from the command line, where other users see it, and never into the store or a message.
The names are those of Bacalhau's own command line.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from meta_audit.errors import UsageError

KEY: Final = "BACALHAU_API_KEY"
USER: Final = "BACALHAU_API_USERNAME"
PASSWORD: Final = "BACALHAU_API_PASSWORD"  # noqa: S105 - a name, no password
_MOST_BYTES: Final = 65_536


class Credentials:
    """The value of the header `Authorization`. It is never shown."""

    def __init__(self, header: str = "") -> None:
        self.header = header

    def __repr__(self) -> str:
        return f"Credentials({'hidden' if self.header else 'none'})"


def load_credentials(file: str | None, environment: Mapping[str, str]) -> Credentials:
    """Read the credentials from a file of `NAME=VALUE` lines, or else from the environment.

    An API key or token is sent as `Bearer`, a user name with its password as `Basic`. Raises
    `UsageError`; its message names no value.
    """
    where = "the environment" if file is None else f"the file {file}"
    values = environment if file is None else _read(file)
    key, user, password = (values.get(name, "").strip() for name in (KEY, USER, PASSWORD))
    if key and (user or password):
        raise _unusable(where, f"{KEY} and {USER} or {PASSWORD}: use one of the two")
    if bool(user) != bool(password):
        raise _unusable(where, f"only one of {USER} and {PASSWORD}")
    if file is not None and not key and not user:
        raise _unusable(where, f"no line {KEY}=..., nor {USER}=... and {PASSWORD}=...")
    if not (key + user + password).isprintable() or ":" in user:
        raise _unusable(where, "a value that no header can hold")
    if key:
        if not key.isascii():
            raise _unusable(where, f"{KEY} with letters that no header can hold")
        return Credentials(f"Bearer {key}")
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return Credentials(f"Basic {pair}")
    return Credentials()


def _read(file: str) -> dict[str, str]:
    try:
        with Path(file).open("rb") as opened:
            text = opened.read(_MOST_BYTES).decode()
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise UsageError(
            f"credentials {file}: {reason}", advice="Check the path and your permission to read."
        ) from error
    except UnicodeDecodeError:
        raise UsageError(f"credentials {file}: not UTF-8 text") from None
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _unusable(where: str, what: str) -> UsageError:
    return UsageError(f"credentials in {where}: {what}", advice="docs/pull.md shows both forms.")
