"""The engines on which the cookbook runs."""

from tests.engines import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
