"""Show where a server and the store differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.comparison import JobDifference, ServerComparison
from meta_audit.render.escape import escape
from meta_audit.render.layout import count, shown
from meta_audit.render.page import Listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.render.layout import Screen

_WORDS: Final = {
    "missing": "only the server has it",
    "rejected": "rejected: `meta-audit rejections list` says why",
    "activity": "the store has only executions or events of it",
    "changed": "the server shows a state that the store has not seen",
    "gone": "the server lists it no more",
}


class ComparisonPage(Listing[ServerComparison]):
    """Show the jobs about which a server and the store differ."""

    row = JobDifference

    def rows(self) -> Sequence[JobDifference]:
        """Return the differences."""
        return self.result.differences

    def text(self, screen: Screen) -> str:
        """Return a line for each difference, and one that counts."""
        lines = []
        for one in self.result.differences:
            end = f"  {_WORDS[one.difference]}"
            room = None if screen.width is None else max(screen.width - len(end), 20)
            lines.append(shown(one.job_id, room) + end)
        number = len(self.result.differences)
        listed = f"{escape(self.result.server)} lists {count(self.result.listed, 'job')}"
        end = f"{count(number, 'job')} differ{'s' * (number == 1)}" if number else "nothing differs"
        return "\n".join([*lines, f"{listed}; {end}."]) + "\n"

    def notes(self) -> Sequence[str]:
        """Say what to do about it."""
        if not self.result.listed:
            return ("The server lists no job: check --namespace and --label, if you gave them.",)
        pull = any(one.difference in ("missing", "changed") for one in self.result.differences)
        return ("`meta-audit pull` takes what is missing or changed.",) if pull else ()
