"""Read what a decoded document says of one job. Pure functions of values and bytes."""

from __future__ import annotations

from meta_audit.parse.document import parse

__all__ = ["parse"]
