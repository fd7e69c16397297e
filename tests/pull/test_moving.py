"""No job is missed, though the list moves while it is read."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from meta_audit.errors import SourceError
from meta_audit.sources.orchestrator.job_list import ListPage, Order, offset_token, read_page
from meta_audit.sources.orchestrator.sweep import Sweep
from meta_audit.store.opening import open_to_write
from tests.pull.changes import Changes, Numbers, follow
from tests.pull.orchestrator import JOBS, Held, Orchestrator, serving


def fetch_from(served: Orchestrator):  # type: ignore[no-untyped-def]
    """Ask without a network."""

    def fetch(order: Order, offset: int, limit: int) -> tuple[ListPage, bool]:
        query = {
            "order_by": order,
            "reverse": "true" if order == "modified_at" else "false",
            "namespace": "*",
            "limit": str(limit),
        }
        if offset:
            query["next_token"] = offset_token(order, limit, offset)
        status, body = served.answer(JOBS, query)
        assert status == 200
        page = read_page(body, of_jobs=True)
        return page, not page.next_token

    return fetch


def held(number: int, created: int, modified: int) -> Held:
    job_id = f"j-{number:04}"
    body = f'{{"ID":"{job_id}","CreateTime":{created},"ModifyTime":{modified}}}'
    return Held(job_id, body.encode(), created, modified)


class Disturbance:
    """Add, modify and lose jobs of a list while it is read."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.served = Orchestrator("v1.6", seed=seed)
        self.disturbed: set[str] = set()
        ties = self.chance.choice((1, 2, 5))
        for n in range(self.chance.randint(0, 60)):
            self.served.jobs[f"j-{n:04}"] = held(n, 1 + n // ties, 1 + n // ties)
        self.before = set(self.served.jobs)
        self.served.before = self.disturb

    def disturb(self) -> None:
        """Do one thing or several, or nothing."""
        for _ in range(self.chance.choice((0, 0, 1, 3))):
            now = 100 + len(self.disturbed) // 2
            kind = self.chance.random()
            one = held(1000 + len(self.disturbed), now, now)
            if kind > 0.5 and self.served.jobs:
                old = self.served.jobs.pop(self.chance.choice(sorted(self.served.jobs)))
                self.disturbed.add(old.job_id)
                if kind > 0.75:
                    continue  # it is lost
                one = held(int(old.job_id[2:]), old.created, now)
            self.disturbed.add(one.job_id)
            self.served.jobs[one.job_id] = one


@pytest.mark.parametrize("order", ["created_at", "modified_at"])
def test_a_sweep_sees_every_job_that_keeps_its_time(order: Order) -> None:
    for seed in range(100):
        moving = Disturbance(seed)
        first = moving.chance.choice((3, 4, 7))
        sweep = Sweep(fetch_from(moving.served), order, first=first, most=9)
        seen = {element.job_id for page in sweep.pages() for element in page}
        assert moving.before - moving.disturbed <= seen, seed


def test_ties_larger_than_a_page_are_read_whole_or_refused() -> None:
    served = Orchestrator("v1.6")
    for n in range(200):
        served.jobs[f"j-{n:04}"] = held(n, min(n, 5), 7)
    sweep = Sweep(fetch_from(served), "created_at", first=3, most=5)
    assert len({e.job_id for page in sweep.pages() for e in page}) == 200


def test_a_list_that_is_not_sorted_is_refused() -> None:
    def unsorted(order: Order, offset: int, limit: int) -> tuple[ListPage, bool]:
        bodies = [held(n, n, n).body for n in (2, 1, 3)]
        return read_page(b'{"Items":[%s]}' % b",".join(bodies), of_jobs=True), True

    with pytest.raises(SourceError, match="not sorted by created_at"):
        list(Sweep(unsorted, "created_at", first=3, most=3).pages())


@pytest.mark.parametrize("layout", ["v1.1", "v1.9"])
def test_nothing_is_missed_under_random_changes(
    layout: str, empty_sqlite: Path, tmp_path: Path
) -> None:
    db = tmp_path / "audit.db"
    open_to_write(str(db)).close()
    served, numbers = Orchestrator(layout, seed=5), Numbers()
    with serving(served) as url:
        follow(db, url, Changes(served, 5), 60, numbers)
    assert numbers.changes >= 60
    assert (numbers.missed, numbers.wrong) == (0, 0)
