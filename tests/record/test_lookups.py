"""IDs of texts and pairs: one for each, whoever asks, in whatever order, remembered or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meta_audit.record.lookups import Lookups
from meta_audit.store.opening import open_to_write
from meta_audit.store.session import Session

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=12)
RULES = st.lists(
    st.tuples(*[st.sampled_from(["a", "b", "é"]) for _ in range(4)]), max_size=6, unique=True
)
MEMBERS = st.frozensets(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=3)
SETS = st.lists(MEMBERS.map(lambda members: tuple(sorted(members))), max_size=6)

CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("pairs"), PAIRS),
        st.tuples(st.just("terms"), st.lists(TEXT, max_size=12)),
        st.tuples(st.just("identities"), st.lists(TEXT, max_size=12)),
        st.tuples(st.just("rules"), RULES),
        st.tuples(st.just("attribution_sets"), SETS),
        st.tuples(st.just("forget"), st.none()),
        st.tuples(st.just("rollback"), st.none()),
    ),
    max_size=12,
)


@pytest.fixture
def session(db_url: str) -> Iterator[Session]:
    store = open_to_write(db_url)
    session = store.session()
    yield session
    session.close()
    store.close()


RELAXED = settings(
    max_examples=settings().max_examples // 4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@RELAXED
@given(calls=CALLS, remembered=st.sampled_from([0, 2, 100]))
def test_every_value_has_one_number(
    session: Session, calls: list[tuple[str, list[object] | None]], remembered: int
) -> None:
    """In one transaction that is undone, so that every example begins with an empty store."""
    numbers: dict[tuple[str, object], int] = {}
    values: dict[tuple[str, int], object] = {}
    asked = Lookups(session, remembered)
    session.begin()
    try:
        for name, given_ in calls:
            if name == "forget":
                asked.forget()
            elif name == "rollback":
                session.rollback()
                asked.forget()
                numbers.clear()
                values.clear()
                session.begin()
            else:
                found = getattr(asked, name)(given_)
                assert len(found) == len(given_ or [])
                for value, number in zip(given_ or [], found, strict=True):
                    assert numbers.setdefault((name, value), number) == number
                    assert values.setdefault((name, number), value) == value
                    assert number > 0 or value == ()
        check_rows(session, numbers)
    finally:
        session.rollback()


def check_rows(session: Session, numbers: dict[tuple[str, object], int]) -> None:
    """The store says the same, and the numbers have no gaps."""
    asked: dict[str, dict[int, object]] = {}
    for (name, value), number in numbers.items():
        asked.setdefault(name, {})[number] = value
    pairs = session.query(
        'SELECT p.pair_id, k."key", p.value FROM meta_pairs p JOIN meta_keys k USING (key_id)'
    )
    stored = {
        "pairs": {number: (key, value) for number, key, value in pairs},
        "terms": dict(session.query("SELECT term_id, term FROM terms")),
        "identities": dict(session.query("SELECT identity_id, value FROM identities")),
        "rules": {n: tuple(rest) for n, *rest in session.query("SELECT * FROM attribution_rules")},
    }
    for name, rows in stored.items():
        assert rows == asked.get(name, {})
        assert sorted(rows) == list(range(1, len(rows) + 1))
    members = session.query("SELECT set_id, rule_id, identity_id FROM attribution_members")
    sets: dict[int, list[tuple[int, int]]] = {}
    for set_id, rule, identity in sorted(members):
        sets.setdefault(set_id, []).append((rule, identity))
    expected = {n: list(v) for n, v in asked.get("attribution_sets", {}).items() if v}  # type: ignore[call-overload]
    assert sets == expected


def test_two_writers_share_the_numbers(session: Session) -> None:
    """What one has added is found by the other, who had asked before."""
    one, two = Lookups(session), Lookups(session)
    assert two.terms(["a"]) == [1]
    assert one.terms(["b", "a"]) == [2, 1]
    assert two.terms(["c", "b", "a"]) == [3, 2, 1]
    assert one.rules([("r", "b", "t", "v")]) == [1]
    assert two.rules([("r", "b", "t", "w"), ("r", "b", "t", "v")]) == [2, 1]
    assert one.rules([("r", "b", "t", "x"), ("r", "b", "t", "w")]) == [3, 2]
