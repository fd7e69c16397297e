"""The report of a verification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.render.escape import escape
from meta_audit.render.layout import count
from meta_audit.render.page import Page
from meta_audit.verify.outcome import Damage, OtherReading, Report

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen

MARKS: Final = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped"}


class VerificationPage(Page[Report]):
    """Show every check, every damage, and the verdict on the last line."""

    def text(self, screen: Screen) -> str:  # noqa: ARG002 - nothing is cut to fit
        """Return the report; its last line names what was not checked."""
        report = self.result
        counted = [
            count(report.entries, "entry"),
            count(report.jobs, "job"),
            count(report.checkpoints, "checkpoint"),
        ]
        lines = [f"Store {escape(report.store)}: {', '.join(counted)}, {report.seconds:.1f} s"]
        for step in report.steps:
            detail = f": {escape(step.detail)}" if step.detail else ""
            mark = MARKS[step.status]
            lines.append(f"{step.number:>3}. {mark:<8}{step.title} ({step.source}){detail}")
        lines += [f"  Signed by {escape(key)}" for key in report.keys]
        lines += [f"  Compared with {escape(path)}" for path in report.against]
        lines += map(_damage, report.damages)
        if report.damage_count > len(report.damages):
            lines.append(f"  and {report.damage_count - len(report.damages):,} more")
        lines += map(_reading, report.readings)
        if report.reading_count > len(report.readings):
            more = report.reading_count - len(report.readings)
            lines.append(f"  and {more:,} more that this version reads differently")
        return "\n".join([*lines, _verdict(report)]) + "\n"


def _damage(damage: Damage) -> str:
    entry = "" if damage.entry is None else f"entry {damage.entry}, "
    job = f"job {escape(damage.job)}, " if damage.job else ""
    return f"  {damage.check}. {entry}{job}{damage.kind}: {escape(damage.detail)}"


def _reading(reading: OtherReading) -> str:
    job = f"job {escape(reading.job)}, " if reading.job else ""
    return f"  entry {reading.entry}, {job}read differently, no damage: {escape(reading.detail)}"


def _verdict(report: Report) -> str:
    """Return the last line. It is never a bare "Intact." where only a part was checked."""
    if report.verdict != "intact":
        return "NOT INTACT."
    if not report.not_checked:
        return "Intact."
    return f"Intact as far as it was checked. Not checked: {escape('; '.join(report.not_checked))}."
