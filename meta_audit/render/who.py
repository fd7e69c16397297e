"""An identity as a page: its roles, its trust, its jobs, and with whom it appears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.name_identity import IdentityCandidate, IdentityCandidates
from meta_audit.query.who import Identity
from meta_audit.render.columns import table
from meta_audit.render.escape import escape
from meta_audit.render.jobs import WHOLE
from meta_audit.render.layout import (
    count,
    day,
    day_or_time,
    fields,
    page,
    section,
    short_time,
    shown,
)
from meta_audit.render.page import Listing, Page
from meta_audit.render.wording import ROLE, VERDICT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.aliases import IdentityAlias
    from meta_audit.render.layout import Screen

JOB_HEADER: Final = ("created", "job", "name", "state")
LONGEST_ID: Final = 40
"""Columns of a job's ID on a terminal: its beginning can be given to other commands."""
CANDIDATE_HEADER: Final = ("identity", "roles", "key")


class WhoPage(Page[Identity]):
    """Show what is known of one identity."""

    def text(self, screen: Screen) -> str:
        """Return the page. Long values are cut."""
        who = self.result
        return page(
            [
                section(_title(who, screen), fields(_about(who), screen), screen),
                section("Look at this", _warnings(who, screen), screen),
                section("Roles", _roles(who, screen), screen),
                section("Appears with", _together(who, screen), screen),
                section("Newest jobs", _jobs(who, screen), screen),
            ]
        )


class IdentityCandidatesPage(Listing[IdentityCandidates]):
    """Show the identities that an ambiguous text may mean."""

    row = IdentityCandidate

    def rows(self) -> Sequence[IdentityCandidate]:
        """Return those that are listed."""
        return self.result.candidates

    def text(self, screen: Screen) -> str:
        """Return a table."""
        body = [
            (one.value, _role_names(one.roles), one.fingerprint or "-")
            for one in self.result.candidates
        ]
        return table(CANDIDATE_HEADER, body, screen)

    def notes(self) -> Sequence[str]:
        """Say how many fit, and what to do."""
        number = len(self.result.candidates)
        several = f"more than {number}" if self.result.more else f"{number}"
        return (f"{escape(self.result.query)} fits {several} identities. Give more of it.",)


def alias_line(alias: IdentityAlias) -> str:
    """Return a name with its time, and who said so."""
    since = f" from {day_or_time(alias.valid_from)}" if alias.valid_from else ""
    until = f" until {day_or_time(alias.valid_until)}" if alias.valid_until else ""
    why = f": {alias.reason}" if alias.reason else ""
    return f"{alias.name}{since}{until} (alias {alias.alias_no}, {alias.actor}{why})"


def _title(who: Identity, screen: Screen) -> str:
    return f"Identity {shown(who.value, None if screen.width is None else screen.width - 9)}"


def _about(who: Identity) -> list[tuple[str, str]]:
    about = [("known as", alias_line(one)) for one in who.aliases]
    about += [("key", who.fingerprint)] if who.fingerprint else []
    about += [
        ("first", short_time(who.first_at) if who.first_at else ""),
        ("last", short_time(who.last_at) if who.last_at else ""),
        ("jobs", f"{who.jobs:,}" if who.roles else ""),
    ]
    if who.first_import:
        about.append(("taken in", _imports(who)))
    return [(name, value) for name, value in about if value]


def _imports(who: Identity) -> str:
    first = f"import {who.first_import}, {short_time(who.first_seen_at)}"
    if who.first_import == who.last_import:
        return f"by {first}"
    return f"from {first}, to import {who.last_import}, {short_time(who.last_seen_at)}"


def _warnings(who: Identity, screen: Screen) -> list[str]:
    return [f"  {screen.styled(shown(one.detail, None), 'red')}" for one in who.warnings]


def _roles(who: Identity, screen: Screen) -> list[str]:
    pairs = []
    for one in who.roles:
        how = f"{count(one.jobs, 'job')}, {one.trust}"
        if one.role in ("requester", "client") or one.verdict == "undecodable":
            how = f"{how}; {VERDICT.get(one.verdict, one.verdict)}"
        pairs.append((ROLE.get(one.role, one.role), how))
    if who.node:
        ran = f"{count(who.node.jobs, 'job')}, {count(who.node.executions, 'execution')}"
        pairs.append(("node", f"{ran} from {day(who.node.first_at)} to {day(who.node.last_at)}"))
    return fields(pairs, screen)


def _together(who: Identity, screen: Screen) -> list[str]:
    lines = []
    for counted in who.together_counts:
        same = [one for one in who.together if one.role == counted.role]
        pairs = [(f"{one.jobs:,}", one.fingerprint or one.value) for one in same]
        more = counted.identities - len(same)
        lines.append(f"  {ROLE.get(counted.role, counted.role)}, by number of jobs")
        lines += fields(pairs, screen, indent=4)
        lines += [f"    {more:,} more"] if more > 0 else []
    return lines


def _jobs(who: Identity, screen: Screen) -> list[str]:
    most = LONGEST_ID if screen.width is not None else None
    body = [
        [
            short_time(job.created_at) if job.created_at else "-",
            shown(job.job_id, most),
            job.name or "-",
            job.state or "-",
        ]
        for job in who.newest_jobs
    ]
    return table(JOB_HEADER, body, screen, whole=WHOLE).splitlines() if body else []


def _role_names(roles: Sequence[str]) -> str:
    return ", ".join(ROLE.get(role, role) for role in roles) or "node"
