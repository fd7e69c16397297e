"""The shape of the store: tables, and which migration this code needs."""

from typing import Final

HEAD: Final = "0002"
"""Newest migration, the one that this code works with."""
