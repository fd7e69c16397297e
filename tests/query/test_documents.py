import json
from hashlib import sha256
from typing import Any

import pytest
import sqlalchemy as sa

from meta_audit.errors import NotFoundError, StoreError
from meta_audit.model import KEPT_OF_TOO_LARGE, MAX_DOCUMENT_BYTES
from meta_audit.query.documents import kept_document, rejected_document
from meta_audit.query.rejections import Filter, list_rejections, one_rejection
from meta_audit.query.results import Candidates
from tests.engines import tampering

BROKEN = b'{"ID": "j-1", \xff\x1b[2J'


def test_the_bytes_of_a_job_are_those_of_its_newest_state(store, job) -> None:
    old = json.dumps(job(state="Running", Revision=1), indent=3).encode() + b"  "
    new = json.dumps(job()).encode() + b"\r\n"
    store.take(new, old)
    kept = kept_document(store.session, "5e85f246-")
    assert kept.content == new
    assert (kept.size, kept.rejected) == (len(new), "")
    for digits in (8, 9, 16, 17, 40, 64):
        digest = sha256(old).hexdigest()[:digits]
        assert kept_document(store.session, digest).content == old
        assert kept_document(store.session, digest.upper()).content == old


def test_rejected_bytes_are_kept_too(store) -> None:
    store.take(BROKEN)
    kept = kept_document(store.session, sha256(BROKEN).hexdigest())
    assert (kept.content, kept.rejected) == (BROKEN, "text.encoding")
    assert rejected_document(store.session, 0) == kept


def test_of_a_document_that_is_too_large_the_beginning_is_kept(store) -> None:
    from meta_audit.ingest.build import Offered
    from meta_audit.model import Rejection

    whole = b"[" * (MAX_DOCUMENT_BYTES + 1)
    digest = sha256(whole).digest()
    rejection = Rejection(
        reason="too_large",
        message="m",
        content=whole[:KEPT_OF_TOO_LARGE],
        ordinal=1,
        line=1,
        size=len(whole),
        sha256=digest,
        format="json",
    )
    store.take(Offered(rejection, digest, 0, "big.json"))
    kept = kept_document(store.session, digest.hex())
    assert (len(kept.content), kept.size) == (KEPT_OF_TOO_LARGE, len(whole))


def test_a_beginning_of_several_hashes_names_them(store, job) -> None:
    documents = [json.dumps(job(f"j-{n}")).encode() for n in range(3)]
    store.take(*documents)
    store.take(job("j-x", Name=sha256(documents[0]).hexdigest()[:8]))
    digest = sha256(documents[0]).hexdigest()
    with pytest.raises(NotFoundError, match=f"{digest} and a job"):
        kept_document(store.session, digest[:8])
    assert kept_document(store.session, digest[:9]).content == documents[0]


def test_what_is_not_there_is_not_found(store, job) -> None:
    store.take(job())
    for what in ("0" * 64, "deadbeef", "%", "no such job"):
        with pytest.raises(NotFoundError):
            kept_document(store.session, what)
    with pytest.raises(NotFoundError):
        rejected_document(store.session, 0)


def test_an_ambiguous_job_gives_candidates(store, job) -> None:
    store.take(job("j-1"), job("j-2"))
    assert isinstance(kept_document(store.session, "hello"), Candidates)


@pytest.mark.parametrize("change", [("content", b"\0"), ("sha256", b"\xab" * 32)])
def test_what_was_changed_in_the_store_is_not_given_out(store, job, change: Any) -> None:
    store.take(job())
    column, value = change
    with tampering(store.db) as session:
        update = sa.text(f"UPDATE documents SET {column} = :value")
        session.execute(update.bindparams(value=value))
    with pytest.raises(StoreError, match="damaged"):
        kept_document(store.session, "hello")


def test_rejections_are_listed_in_the_order_of_the_ledger(store, job) -> None:
    store.take(BROKEN, job(), b"{}", uri="a/100%.json")
    store.take(job("j-2", meta={"n": 1}), uri="b.json")
    everything = list_rejections(store.session, Filter(), 50)
    assert everything.total == 3
    assert [r.reason for r in everything.rejections] == [
        "text.encoding",
        "not_a_job",
        "meta.not_string",
    ]
    first = everything.rejections[0]
    assert (first.rejection_id, first.source, first.position.document) == (0, "a/100%.json", 1)
    assert first.document_sha256 == sha256(BROKEN).hexdigest()
    assert one_rejection(store.session, 0) == first
    shown = list_rejections(store.session, Filter(), 1)
    assert (len(shown.rejections), shown.total) == (1, 3)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Filter(reason="meta.not_string"), 1),
        (Filter(reason="meta"), 1),
        (Filter(source="100%"), 2),
        (Filter(source=""), 3),
        (Filter(import_id=2), 1),
        (Filter(import_id=2, reason="text"), 0),
    ],
)
def test_rejections_are_filtered(store, job, wanted: Filter, count: int) -> None:
    store.take(BROKEN, job(), b"{}", uri="a/100%.json")
    store.take(job("j-2", meta={"n": 1}), uri="b.json")
    assert list_rejections(store.session, wanted, 50).total == count


def test_what_was_accepted_later_is_resolved(store, job) -> None:
    document = json.dumps(job(meta={"n": 1})).encode()
    store.take(document)
    assert list_rejections(store.session, Filter(), 9).rejections[0].resolved_by is None
    store.take(document, coerce_scalars=True)
    assert list_rejections(store.session, Filter(), 9).total == 0
    (resolved,) = list_rejections(store.session, Filter(resolved=True), 9).rejections
    assert resolved.resolved_by == 2
    kept = kept_document(store.session, sha256(document).hexdigest())
    assert (kept.content, kept.rejected) == (document, "")


@pytest.mark.parametrize(
    ("wanted", "advice"),
    [
        (Filter(reason="met"), "Did you mean meta"),
        (Filter(reason="%"), ""),
        (Filter(reason="not_a_jbo"), "Did you mean not_a_job"),
        (Filter(source="_"), ""),
        (Filter(source="b.jsno"), "Did you mean b.json?"),
        (Filter(source="\udcff"), ""),
        (Filter(import_id=3), "The newest import is 2."),
    ],
)
def test_a_filter_that_is_unknown_says_so(store, job, wanted: Filter, advice: str) -> None:
    store.take(BROKEN, job(), b"{}", uri="a/100%.json")
    store.take(job("j-2", meta={"n": 1}), uri="b.json")
    with pytest.raises(NotFoundError) as raised:
        list_rejections(store.session, wanted, 50)
    assert raised.value.advice.startswith(advice)
    assert bool(raised.value.advice) == bool(advice)
