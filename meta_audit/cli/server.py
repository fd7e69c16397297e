"""Reach the server that a command line names, with the options of `options.of_server`."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from meta_audit.cli.output import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.sources.orchestrator import Address, Transport


@contextmanager
def reach(
    url: str,
    *,
    namespace: str,
    labels: tuple[str, ...],
    credentials: str | None,
    ca_file: str | None,
) -> Iterator[tuple[Address, Transport]]:
    """Give the address of a list of jobs and a way to ask for it; nothing is asked yet.

    Warn where others on the way could read the credentials. Raises `UsageError`.
    """
    from meta_audit.errors import UsageError
    from meta_audit.sources.orchestrator import Address, HttpLimits, Transport, load_credentials
    from meta_audit.store.retry import Retry

    if "://" not in url and os.path.exists(url):
        raise UsageError(
            f"{url!r} is a file or directory, not the address of a server",
            advice="`meta-audit ingest` takes it; `meta-audit has` tells what of it is here.",
        )
    address = Address.parse(url, namespace, labels)
    proof = load_credentials(credentials, os.environ)
    if proof.header and not address.is_private:
        note("Warning: http does not encrypt: others on the way can read the credentials.")
    limits = HttpLimits(patience=Retry.from_environment().read_seconds)
    with closing(Transport(address, proof, ca_file=ca_file, limits=limits)) as transport:
        yield address, transport
