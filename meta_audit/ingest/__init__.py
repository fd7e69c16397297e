"""Ingest: from sources to the store, in chunks; retry of what was rejected."""
