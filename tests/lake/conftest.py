"""Fixtures that tests of lakes share with those of queries."""

from tests.query.conftest import job

__all__ = ["job"]
