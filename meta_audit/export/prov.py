"""Export W3C PROV-JSON: jobs are activities, documents entities, clients and nodes agents.

https://www.w3.org/submissions/prov-json/. Each section is written to a file of its own first, so
that memory does not grow with the jobs.
"""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import quote

from meta_audit.render.json import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.export.matched import MatchedJobs

PREFIXES: Final = {
    "ma": "urn:meta-audit:",
    "job": "urn:bacalhau:job:",
    "id": "urn:bacalhau:identity:",
    "sha256": "urn:sha256:",
}
SECTIONS: Final = "activity", "entity", "agent", "wasAssociatedWith", "wasInfluencedBy"
ROLES: Final = "client", "requester"
_SHOWN: Final = "name", "type", "state", "origin", "versions"
"""Columns of `v_jobs` that become attributes of the activity."""
_AT_ONCE: Final = 1 << 20


class _Sections:
    """Collect the members of each section."""

    def __init__(self, files: dict[str, IO[bytes]]) -> None:
        self._files = files
        self._numbers = 0
        self._agents: set[str] = set()

    def add(self, section: str, name: str, content: dict[str, Any]) -> None:
        """Add a member, without attributes that are not known."""
        known = {key: value for key, value in content.items() if value is not None}
        file = self._files[section]
        separator = b",\n" if file.tell() else b"\n"
        member = to_json({name: known}, indent=0)
        file.write(separator + member[1:].rstrip(b"\n")[:-1])

    def relate(self, section: str, content: dict[str, Any]) -> None:
        """Add a relation, which has no name of its own."""
        self._numbers += 1
        self.add(section, f"_:{self._numbers}", content)

    def agent(self, value: str) -> str:
        """Return the name of an agent, which is added once."""
        name = f"id:{_escaped(value)}"
        if name not in self._agents:
            self._agents.add(name)
            self.add("agent", name, {"ma:value": value})
        return name


def write(jobs: MatchedJobs, _: str) -> Iterator[bytes]:
    """Yield the JSON object."""
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {
            name: stack.enter_context(TemporaryFile()) for name in SECTIONS
        }
        sections = _Sections(files)
        for batch in jobs.facts():
            for job in batch:
                _add(sections, job)
            yield b""
        yield to_json({"prefix": PREFIXES}, indent=0).rstrip(b"\n")[:-1]
        for name, file in files.items():
            file.seek(0)
            yield f',\n"{name}":{{'.encode()
            while piece := file.read(_AT_ONCE):
                yield piece
            yield b"\n}"
        yield b"}\n"


def _add(sections: _Sections, job: dict[str, Any]) -> None:
    activity = f"job:{_escaped(job['namespace'])}/{_escaped(job['job_id'])}"
    entity = f"sha256:{job['document']}"
    about = {f"ma:{name}": job.get(name) for name in _SHOWN}
    started = {"prov:startTime": job["created_at"], "prov:type": _type("ma:Job")}
    sections.add("activity", activity, started | about)
    evidence = {"prov:type": _type("ma:Document"), "ma:entry_index": job["entry_index"]}
    sections.add("entity", entity, evidence)
    told = {"prov:influencee": entity, "prov:influencer": activity, "prov:label": "shows"}
    sections.relate("wasInfluencedBy", told)
    for role in ROLES:
        if job[role]:
            agent = sections.agent(job[role])
            how = {f"ma:{word}": job.get(f"{role}_{word}") for word in ("trust", "verdict")}
            who = {"prov:activity": activity, "prov:agent": agent, "prov:role": role}
            sections.relate("wasAssociatedWith", who | how)


def _type(name: str) -> dict[str, str]:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _escaped(text: str) -> str:
    return quote(text, safe="-._~")
