"""Name an orchestrator, and what is asked of it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from meta_audit.errors import UsageError

JOBS: Final = "/api/v1/orchestrator/jobs"
_ENDINGS: Final = (JOBS, "/api/v1/orchestrator", "/api/v1")
_ALL_NAMESPACES: Final = "*"


class Address(Struct, frozen=True):
    """An orchestrator, and the choice of its jobs."""

    base: str
    """Scheme, host, port and path before `/api`."""
    namespace: str = _ALL_NAMESPACES
    labels: tuple[str, ...] = ()
    """Label selectors as Bacalhau has them; a job matches all of them."""

    @classmethod
    def parse(cls, url: str, namespace: str = "", labels: tuple[str, ...] = ()) -> Address:
        """Read a URL as a person writes it. Raises `UsageError`."""
        advice = "Give it as http://HOST:1234 or https://HOST."
        try:
            parts = urlsplit(url.strip())
            has_port = parts.port != 0
        except ValueError as error:
            raise UsageError(f"no address of a server: {error}", advice=advice) from error
        if parts.username is not None or parts.password is not None:
            raise UsageError(
                "a user name or password in the URL: other users of this machine could read it",
                advice="Put it into the environment or into the file of --credentials.",
            )
        if parts.scheme not in ("http", "https") or not parts.hostname or not has_port:
            raise UsageError(f"{url!r} is not the address of a server", advice=advice)
        if parts.query or parts.fragment:
            raise UsageError(
                "the URL has a query or fragment", advice=f"Use --namespace and --label. {advice}"
            )
        path = parts.path.rstrip("/")
        for ending in _ENDINGS:
            path = path.removesuffix(ending)
        host = f"{parts.scheme}://{parts.netloc.lower()}"
        return cls(host + quote(path, safe="/%"), namespace or _ALL_NAMESPACES, labels)

    @property
    def uri(self) -> str:
        """Return the name of the source: the URL of its list of jobs, with the choice of jobs."""
        chosen = [("namespace", self.namespace)] if self.namespace != _ALL_NAMESPACES else []
        chosen += [("labels", label) for label in self.labels]
        return self.base + JOBS + (f"?{urlencode(chosen)}" if chosen else "")

    @property
    def is_private(self) -> bool:
        """Tell whether nobody on the way can read what is sent: by TLS, or on this machine."""
        host = urlsplit(self.base).hostname or ""
        return (
            self.base.startswith("https:")
            or host in ("localhost", "::1")
            or (host.startswith("127."))
        )

    @property
    def selection(self) -> list[tuple[str, str]]:
        """Return the parameters that choose jobs. Each page must be asked for with them."""
        return [("namespace", self.namespace), *(("labels", label) for label in self.labels)]

    def job_path(self, job_id: str, part: str = "") -> str | None:
        """Return the path of a job or a part of it, or None for an ID that no path can hold."""
        if job_id in ("", ".", ".."):
            return None
        return f"{JOBS}/{quote(job_id, safe='')}" + (f"/{part}" if part else "")
