"""A trace as a page: who sent the job, how we know, what, when, where."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeVar

from meta_audit.query.results import Trace
from meta_audit.render.layout import (
    ELLIPSIS,
    Screen,
    cells,
    count,
    fields,
    padded,
    section,
    short_time,
    shown,
)
from meta_audit.render.page import Page
from meta_audit.render.wording import ORIGIN, ROLE, STYLE, TRUST, VERDICT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.query.results import (
        TracedAttribution,
        TracedExecution,
        TracedFinding,
        TracedUse,
    )

SHOWN: Final = 20
"""Newest rows of a history that are shown."""
META_SHOWN: Final = 200
"""Meta pairs of one level that are shown."""
USES_SHOWN: Final = 50
"""Inputs, outputs and the like of one task, or results, that are shown."""

_Row = TypeVar("_Row")


class TracePage(Page[Trace]):
    """Show all that the store knows of one job."""

    def text(self, screen: Screen) -> str:
        """Return the page. Long values are cut."""
        return _page(self.result, screen)


def _page(trace: Trace, screen: Screen) -> str:
    critical = [f for f in trace.findings if f.severity == "critical"]
    other = [f for f in trace.findings if f.severity != "critical"]
    sections = [
        _job(trace, screen),
        section("Critical findings", _findings(critical, screen), screen),
        section("Who", _who(trace, screen), screen),
        *_meta(trace, screen),
        section("Labels", fields(sorted(trace.labels.items()), screen), screen),
        *_uses(trace, screen),
        section("Versions", _versions(trace, screen), screen),
        section(*_same_spec(trace, screen), screen),
        section("States", _states(trace, screen), screen),
        section("Nodes", _nodes(trace.executions, screen), screen),
        section("Events", _events(trace, screen), screen),
        section("Evidence", _evidence(trace, screen), screen),
        section("Findings", _findings(other, screen), screen),
    ]
    lines = [line for section in sections if section for line in (*section, "")]
    if any(ELLIPSIS in line for line in lines):
        lines.append(
            screen.styled(f"{ELLIPSIS} marks cut values: --format json has all of them.", "dim")
        )
    return "\n".join(lines).rstrip("\n") + "\n"


def _newest(rows: Sequence[_Row], most: int = SHOWN) -> tuple[Sequence[_Row], list[str]]:
    """Return the last rows, and a line that counts those before them."""
    left = len(rows) - most
    return rows[-most:], [f"  {ELLIPSIS} {left:,} earlier"] if left > 0 else []


def _distinct(rows: Iterable[_Row]) -> list[_Row]:
    return list(dict.fromkeys(rows))


def _job(trace: Trace, screen: Screen) -> list[str]:
    job = trace.job
    title = f"Job {shown(job.job_id, None)}"
    about = [("source", ORIGIN.get(job.origin, job.origin))]
    if trace.as_of:
        about.append(("as of", f"{short_time(trace.as_of)}: imports from then on are left out"))
    if trace.at:
        about.append(("at", f"{short_time(trace.at)}: what documents say of later is left out"))
    if job.version_no:
        message = f": {job.state_message}" if job.state_message else ""
        since = f", {short_time(job.modified_at)}" if job.modified_at else ""
        several = (
            f", {count(len(trace.versions), 'version')} seen" if len(trace.versions) > 1 else ""
        )
        about = [
            ("name", job.name),
            ("namespace", job.namespace),
            ("state", job.state and f"{job.state}{since}{message}"),
            ("type", job.type),
            ("created", short_time(job.created_at) if job.created_at else ""),
            ("version", f"{job.version}{several}"),
            ("format", f"since Bacalhau {job.layout}"),
            *about,
        ]
    return section(title, fields([(name, value) for name, value in about if value], screen), screen)


def _who(trace: Trace, screen: Screen) -> list[str]:
    attributions = trace.attributions
    if not attributions:
        return ["  not known: no document names anyone for this job"]
    column = max(len(ROLE.get(a.role, a.role)) for a in attributions)
    indent = " " * (column + 4)
    room = None if screen.width is None else screen.width - len(indent)
    lines: list[str] = []
    for _, group in groupby(attributions, key=lambda a: (a.role, a.value, a.trust, a.verdict)):
        same = list(group)
        who = same[0]
        role = padded(ROLE.get(who.role, who.role), column)
        lines.append(f"  {role}  {shown(who.value, room)}")
        if names := trace.aliases.get(who.value):
            lines.append(f"{indent}known as {shown(', '.join(names), room and room - 9)}")
        lines.append(indent + "; ".join(_how(who, screen)))
        if who.fingerprint:
            lines.append(f"{indent}key {who.fingerprint}")
        basis = ", ".join(a.basis for a in same)
        lines.append(indent + screen.styled(f"from {shown(basis, room and room - 5)}", "dim"))
    return lines


def _how(who: TracedAttribution, screen: Screen) -> list[str]:
    """Say how we know. Of a key the verdict is said with the ID that it was checked with."""
    trust, verdict = TRUST.get(who.trust, who.trust), VERDICT.get(who.verdict, who.verdict)
    if who.role not in ("requester", "client") and who.verdict != "undecodable":
        return [trust]
    return [trust, screen.styled(verdict, "red") if who.verdict == "mismatch" else verdict]


def _meta(trace: Trace, screen: Screen) -> list[list[str]]:
    sections = []
    for number, group in groupby(trace.meta, key=lambda pair: pair.task_no):
        pairs = list(group)
        name = pairs[0].task or ""
        title = f"Meta of task {number}, {shown(name, 60)}" if number else "Meta of the job"
        lines = fields([(p.key, p.value) for p in pairs[:META_SHOWN]], screen)
        if len(pairs) > META_SHOWN:
            lines.append(f"  {ELLIPSIS} {len(pairs) - META_SHOWN:,} more")
        sections.append(section(title, lines, screen))
    return sections


def _uses(trace: Trace, screen: Screen) -> list[list[str]]:
    sections = []
    for number, group in groupby(trace.uses, key=lambda use: use.task_no):
        uses = list(group)
        name = shown(uses[0].task or "", 60)
        title = f"Task {number}, {name}" if number else "Results"
        lines = fields([_use(use) for use in uses[:USES_SHOWN]], screen)
        if len(uses) > USES_SHOWN:
            lines.append(f"  {ELLIPSIS} {len(uses) - USES_SHOWN:,} more")
        sections.append(section(title, lines, screen))
    return sections


def _use(use: TracedUse) -> tuple[str, str]:
    if use.kind == "resource":
        return use.type, use.value
    type_ = f"{use.type}: " if use.type and use.value else use.type
    at = f", {'of ' if use.kind == 'result' else 'as '}{use.target}" if use.target else ""
    return use.kind, f"{type_}{use.value}{at}"


def _versions(trace: Trace, screen: Screen) -> list[str]:
    if len(trace.versions) < 2:
        return []
    versions, lines = _newest(trace.versions)
    changed = len({(v.requester, v.client) for v in trace.versions}) > 1
    pairs = []
    for v in versions:
        newest = ", newest" if v.version_no == trace.job.version_no else ""
        who = f", requester {v.requester}, client {v.client}" if changed else ""
        spec = f"spec sha256:{v.spec_sha256[:12]}"
        text = f"version {v.version}, created {short_time(v.created_at)}, {spec}{newest}{who}"
        pairs.append((f"{v.version_no}", text))
    page = lines + fields(pairs, screen)
    if len({v.version for v in trace.versions}) < len(trace.versions):
        page.append("  Specs differ under the same Bacalhau Version: compare their documents.")
    return page


def _same_spec(trace: Trace, screen: Screen) -> tuple[str, list[str]]:
    made = trace.job.origin != "orchestrator"
    title = "Jobs made of this specification" if made else "Specifications that say the same"
    pairs = []
    for other in trace.same_spec:
        since = f", created {short_time(other.created_at)}" if other.created_at else ""
        origin = ORIGIN.get(other.origin, other.origin)
        pairs.append((other.job_id, f"namespace {other.namespace or '-'}{since}; {origin}"))
    return title, fields(pairs, screen, widest=72)


def _states(trace: Trace, screen: Screen) -> list[str]:
    seen = _distinct(
        (o.modified_at, o.state, o.version_no, o.revision, o.message)
        for o in trace.observations
        if o.state or o.modified_at or o.message
    )
    rows, lines = _newest(seen)
    several = len(trace.versions) > 1
    pairs = []
    for time, state, version_no, revision, message in rows:
        of = f", version {version_no} here" if several else ""
        why = f": {message}" if message else ""
        pairs.append(
            (short_time(time), f"{state or 'state unknown'} (revision {revision}{of}){why}")
        )
    return lines + fields(pairs, screen)


def _nodes(executions: Sequence[TracedExecution], screen: Screen) -> list[str]:
    """Return each execution in its newest state."""
    last = {e.execution_id: e for e in executions}
    rows, lines = _newest(sorted(last.values(), key=lambda e: (e.created_at or "", e.node)))
    pairs = []
    for e in rows:
        wanted = f", wanted {e.desired_state}" if e.desired_state else ""
        when = (
            f", {short_time(e.modified_at or e.created_at)}"
            if e.modified_at or e.created_at
            else ""
        )
        why = f": {e.message}" if e.message else ""
        state = e.state or "state unknown"
        pairs.append((e.node or "node unknown", f"{state}{wanted}{when}, {e.execution_id}{why}"))
    return lines + fields(pairs, screen, widest=64)


def _events(trace: Trace, screen: Screen) -> list[str]:
    told = _distinct(
        (e.time, e.kind, e.state, e.execution_id, e.node, e.message) for e in trace.events
    )
    rows, lines = _newest(sorted(told, key=lambda e: e[0] or ""))
    pairs = []
    for time, kind, state, execution_id, node, message in rows:
        at = f" on {node}" if node else ""
        of = f", {execution_id}" if execution_id else ""
        why = f": {message}" if message else ""
        pairs.append((short_time(time), f"{' '.join(filter(None, (kind, state)))}{at}{of}{why}"))
    return lines + fields(pairs, screen)


def _evidence(trace: Trace, screen: Screen) -> list[str]:
    rows, lines = _newest(trace.evidence)
    for e in rows:
        lines.append(f"  {e.document_sha256}")
        where = f", {e.position}"
        import_ = f"import {e.import_id}, {short_time(e.observed_at)}; ledger entry {e.entry_index}"
        what = "" if e.version_no or trace.job.origin == "activity" else "; executions or events"
        room = None if screen.width is None else screen.width - 6 - len(where)
        lines.append(f"      {shown(e.source, room)}{where}")
        lines.append(f"      {import_}; {count(e.size, 'byte')}{what}")
    checkpoint = trace.checkpoint
    if checkpoint and checkpoint.covers:
        lines.append(f"  covered by checkpoint {checkpoint.number}, {checkpoint.root[:23]}...")
    else:
        lines.append("  not covered by a checkpoint yet: its import is running or was killed")
    return lines


def _findings(findings: Sequence[TracedFinding], screen: Screen) -> list[str]:
    lines = []
    for code, severity, detail in _distinct((f.code, f.severity, f.detail) for f in findings):
        start = f"  {shown(code, None)}  "
        room = None if screen.width is None else screen.width - cells(start)
        lines.append(screen.styled(start, STYLE.get(severity, "bold")) + shown(detail, room))
    return lines
