"""Rejections: a list of them, and one with the beginning of its document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.catalogue import REASONS
from meta_audit.query.results import RejectionDetail, Rejections, RejectionSummary
from meta_audit.render.escape import escape, escape_lines
from meta_audit.render.layout import ELLIPSIS, Screen, fields
from meta_audit.render.page import Listing, Page

if TYPE_CHECKING:
    from collections.abc import Sequence

EXCERPT: Final = 2_000
"""Characters of a document that are shown."""


class RejectionsPage(Listing[Rejections]):
    """Show rejections, two lines each: what and where; why. Nothing is cut."""

    row = RejectionSummary

    def rows(self) -> Sequence[RejectionSummary]:
        """Return the rejections."""
        return self.result.rejections

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - as every page
        """Return two lines for each rejection."""
        return "".join(_lines(rejection) for rejection in self.result.rejections)

    def notes(self) -> Sequence[str]:
        """Say that there are none, or how many of them are shown."""
        shown, total = len(self.result.rejections), self.result.total
        if not shown:
            return ("No rejections.",)
        return (f"{shown:,} of {total:,}: see --limit.",) if total > shown else ()


class RejectionPage(Page[RejectionDetail]):
    """Show one rejection, and how its document begins."""

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - nothing is cut to fit
        """Return the fields, and an excerpt."""
        rejection, content = self.result.rejection, self.result.content
        page = fields(_fields(rejection, len(content)), Screen(), indent=0)
        text = content.decode(errors="backslashreplace")
        page += ["", escape_lines(text[:EXCERPT])]
        if len(text) > EXCERPT:
            page.append(f"{ELLIPSIS} {len(text) - EXCERPT:,} more characters: --raw prints all.")
        return "\n".join(page) + "\n"


def _lines(rejection: RejectionSummary) -> str:
    where = f"{escape(rejection.source)}, {rejection.position}"
    head = f"{rejection.rejection_id}  {rejection.reason}  {where}, import {rejection.import_id}"
    return f"{head}\n    {escape(rejection.message)}\n"


def _fields(rejection: RejectionSummary, kept: int) -> list[tuple[str, str]]:
    at = rejection.position
    state = "open"
    if rejection.resolved_by:
        state = f"resolved: accepted by import {rejection.resolved_by}"
    elif rejection.dismissed_by:
        by = f"{rejection.dismissed_actor}, import {rejection.dismissed_by}"
        state = f"dismissed by {by}: {rejection.dismissed_because}"
    return [
        ("rejection", f"{rejection.rejection_id}, its index in the ledger"),
        ("reason", f"{rejection.reason}: {REASONS.get(rejection.reason, '')}"),
        ("message", rejection.message),
        ("source", rejection.source),
        ("position", str(at)),
        ("import", f"{rejection.import_id}, {rejection.observed_at or ''}"),
        ("sha256", rejection.document_sha256),
        ("size", f"{rejection.size:,} bytes, {kept:,} of them kept"),
        ("state", state),
    ]
