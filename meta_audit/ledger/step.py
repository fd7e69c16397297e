"""One step of a verification, of a store or of a proof."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Status = Literal["ok", "warning", "failed", "skipped"]


class Step(Struct, frozen=True):
    """Say how one check went."""

    number: int
    title: str
    """The statement that was checked."""
    source: str
    """The specification that the check follows."""
    status: Status
    detail: str
