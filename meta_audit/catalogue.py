"""Name every reason to reject a document, and everything that an auditor should look at."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Severity = Literal["info", "warning", "critical"]


class FindingKind(NamedTuple):
    """Name the severity of a finding and its meaning."""

    severity: Severity
    meaning: str


REASONS: Final[dict[str, str]] = {
    "json.syntax": "not valid JSON",
    "yaml.syntax": "not valid YAML",
    "yaml.tag": "a tag that is not YAML's own, or does not fit its value; nothing is constructed",
    "yaml.alias_budget": "aliases and merges expand to more nodes than the budget",
    "yaml.merge": "a YAML merge key (<<) whose value is neither a mapping nor text",
    "yaml.key": "a YAML mapping key that is null or no scalar, as in a template not rendered",
    "leading_text": "text before a document, which is none itself; the document was taken",
    "trailing_data": "more data after the end of the document",
    "truncated": "the source ends in the middle of the document",
    "empty": "no document: nothing but white space or comments",
    "duplicate_key": "a key twice in Meta, labels or what identifies; Bacalhau would keep the last",
    "case_collision": "two names of one field that differ only by case, as Meta beside meta",
    "too_deep": "nested deeper than the limit",
    "too_large": "larger than the limit for one document; only its beginning is kept",
    "text.encoding": "neither UTF-8 nor UTF-16 with a byte order mark, or a lone surrogate",
    "text.nul": "a NUL character in text; no longer a reason: `rejections retry` takes it",
    "number.range": "a number out of the range of its field",
    "field.type": "a field whose value has the wrong type",
    "field.too_long": "a job ID or namespace too long to index; older versions rejected it, "
    "now it is the finding `field.shortened`",
    "meta.not_string": "a Meta value that is not a string; Bacalhau v1.0.4-v1.3.2 stored its text, "
    "v1.4 and later refuse it",
    "label.not_string": "a label value that is not a string; Bacalhau v1.0.4-v1.3.2 stored its "
    "text, v1.4 and later refuse it",
    "not_a_job": "well formed, but not a Bacalhau job in any known layout",
}
"""Reason of a rejection: its meaning."""

FINDINGS: Final[dict[str, FindingKind]] = {
    "text.nul": FindingKind("warning", "a NUL character in text, which cuts text in many programs"),
    "field.duplicate": FindingKind(
        "warning", "the same key twice in one mapping; the last one is taken, as Bacalhau does"
    ),
    "field.shortened": FindingKind(
        "warning", "a job ID or namespace that no index takes: cut, and its digest put behind it"
    ),
    "field.converted": FindingKind(
        "info",
        "a number or boolean of another type than its field, read as Bacalhau's command line reads"
        " it; in JSON no server wrote it, so trust is claimed",
    ),
    "field.snake_case": FindingKind(
        "info", "field names in snake case: a program printed them, not Bacalhau; trust is claimed"
    ),
    "field.unknown": FindingKind(
        "info", "a top-level field that no known version has: kept in the document, in no table"
    ),
    "field.hidden": FindingKind(
        "warning", "text glued to the name of a field, as a prompt before ID: the field is not read"
    ),
    "document.foreign": FindingKind(
        "info",
        "a form that Bacalhau does not write, as other fields around a job or a State that "
        "is text: not an orchestrator's word",
    ),
    "time.unit": FindingKind("warning", "a time that is not in nanoseconds, read in its own unit"),
    "state.unknown": FindingKind(
        "info", "a state's number that means different states in different versions, or none"
    ),
    "template.unrendered": FindingKind(
        "warning", "a template ({{…}}) that was not rendered, in a name, namespace, Meta or label"
    ),
    "spec.states_id": FindingKind(
        "info", "a spec or submission that states a job ID, which clients may choose"
    ),
    "meta.null": FindingKind("info", "a null Meta value, taken as the empty string"),
    "meta.coerced": FindingKind("warning", "a Meta value that was not a string, taken as text"),
    "meta.confusable_key": FindingKind(
        "warning", "Meta keys that look alike: same letters after Unicode normalisation or folding"
    ),
    "meta.invisible": FindingKind(
        "warning", "invisible, bidirectional or control characters in Meta or a label"
    ),
    "reserved.task": FindingKind(
        "critical", "a bacalhau.org/ key in a task's Meta: anyone can write it; a sign of spoofing"
    ),
    "reserved.unsubmitted": FindingKind(
        "critical", "a bacalhau.org/ key in a spec that no orchestrator accepted: a forgery"
    ),
    "reserved.lookalike": FindingKind(
        "critical", "a Meta key that imitates a bacalhau.org/ key by case or by similar letters"
    ),
    "job.vanished": FindingKind(
        "critical", "a job that its orchestrator has no longer: a pull read the whole list"
    ),
    "history.cut": FindingKind(
        "warning", "events that a job's history on its server has no longer, as after an upgrade"
    ),
    "identity.mismatch": FindingKind("critical", "an ID that does not belong to its public key"),
    "identity.undecodable_key": FindingKind("warning", "a public key that cannot be decoded"),
    "identity.conflict": FindingKind(
        "critical", "one document names two different values for the same role"
    ),
    "identity.no_value": FindingKind(
        "warning",
        "a printed None, null, unfilled template or the like in place of an identity: nobody is "
        "named",
    ),
    "identity.lookalike": FindingKind(
        "warning",
        "an ID or namespace that may look like another: a blank at an end, two in a row, or no "
        "printable ASCII",
    ),
    "identity.two_jobs": FindingKind(
        "critical", "one ID of two jobs: orchestrators state different create times or requesters"
    ),
    "activity.other_job": FindingKind(
        "warning", "an execution or event in a job's document that names another job; not taken"
    ),
    "signature.invalid": FindingKind("critical", "the signature does not verify"),
    "signature.unverifiable": FindingKind("warning", "a signature or key that cannot be decoded"),
}
"""Code of a finding: its severity and meaning."""

SOURCE_ERRORS: Final[dict[str, str]] = {
    "source.missing": "there is no such file or directory",
    "source.unreadable": "the file could not be read",
    "source.not_regular": "a device, a socket, a symlink loop, or a FIFO in a directory",
    "source.format": "an archive, a database or compressed data of a kind that is not read",
    "source.changed": "the file changed while it was read",
    "archive.budget": "a compressed stream or archive beyond its budget of bytes, members, nesting",
    "archive.broken": "a compressed stream that is damaged from its start, or a damaged archive",
    "archive.member": "a member of an archive that is not read: encrypted, sparse, in parts, or "
    "with a path out of the archive",
    "database.broken": "a BoltDB file that is damaged, or was copied while it changed",
    "segment.broken": "a segment that is damaged, cut off, or not as this program writes them",
    "segment.version": "a segment that another version of the program made: make it again",
    "server.unreachable": "no connection to a server, or it broke, or an answer took too long",
    "server.tls": "the certificate of a server cannot be verified",
    "server.denied": "a server wants other credentials (401, 403)",
    "server.failed": "a server answered with an error, such as 429 or 500",
    "server.gaps": "a server could not give out parts of some jobs; all else was taken",
    "server.answer": "a redirect to another server; or no answer of Bacalhau's: no JSON, too large",
}
"""Why a whole source is refused."""
