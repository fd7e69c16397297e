"""One ID, two jobs: create time and requester never change, and copies round times."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.identity.same_job import Birth, Births, is_two_jobs, same_job

TIME = 1795646929479653752
REQUESTER = frozenset(("n-a0ddcb16-5014-4b5d-aafb-907b1fa20d5e",))


@pytest.mark.parametrize(
    "stated",
    [
        TIME,
        None,
        int(float(TIME)),  # JavaScript and jq keep doubles
        1795646929479653800,  # and print 17 digits
        TIME // 1_000 * 1_000,
        TIME // 1_000_000 * 1_000_000,
        TIME // 1_000_000_000 * 1_000_000_000,
        1795646929480000000,  # rounded up to milliseconds
    ],
)
def test_rounded_times_are_of_one_job(stated: int | None) -> None:
    assert same_job(Birth(TIME, REQUESTER), Birth(stated, REQUESTER))
    assert same_job(Birth(stated, frozenset()), Birth(TIME, REQUESTER))


@pytest.mark.parametrize("stated", [TIME + 1_001, TIME - 1_000_000, TIME + 10**12, -TIME])
def test_other_times_are_of_another_job(stated: int) -> None:
    assert not same_job(Birth(TIME, REQUESTER), Birth(stated, frozenset()))
    assert is_two_jobs([Birth(TIME, REQUESTER), Birth(None, REQUESTER), Birth(stated, REQUESTER)])


def test_an_answer_of_the_legacy_api_to_a_submission() -> None:
    """It states a time from before the job is stored (v1.1.6, job 222afd00…)."""
    stored, answered = 1795649356961764244, 1795649356961241116
    births = [Birth(stored, REQUESTER, "v1.0.4"), Birth(answered, REQUESTER, "legacy v1.0.4")]
    assert not is_two_jobs(births)
    assert is_two_jobs([births[0], Birth(answered, REQUESTER, "v1.0.4")])
    assert is_two_jobs([births[0], Birth(stored + 10**9, REQUESTER, "legacy v1.0.4")])


def test_another_requester_is_of_another_job() -> None:
    """What two servers gave out for the service job `j-chosen-by-client`."""
    other = frozenset(("n-ca539f34-9c70-429d-9466-7ac7dacf0c9b",))
    assert is_two_jobs([Birth(TIME, REQUESTER), Birth(TIME, other)])
    assert not is_two_jobs([Birth(TIME, REQUESTER), Birth(TIME, REQUESTER | other)])
    assert not is_two_jobs([])


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_the_rule_has_no_order(one: int, other: int) -> None:
    births = Birth(one, REQUESTER), Birth(other, REQUESTER)
    assert same_job(*births) == same_job(*reversed(births))


BIRTHS = st.builds(
    Birth,
    st.none() | st.sampled_from([TIME + n for n in (0, 1, 511, 512, 600, 1_000)] + [10**18, 1]),
    st.frozensets(st.sampled_from("abc"), max_size=2),
    st.sampled_from(["v1.0.4", "legacy v1.0.4"]),
)


@given(st.lists(BIRTHS, max_size=8))
def test_many_births_are_compared_as_each_with_each(births: list[Birth]) -> None:
    seen = Births()
    for number, birth in enumerate(births):
        contradicts = not all(same_job(birth, earlier) for earlier in births[:number])
        assert seen.add(birth) == (contradicts and birth not in births[:number])
    assert is_two_jobs(births) == any(not same_job(a, b) for a in births for b in births)


def test_many_births_take_little_time() -> None:
    births = [Birth(TIME, frozenset((f"n-{n}", "n"))) for n in range(3_000)]
    began = time.process_time()
    assert not is_two_jobs(births)
    assert time.process_time() - began < 1
