"""Metrics as Prometheus reads them from a file.

https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4, for the textfile
collector of the node exporter. Times are seconds since 1970: the age of something is
`time() - meta_audit_…_timestamp_seconds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from meta_audit.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meta_audit.query.metrics import StoreMetrics

Labels = tuple[tuple[str, str], ...]
_SECOND: Final = 1_000_000_000


class ServerMetrics(Struct, frozen=True):
    """Hold what a pull knows of its server."""

    url: str
    is_up: bool
    """True if it answered the last time."""
    read_at: int | None = None
    """When its list was last read to the end, ns; everything before that is in the store."""


def exposition(store: StoreMetrics, exit_code: int | None, server: ServerMetrics | None) -> bytes:
    """Return the metrics of a store, of the run that writes them, and of the server it reads."""
    return "".join(_lines(store, exit_code, server)).encode()


def _lines(
    store: StoreMetrics, exit_code: int | None, server: ServerMetrics | None
) -> Iterator[str]:
    yield from _family(
        "documents_total",
        "counter",
        "Documents of all imports, by what became of them.",
        {(("outcome", outcome),): number for outcome, number in store.documents.items()},
    )
    yield from _family(
        "imports_total",
        "counter",
        "Imports that ended, by how.",
        {(("status", status),): number for status, number in sorted(store.imports.items())},
    )
    for name, help_, value in (
        ("imports_unfinished", "Imports that are running, or were killed.", store.unfinished),
        ("jobs", "Jobs that documents named.", store.jobs),
        ("ledger_entries", "Entries of the ledger.", store.entries),
        ("ledger_entries_covered", "Entries that the last checkpoint covers.", store.covered),
        ("open_rejections", "Rejections that nobody resolved or dismissed.", store.open_rejections),
        ("last_run_exit_code", "Exit code of the last run that ended.", exit_code),
        (
            "last_complete_import_timestamp_seconds",
            "When the last complete import ended.",
            _seconds(store.completed_at),
        ),
        (
            "last_checkpoint_timestamp_seconds",
            "When the last checkpoint was signed.",
            _seconds(store.checkpoint_at),
        ),
    ):
        yield from _family(name, "gauge", help_, {} if value is None else {(): value})
    if server:
        of = (("url", server.url),)
        yield from _family("server_up", "gauge", "1 if the server answers.", {of: server.is_up})
        read = _seconds(server.read_at)
        yield from _family(
            "server_read_timestamp_seconds",
            "gauge",
            "When the list of the server was last read to its end: the store lags so far behind.",
            {} if read is None else {of: read},
        )
    yield from _family(
        "build_info", "gauge", "The program that wrote this.", {(("version", __version__),): 1}
    )


def _family(
    name: str,
    type_: str,
    help_: str,
    samples: Mapping[Labels, float],
) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP meta_audit_{name} {help_}\n# TYPE meta_audit_{name} {type_}\n"
    for labels, value in samples.items():
        listed = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        shown = f"{{{listed}}}" if listed else ""
        yield (
            f"meta_audit_{name}{shown} {value:d}\n"
            if value == int(value)
            else (f"meta_audit_{name}{shown} {value:.3f}\n")
        )


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _SECOND


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
