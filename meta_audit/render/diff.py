"""The differences between two versions of a job as a page."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from meta_audit.query.diff import VersionDiff
from meta_audit.render.layout import cells, page, section, short_time, shown
from meta_audit.render.page import Page
from meta_audit.render.wording import ROLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.query.diff import Change
    from meta_audit.query.results import Version
    from meta_audit.render.layout import Screen

TITLES: Final = {
    "job": "Job",
    "identity": "Who",
    "task": "Task",
    "meta": "Meta of the job",
    "label": "Labels",
    "spec": "Other fields of the spec",
}


class DiffPage(Page[VersionDiff]):
    """Show what changed between two versions: `-` the old one has, `+` the new one."""

    def text(self, screen: Screen) -> str:
        """Return the page. Long values are cut."""
        found = self.result
        sections = [
            [
                screen.styled(f"Job {shown(found.job_id, None)}", "bold"),
                _version("-", found.old, found.old_entry),
                _version("+", found.new, found.new_entry),
            ]
        ]
        for (part, task_no), changes in groupby(found.changes, key=lambda c: (c.part, c.task_no)):
            sections.append(section(_title(part, task_no), _lines(changes, screen), screen))
        if not found.changes:
            sections.append(["No differences in what is compared."])
        return page(sections)

    def notes(self) -> Sequence[str]:
        """Say what was not compared, and which other versions there are."""
        found = self.result
        notes = []
        if found.not_compared:
            notes.append(f"Other fields of the spec are not compared: {found.not_compared}.")
        others = [
            n for n in found.versions if n not in (found.old.version_no, found.new.version_no)
        ]
        if others:
            listed = ", ".join(map(str, others))
            notes.append(f"Other versions: {listed}. `meta-audit diff JOB A B` compares any two.")
        return notes


def _version(sign: str, version: Version, entry: int) -> str:
    created = f", created {short_time(version.created_at)}" if version.created_at else ""
    told = f"{version.origin}, {version.layout}, entry {entry}"
    return f"  {sign} version {version.version_no}{created}, {told}"


def _title(part: str, task_no: int) -> str:
    if task_no:
        return f"Meta of task {task_no}" if part == "meta" else f"Task {task_no}"
    return TITLES[part]


def _lines(changes: Iterable[Change], screen: Screen) -> list[str]:
    lines = []
    for change in changes:
        key = ROLE.get(change.key, change.key) if change.part == "identity" else change.key
        for sign, value, style in (("-", change.old, "red"), ("+", change.new, "green")):
            if value is not None:
                start = f"  {sign} {shown(key, 60)}  "
                room = None if screen.width is None else screen.width - cells(start)
                lines.append(screen.styled((start + shown(value, room)).rstrip(), style))
    return lines
