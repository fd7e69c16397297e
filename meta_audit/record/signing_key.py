"""Load the key that signs checkpoints: one per user, made on first use, never shown.

The file holds one line, `PRIVATE+KEY+<name>+<key ID>+<base64>` (C2SP signed-note). The name in
it does not count: a checkpoint is signed under the name of its log, so that one key can serve
many stores and no checkpoint of one passes for one of another.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from platformdirs import user_config_path

from meta_audit.errors import LedgerError, StoreError
from meta_audit.ledger.note import SigningKey
from meta_audit.store.durable import sync_directory

ENVIRONMENT: Final = "META_AUDIT_SIGNING_KEY"
"""Names another file, or holds the line itself."""
ADVICE: Final = f"Fix it, or name another file with {ENVIRONMENT}."
_MISSING: Final = (
    "Correct the path. To make a new key, unset the variable: the next import makes one at the"
    " default path, which you can move."
)
_NO_HOME: Final = f"Set HOME, or name a signing key with {ENVIRONMENT}."
_NAME: Final = "meta-audit"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def default_path() -> Path:
    """Return the path of the key where the environment names none. Raises `StoreError`."""
    try:
        return _expanded(user_config_path("meta-audit")) / "signing.key"
    except RuntimeError as error:
        raise _no_home("the signing key") from error


def check_given_key() -> None:
    """Raise `StoreError` if the key that the environment names cannot be used. Make nothing."""
    if os.environ.get(ENVIRONMENT):
        load_signing_key()


def load_signing_key() -> tuple[SigningKey, Path | None]:
    """Read the key, making the default one on first use; return the path, if this call made it.

    A key that the environment names is never made: the name may be mistyped. Raises
    `StoreError` where the key cannot be read or made, or others may read it: without a
    signature nothing is written.
    """
    given = os.environ.get(ENVIRONMENT, "")
    if given.startswith("PRIVATE+KEY+"):
        return _parse(given, ENVIRONMENT), None
    path = _expanded(Path(given)) if given else default_path()
    try:
        made = not path.exists()
        if made and given:
            raise StoreError(f"{ENVIRONMENT} names {path}, which does not exist", advice=_MISSING)
        if made:
            _make(path)
        return _read(path), path if made else None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"cannot read or make the signing key {path}: {error}", advice=ADVICE
        ) from error


def _expanded(path: Path) -> Path:
    """Replace `~` by the user's home directory."""
    try:
        expanded = path.expanduser()
    except RuntimeError:
        expanded = path
    if expanded.parts[:1] and expanded.parts[0].startswith("~"):
        raise _no_home(str(path))
    return expanded


def _no_home(what: str) -> StoreError:
    return StoreError(f"this user has no home directory: cannot find {what}", advice=_NO_HOME)


def _read(path: Path) -> SigningKey:
    with path.open(encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            raise StoreError(
                f"others may read the signing key {path}", advice=f"Run: chmod 600 {path}"
            )
        return _parse(file.read(), str(path))


def _parse(text: str, where: str) -> SigningKey:
    try:
        return SigningKey.parse(text.strip())
    except LedgerError as error:
        raise StoreError(f"the signing key in {where}: {error}", advice=ADVICE) from error


def _make(path: Path) -> None:
    """Write a new key beside the path and link it there: whole, and never over another."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{SigningKey.generate(_NAME).secret()}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its key counts
            os.link(draft, path)
    finally:
        draft.unlink()
    sync_directory(path.parent)
