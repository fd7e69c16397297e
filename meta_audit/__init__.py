"""Metadata audit and traceability store for Bacalhau jobs."""

__version__ = "0.1.0"
