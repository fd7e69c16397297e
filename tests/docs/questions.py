"""Read the questions of docs/questions.md, with their commands and queries."""

from __future__ import annotations

import re
import shlex
from typing import Final, NamedTuple

from tests.docs.shell import ROOT

_QUESTION: Final = re.compile(
    r"^\*\*(\d+)\. (.+?)\*\*.*?^```sh\nmeta-audit (.+?)\n```\n\n```sql\n(.+?)\n```$", re.M | re.S
)
_ALL_JOBS: Final = "-- all jobs\n"


class Question(NamedTuple):
    """A question, and how it is answered."""

    number: int
    text: str
    command: list[str]
    sql: str

    @property
    def is_about_all_jobs(self) -> bool:
        """Tell whether the query may read the whole store."""
        return self.sql.startswith(_ALL_JOBS)


def read_questions() -> list[Question]:
    """Return the questions in their order."""
    page = (ROOT / "docs/questions.md").read_text("utf-8")
    return [
        Question(int(number), text, shlex.split(command), sql)
        for number, text, command, sql in _QUESTION.findall(page)
    ]
