"""From a decoded document to what it says of one job; pure functions of values and bytes."""

from __future__ import annotations

from meta_audit.parse.wrappers import parse

__all__ = ["parse"]
