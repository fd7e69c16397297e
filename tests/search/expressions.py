"""Make expressions for property tests."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from meta_audit.search.expression import (
    All,
    AnyOf,
    Contains,
    Equals,
    Expression,
    Has,
    Is,
    Matches,
    Not,
    When,
    join,
)
from meta_audit.search.words import CLOSED, FIELDS

PLACES = st.sampled_from(["meta", "job", "task", "label"])
MOMENTS = st.sampled_from(
    ["2023", "2023-11", "2023-11-14", "2023-11-14T22:13", "2023-11-14T22:13:20.5Z"]
)
COMPARISONS = st.sampled_from(["<", "<=", ">", ">=", ":"])
TIMES = st.sampled_from(["created", "modified", "seen"])


def expressions(
    keys: st.SearchStrategy[str],
    values: st.SearchStrategy[str],
    fields: dict[str, Sequence[str]] | None = None,
) -> st.SearchStrategy[Expression]:
    """Return a strategy; `fields` has the values of each field, or any text if it is None."""
    if fields is None:
        fields = {name: () for name in FIELDS if name != "import"}
    terms = st.one_of(
        st.builds(
            Equals, keys, st.lists(values, min_size=1, max_size=3, unique=True).map(tuple), PLACES
        ),
        st.builds(
            Matches, keys, values.map(lambda v: v.replace("b", "*").replace("c", "?")), PLACES
        ),
        st.builds(Has, keys, PLACES),
        st.one_of(
            st.builds(
                Is,
                st.just(name),
                st.sampled_from(known or CLOSED.get(name, ()))
                if known or name in CLOSED
                else values,
            )
            for name, known in fields.items()
        ),
        st.builds(When, TIMES, COMPARISONS, MOMENTS),
        st.builds(Contains, keys.filter(bool)),
    )
    return st.recursive(
        terms,
        lambda inner: st.one_of(
            inner.map(Not),
            st.builds(join, st.sampled_from([All, AnyOf]), st.lists(inner, min_size=2, max_size=3)),
        ),
        max_leaves=6,
    )
