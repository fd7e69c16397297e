"""Measurements: documents to measure with, and peers to measure against (see README.md)."""
