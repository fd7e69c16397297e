"""Reach an object store, with its settings from the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from meta_audit.errors import UsageError
from meta_audit.store.retry import Retry

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from meta_audit.sources.object_stores.object_url import ObjectUrl

_ALLOW_HTTP: Final = ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP")
"""Client options of ours take the place of what the library reads from the environment."""


def reach(url: ObjectUrl) -> ObjectStore:
    """Return the store behind a URL; nothing is asked yet. Raises `UsageError`."""
    try:
        from obstore.store import from_url  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UsageError(
            f"{url.name}: object stores need obstore: {error}",
            advice="Install it: pip install 'meta-audit[objects]'.",
        ) from error
    patience = timedelta(seconds=max(Retry.from_environment().read_seconds, 1))
    options: dict[str, Any] = {
        "client_options": {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "1h"},
        "retry_config": {"max_retries": 5, "retry_timeout": patience},
    }
    try:
        is_allowed = "true" in (os.environ.get(name, "").lower() for name in _ALLOW_HTTP)
        options["client_options"]["allow_http"] = is_allowed
        return from_url(url.store, **options)
    except Exception as error:
        message = str(error).partition("\n")[0]
        advice = "Check the URL, and the settings of the object store in the environment."
        raise UsageError(f"{url.name}: {message}", advice=advice) from error
